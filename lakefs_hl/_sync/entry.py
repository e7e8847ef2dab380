# Generated from lakefs_hl/aio/entry.py by tools/unasync.py: change that, not this.
"""The functions of the package: `copy`, `init`, `ref` and so on. They import what they need when called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike
    from typing import Literal

    from lakefs_hl._handles.transfers import TransferReport
    from lakefs_hl._sync.administration import Admin
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.listing import Listing
    from lakefs_hl._sync.objects import CommonPrefix, ObjectInfo, ReadIOBase
    from lakefs_hl._sync.refs import Reference
    from lakefs_hl._sync.repos import Repository
    from lakefs_hl.types import Health, ProgressLike, Request, Response, Retry


def init(
    host: str | None = None,
    username: str | None = None,
    password: str | None = None,
    *,
    port: int | None = None,
    access_token: str | None = None,
    profile: str | None = None,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    deadline: float | None = None,
    max_concurrency: int | None = None,
    retries: int | Retry | None = None,
    verify_ssl: bool = True,
    ca_cert: str | PathLike[str] | None = None,
    proxy: str | None = None,
    committer: str | None = None,
    create: bool = True,
    scope: str | None = None,
    create_repositories: bool | None = None,
    allowed_storage_hosts: Iterable[str] = (),
    gateway_endpoint: str | None = None,
    offline: bool | None = None,
    cache_size: int | str | None = None,
    pickle_secrets: bool = False,
    aws_role: bool | None = None,
    token_ttl_seconds: int | None = None,
    url_presign_ttl_seconds: int | None = None,
    token_request_headers: Mapping[str, str] | None = None,
    transport: Callable[[Request], Response] | None = None,
    endpoint: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    jwt_token: str | None = None,
) -> Client:
    """Create the default client, which is used by all handles that are made without one. Takes the options of `Client`.

    Returns:
        The new default client.

    Raises:
        NoAuthenticationFound: No source has credentials.
        InvalidConfigError: A source has an invalid value.
    """
    from lakefs_hl._build.arguments import hidden

    host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers = hidden(
        host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers
    )
    del hidden
    given = dict(locals())
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.default import make_default

    return make_default(Client(**given))


def repository(repository_id: str | None = None, *, create: bool = False, client: Client | None = None) -> Repository:
    """Return a repository, which need not exist. Sends no request.

    Args:
        repository_id: Name of the repository. Defaults to a new one that is drawn at random, such as
            `repo-8nq4t-0xk3m-v7d2c-z9wpe`, and which the handle keeps.
        create: Whether the first call that finds that it does not exist creates it, with the server's defaults: a call
            of this handle, or of a branch or an object that was made by it. `delete` never does.
        client: Client to use. Defaults to the default client at the time of each call.

    Examples:
        >>> branch = lakefs.repository("inbox", create=True).branch("main")
        >>> branch.upload(b"1,2", "a.csv").size_bytes
        3
        >>> repo = lakefs.repository().create()
        >>> repo.id.startswith("repo-")
        True
    """
    from lakefs_hl._handles.repositories import draw_name
    from lakefs_hl._sync.repos import Repository
    from lakefs_hl.spec import arguments

    found = Repository(draw_name() if repository_id is None else repository_id, client)
    return found.with_options(create_repositories=True) if arguments.flag(create, "create") else found


def ref(uri: str, *, client: Client | None = None) -> Reference:
    """Return a read-only reference by its URI, such as `lakefs://repository/main`. Sends no request.

    Args:
        uri: URI of a branch, a tag, a commit or a ref expression: `lakefs://repository/reference`, with or without a
            slash at its end. To write to a branch, use `repository(...).branch(...)`, which also accepts its URI.
            `blob:name`, as other clients name a bucket, is the branch `main` of the repository `name`.
        client: Client to use. Defaults to the default client at the time of each call.

    Raises:
        ValueError: It is the URI of a repository or an object, or not a URI.

    Examples:
        >>> ref = lakefs.ref("lakefs://example/main~0")
        >>> ref.get_commit().message
        'Repository created'
    """
    from lakefs_hl._sync.refs import Reference
    from lakefs_hl.spec.arguments import reference_uri

    repository_id, reference_id = reference_uri(uri, "uri")
    return Reference(repository_id, reference_id, client)


def repositories(
    prefix: str = "",
    after: str = "",
    max_amount: int | None = None,
    *,
    search: str = "",
    owner: str | None = None,
    org: str | None = None,
    cluster: str | None = None,
    client: Client | None = None,
) -> Listing[Repository]:
    """Iterate over the repositories by name, lazily.

    With `owner`, `org` or `cluster` there is a request for each repository that is looked at, 16 of them at a time,
    because lakeFS lists no metadata. Use `prefix` or `search` to look at fewer.

    Args:
        prefix: List only repositories whose name starts with this.
        after: List only repositories after this name.
        max_amount: Maximum number of repositories. Defaults to all.
        search: List only repositories whose name contains this.
        owner: List only repositories whose metadata has this as `owner_id`, or as `owner` without the former.
        org: List only repositories whose metadata has this as `org`.
        cluster: List only repositories whose metadata has this as `cluster`, or without it the profile of the client.
        client: Client to use. Defaults to the default client at the time of the call.

    Examples:
        >>> _ = lakefs.repository("measurements").create(metadata={"owner": "ada", "org": "physics"})
        >>> [repo.id for repo in lakefs.repositories(owner="ada")]
        ['measurements']
    """
    from lakefs_hl._sync.repos import list_repositories

    return list_repositories(
        prefix, after, max_amount, search=search, owner=owner, org=org, cluster=cluster, client=client
    )


def admin(client: Client | None = None) -> Admin:
    """Return the administration of a lake: its credentials, and garbage collection rules. Sends no request.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.

    Examples:
        >>> lakefs.admin(lakefs.Client("local:./lake")).credentials
        <CredentialsAdmin of <...Client local:/...lake...>>
    """
    from lakefs_hl._sync.administration import Admin

    return Admin(client)


def health_check(client: Client | None = None) -> Health:
    """Check that the server is reachable and healthy, and that it accepts the credentials.

    Args:
        client: Client to use. Defaults to the default client at the time of the call.

    Returns:
        The server's report. Credentials that the server refuses are part of it, not an error.

    Raises:
        TransportException: The server cannot be reached, or is not a lakeFS server.

    Examples:
        >>> lakefs.health_check().ok
        True
    """
    from lakefs_hl._handles.handle import own_client
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.of_default import client_of

    return client_of(own_client(client, Client)).health_check()


def copy(
    src_uri: str | ObjectInfo | CommonPrefix | ReadIOBase,
    dst_uri: str | ObjectInfo | CommonPrefix | ReadIOBase,
    *,
    src_client: Client | None = None,
    dst_client: Client | None = None,
    max_workers: int | None = None,
    on_error: Literal["raise", "return"] = "raise",
    progress: ProgressLike | None = None,
) -> TransferReport:
    """Copy an object or a prefix to a branch of any repository or lake.

    Within a repository the server copies. Otherwise the content goes through this machine, with its content type and
    its metadata, and its checksum is verified when it is read and when it is written.

    Args:
        src_uri: URI of an object, such as `lakefs://repository/main/a.csv`, or of a prefix, which ends with `/`; a
            prefix stands for what is under it. Or an `ObjectInfo`, a `CommonPrefix` or a reference, which is all of it.
        dst_uri: The same of the destination. An object that is copied to a prefix keeps its name.
        src_client: Client of the source. Defaults to that of the handle, and for a URI to the default client.
        dst_client: Client of the destination, likewise.
        max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
        on_error: Whether failures of objects of a prefix are raised after all were tried, or only returned.
        progress: What to tell each object: an object with `on_event`, a callable, a class like `tqdm.tqdm`. True shows
            a bar, False none. Defaults to a bar if a terminal or a notebook watches.

    Returns:
        The number of objects and bytes, and the objects that failed.

    Raises:
        ObjectNotFoundException: The source does not exist.
        IsADirectoryError: The source is a prefix without a slash at its end.
        PartialFailureError: Some objects of a prefix failed; they are in its `report`.
        NotFoundException: A repository, the source reference or the destination branch does not exist.
        ValueError: The source and the destination are the same or overlap, or one is not such a URI.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = branch.upload(b"1,2", "data/a.csv")
        >>> lakefs.copy("lakefs://example/main/data/", "lakefs://example/main/backup/").transferred
        1
    """
    from lakefs_hl._files import copies
    from lakefs_hl._handles.copies import locate
    from lakefs_hl._handles.handle import own_client
    from lakefs_hl._sync import fileio, lazy
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.objects import ReadIOBase

    source = locate(src_uri, "src_uri", ReadIOBase, own_client(src_client, Client, "src_client"))
    target = locate(dst_uri, "dst_uri", ReadIOBase, own_client(dst_client, Client, "dst_client"))
    plan = copies.plan(source, target, max_workers, on_error)
    with lazy.watch(progress, "Copying", plan.source.uri, plan.target.uri) as watcher:
        return fileio.copy(plan, watcher)


for _function in (admin, copy, health_check, init, ref, repository, repositories):
    _function.__module__ = "lakefs_hl"
