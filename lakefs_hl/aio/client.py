"""The client: endpoint, credentials and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from lakefs_hl._build.arguments import hidden
from lakefs_hl._build.client import ClientFields
from lakefs_hl._handles import credentials, libraries
from lakefs_hl._handles.calls import Pages, first_rows
from lakefs_hl._handles.credentials import TemporaryToken
from lakefs_hl._handles.facades import load
from lakefs_hl._handles.listings import Ahead
from lakefs_hl.aio.listing import Listing
from lakefs_hl.ops import server
from lakefs_hl.spec.tracebacks import EXPLAINED, cut_traceback, is_explained
from lakefs_hl.transport.aio import Aio

if TYPE_CHECKING:
    from datetime import timedelta
    from os import PathLike

    from lakefs_hl._handles.transfers import GetResult, TransferReport
    from lakefs_hl.aio.fileio import Items
    from lakefs_hl.aio.repos import Repository
    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.retry import Session
    from lakefs_hl.spec.models import StorageConfig
    from lakefs_hl.types import Health, ProgressLike, Request, Response, Retry

T = TypeVar("T")
W = TypeVar("W")
P = ParamSpec("P")


class Client(ClientFields):
    """Connection to a lakeFS server or an embedded lake.

    Options that are not given are looked up: in the environment (`LAKECTL_SERVER_ENDPOINT_URL`,
    `LAKECTL_CREDENTIALS_ACCESS_KEY_ID`, `LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY`, …), in `~/.lakectl.yaml`, and with the
    AWS role of the machine. `explain_auth()` returns the source of each. The constructor sends no request.

    `async with` closes the connections at the end of the block. A client may be entered again, also within its own
    block and by several threads or tasks at a time: the last block that ends closes. It can be used after that.

    Args:
        host: `https://host[:port]` of a lakeFS server, `local:PATH` for an embedded lake in a directory, `mem://` for
            one in memory. With `port`, also the name of a host.
        username: Access key ID.
        password: Secret access key.
        port: Port of `host`. A host without a scheme is reached by http if it is this machine, else by https.
        access_token: Token to use instead of a key pair.
        profile: Read `~/.lakectl.<profile>.yaml`, before the environment.
        timeout: Read timeout in seconds. Defaults to a value per operation.
        connect_timeout: Connect timeout in seconds. Defaults to 5.
        deadline: Time limit of a whole call including its retries, in seconds. Defaults to a value per operation.
        max_concurrency: Maximum number of concurrent requests.
        retries: Maximum retries of a failed request, where retrying is safe. 0 disables retries. A
            `lakefs_hl.types.Retry` also sets the backoff.
        verify_ssl: Whether to verify TLS certificates. False accepts any certificate, and warns.
        ca_cert: File or directory of trusted certificate authorities.
        proxy: Proxy URL, `http://host:port`. "" disables proxies, including those of the environment.
        committer: Committer name on an embedded lake in process. A server takes it from the credentials.
        create: Whether `local:PATH` creates a lake if there is none. False makes a missing lake an error.
        scope: Names of repositories begin with it and a dash on the server, and do not here; see `scoped`. It is a
            naming aid, not security.
        create_repositories: Whether a call on a repository that does not exist creates it first, with the server's
            defaults. `delete` never does.
        allowed_storage_hosts: Hosts that a pre-signed URL may name although they have private addresses.
        gateway_endpoint: `https://host[:port]` of lakeFS's S3 gateway, for links that are signed for it. Defaults to
            `host`.
        offline: Whether to refuse every call that would send a request to a server. `snapshot_download` then returns
            what is in the cache. Embedded lakes work as ever.
        cache_size: Size of the cache of snapshots: a number of bytes, or a text such as "20GiB". Defaults to 10 GiB.
        pickle_secrets: Whether a pickled client includes the secret, the token, the login of a proxy and the
            `token_request_headers` that it was given. By default they are left out: where the client is unpickled,
            the credentials of that process are used if its own configuration names the same endpoint, else the first
            call raises.
        aws_role: True logs in with the AWS role of the machine. It needs `pip install 'lakefs-hl[aws]'`. False never
            does, although a role is configured or would be the last resort.
        token_ttl_seconds: Lifetime of a token that an AWS role gets, in seconds.
        url_presign_ttl_seconds: Lifetime of the signed identity, in seconds.
        token_request_headers: Additional headers to sign into the identity.
        transport: Function that answers requests in place of a server, for tests. It takes a `lakefs_hl.types.Request`
            and returns a `lakefs_hl.types.Response`. No credentials are needed. The client cannot be pickled.
        endpoint: Same as `host`.
        access_key_id: Same as `username`.
        secret_access_key: Same as `password`.
        jwt_token: Same as `access_token`.

    Raises:
        NoAuthenticationFound: No source has credentials.
        InvalidConfigError: A source has an invalid value.
        LakeError: The embedded lake cannot be opened, or does not exist and `create` is False.

    Examples:
        >>> from lakefs_hl import aio as lakefs
        >>> client = lakefs.Client("mem://")
        >>> repository = await lakefs.repository("example", client=client).create()
    """

    __module__ = "lakefs_hl.aio"
    _Driver = Aio

    def __init__(
        self,
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
    ) -> None:
        host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers = hidden(
            host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers
        )
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        try:
            self._make(given)
        except (*EXPLAINED, Warning) as exc:
            cut_traceback(exc, keep_cause=False)
            raise

    async def _run(self, call: Callable[Concatenate[Session, P], Op[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            result: T = await self._driver.run(call(self._session, *args, **kwargs))
        except EXPLAINED as exc:
            if is_explained(exc):
                cut_traceback(exc)
            raise
        return result

    def _list(
        self,
        wrap: Callable[[T], W],
        call: Callable[Concatenate[Session, P], Pages[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Listing[W]:
        pages = call(self._session, *args, **kwargs)
        first = partial(first_rows, self._blocking, pages, wrap) if self._in_process else None
        ahead = Ahead[W]()
        source = self._driver.pages(pages.next_page, pages.after, pages.amount, wrap, ahead.fail)
        return Listing(source, ahead, pages.columns, first)

    @property
    async def version(self) -> str:
        """Version of the server."""
        return await self._run(server.version)

    @property
    async def storage_config(self) -> StorageConfig:
        """Capabilities of the server's object store, as lakeFS reports them. Requested once per client."""
        return await self._run(server.storage)

    async def health_check(self) -> Health:
        """Check that the server is reachable and healthy, and that it accepts the credentials.

        Returns:
            The server's report. Credentials that the server refuses are part of it, not an error.

        Raises:
            TransportException: The server cannot be reached, or is not a lakeFS server.
        """
        return await self._run(server.health)

    async def temporary_token(self, ttl: float | timedelta | None = None) -> TemporaryToken:
        """Log in with the access key of this client, for a token that others can use instead of it for a time.

        The token may do what the access key may, and ends when that is deleted. A client that has logged in with an
        AWS role returns the token that it has got.

        Args:
            ttl: How long the token is valid, in seconds or as a `timedelta`: up to 12 hours, on a served embedded lake
                only. Defaults to what the server decides, which is an hour on an embedded lake.

        Returns:
            The token. Its `repr` does not show it.

        Raises:
            NotAuthorizedException: The server does not accept the access key.
            UnsupportedOperationException: The client has no access key, the lake is in process, or `ttl` was given and
                the server has a life of its own for tokens.
            ValueError: `ttl` is less than a second or more than 12 hours.

        Examples:
            >>> served = lakefs.Client("http://127.0.0.1:8000", "LKHL…", "…")  # doctest: +SKIP
            >>> found = await served.temporary_token()
            >>> guest = lakefs.Client(served.endpoint, access_token=found.token)
            >>> (await guest.health_check()).authenticated
            True
        """
        return TemporaryToken._of(await self._run(credentials.token, ttl))

    async def delegate(self, ttl: float | timedelta | None = None) -> Client:
        """Return a client with a temporary token instead of credentials, for workers that have none.

        Unlike other clients, it is pickled together with its secret, which is the token: that is what it is for. Its
        pickles contain no other secret of this client, neither the access key nor the login of a proxy. Anyone who
        reads such a pickle can do what the access key may until the token expires, so keep `ttl` short. The token is
        not renewed. It ends early if the access key is deleted.

        The token is for the API of lakeFS. The S3 gateway, and links that are signed for it, need an access key.

        In process, a lake needs no credentials: a copy of this client is returned, and `ttl` has no effect. Its pickles
        open the lake's directory, on the same machine.

        Args:
            ttl: How long the token is valid, in seconds or as a `timedelta`. Defaults to what the server decides: an
                hour for a served embedded lake, which takes up to 12 hours. A lakeFS server has one length for all
                tokens, by default 7 days, and no other can be asked for.

        Returns:
            The client. The `source` of its credentials in `explain_auth()` says until when they are valid. A call after
            that raises `NotAuthorizedException` with the time when they ended.

        Raises:
            NotAuthorizedException: The server does not accept the access key.
            UnsupportedOperationException: The client has no access key. A delegated client cannot delegate: pickle it.
            ValueError: The server has no tokens that are valid for `ttl`. The message says which it has.

        Examples:
            >>> import pickle
            >>> served = lakefs.Client("http://127.0.0.1:8000", "LKHL…", "…")  # doctest: +SKIP
            >>> branch = lakefs.repository("example", client=await served.delegate(600)).branch("main")
            >>> received = pickle.loads(pickle.dumps(branch))  # in a worker, which has no configuration
            >>> await received.exists("a.csv")
            False
        """
        return self._with_token(await self._run(credentials.delegation, ttl))

    def with_options(
        self,
        *,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        deadline: float | None = None,
        max_concurrency: int | None = None,
        retries: int | Retry | None = None,
        create_repositories: bool | None = None,
    ) -> Client:
        """Return a copy with other options, for the same lake with the same credentials. None leaves one unchanged.

        Args:
            timeout: Read timeout in seconds.
            connect_timeout: Connect timeout in seconds.
            deadline: Time limit of a whole call including its retries, in seconds.
            max_concurrency: Maximum number of concurrent requests.
            retries: Maximum retries of a failed request, where retrying is safe. 0 disables retries. A
                `lakefs_hl.types.Retry` also sets the backoff.
            create_repositories: Whether a call on a repository that does not exist creates it first.

        Raises:
            TypeError: A value has the wrong type.
            InvalidConfigError: A number is out of range.
        """
        return self._with(
            {
                "timeout": timeout,
                "connect_timeout": connect_timeout,
                "deadline": deadline,
                "max_concurrency": max_concurrency,
                "retries": retries,
                "create_repositories": create_repositories,
            }
        )

    def scoped(self, prefix: str) -> Client:
        """Return a copy that names repositories without a prefix, which they have on the server.

        Repository `docs` of a client that is scoped to `alice` is `alice-docs` on the server, in every request that
        names a repository. Listings have only the repositories of the scope, under their short names, and so have URIs,
        records and handles. A server's own messages, logs and spans have the names on the server.

        It is a naming aid, not security: the credentials still reach every repository that they may, under any other
        client. `sdk_client` has no scope.

        Args:
            prefix: What the names begin with on the server, with or without its dash. Within the scope of this client,
                if it has one.

        Raises:
            ValueError: It cannot be the beginning of a repository's name.

        Examples:
            >>> client = lakefs.Client("mem://")
            >>> alice = client.scoped("alice")
            >>> _ = await lakefs.repository("docs", client=alice).create()
            >>> [repo.id async for repo in lakefs.repositories(client=alice)]
            ['docs']
            >>> [repo.id async for repo in lakefs.repositories(client=client)]
            ['alice-docs']
        """
        return self._with_scope(prefix)

    def spark_conf(
        self,
        *,
        mode: Literal["s3a", "lakefsfs"] = "s3a",
        repositories: str | Repository | Iterable[str | Repository] | None = None,
    ) -> dict[str, str]:
        """Return settings with which Spark reads and writes repositories. Sends no request.

        They hold the client's access key and its secret, which the `repr` of the result hides. Spark hides them in its
        user interface too, as long as `spark.redaction.regex` is not changed, but a job can read them: give it a key of
        its own.

        Args:
            mode: "s3a" for Hadoop's S3A and lakeFS's S3 gateway, as in `s3a://repository/branch/path`. "lakefsfs" for
                lakeFS's own file system in the package `io.lakefs:hadoop-lakefs-assembly`, as in
                `lakefs://repository/branch/path`, which reads and writes the object store by signed URLs.
            repositories: Repositories, by name or as handles: each gets settings of its own, and other buckets of the
                job keep theirs. None sets them for all buckets. "lakefsfs" has the same settings for all.

        Returns:
            Values by names such as `spark.hadoop.fs.s3a.bucket.example.endpoint`.

        Raises:
            UnsupportedOperationException: It is an embedded lake, which has no S3 gateway yet, or the client has no
                access key.

        Examples:
            >>> client = lakefs.Client("https://lake.example", "AKIA", "secret")
            >>> conf = client.spark_conf(repositories="example")
            >>> conf["spark.hadoop.fs.s3a.bucket.example.endpoint"]
            'https://lake.example'
        """
        found: dict[str, str] = libraries.load("options").spark_conf(self, mode, repositories)
        return found

    async def upload_many_concurrent(
        self,
        items: Items[Mapping[str, Any]],
        *,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | None = None,
    ) -> TransferReport:
        """Write many objects, each to the default branch of its repository, as `Branch.upload_many` does.

        Args:
            items: Dictionaries with `bucket` (or `repository`), `key` (or `path`), `data` (or `content`), and
                optionally `content_type`, `metadata`, `tags` and `branch`. A generator may be of any length.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all items were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            What was transferred, and what failed.

        Raises:
            PartialFailureError: Some objects failed; they are in its `report`.
            NotFoundException: The repository of the first item does not exist.
            TypeError: An item is not a dictionary. Items before it may have been written.

        Examples:
            >>> client = lakefs.Client("mem://", create_repositories=True)
            >>> items = [{"bucket": "docs", "key": f"{number}.txt", "data": b"1"} for number in range(10)]
            >>> (await client.upload_many_concurrent(items)).transferred
            10
            >>> found = await client.download_many_concurrent([{"bucket": "docs", "key": "3.txt"}])
            >>> found[0].content
            b'1'
        """
        report: TransferReport = await load(__name__, "many").upload(self, items, max_workers, on_error, progress)
        return report

    async def download_many_concurrent(
        self,
        items: Items[Mapping[str, Any]],
        *,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "return",
        progress: ProgressLike | None = None,
    ) -> list[GetResult]:
        """Read many objects, each at the default branch of its repository, as `Branch.download_many` does.

        Args:
            items: Dictionaries with `bucket` (or `repository`), `key` (or `path`), and optionally `start`, `end` and
                `reference`.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or returned in the results.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The results in the order of the items. A failed one has an `error` and no `content`.

        Raises:
            PartialFailureError: Some objects could not be read, and `on_error` is `raise`.
            TypeError: An item is not a dictionary.
        """
        found: list[GetResult] = await load(__name__, "many").download(self, items, max_workers, on_error, progress)
        return found

    async def close(self) -> None:
        """Close connections and threads, including those of copies. The client can be used again afterwards."""
        if self._is_open:
            await self._driver.call(self._close_here)

    async def __aenter__(self) -> Self:
        return self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leave():
            await self.close()
