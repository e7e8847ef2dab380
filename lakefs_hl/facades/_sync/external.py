# Generated from lakefs_hl/facades/aio/external.py by tools/unasync.py: change that, not this.
"""Buckets of object stores as new repositories: `lakefs.import_external`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import lakefs_hl as lakefs
from lakefs_hl import exceptions
from lakefs_hl._progress import progress_of
from lakefs_hl.facades import arguments
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades.external import credentials_of, external_of

if TYPE_CHECKING:
    from os import PathLike

    from lakefs_hl.types import BlockstoreType, ProgressLike

#: Key of the repository's metadata that has the URL it was imported from: a call with it continues the import.
_SOURCE: Final = "lakefs_hl.imported_from"
_BRANCH: Final = "main"


def import_external(
    provider: Literal["aws", "minio", "gcp", "azure"] | BlockstoreType,
    provider_bucket_name: str,
    credentials: Mapping[str, Any],
    name: str | None = None,
    *,
    prefix: str = "",
    storage_namespace: str | None = None,
    metadata: Mapping[str, str] | None = None,
    commit_message: str | None = None,
    job: str | PathLike[str] | None = None,
    max_workers: int | None = None,
    progress: ProgressLike | None = None,
    client: lakefs.Client | None = None,
) -> lakefs.Repository:
    r"""Copy a bucket of another object store to a new repository, with credentials that only this process has.

    Its objects are copied through this machine to the branch `main`, and committed. `branch.import_from` copies nothing
    instead, if the server has credentials of the bucket.

    The bucket is looked at first: without access to it no repository is created. If the copy is interrupted or some
    objects fail, the repository is kept with what was copied, uncommitted, and the error names it. The same call with
    that `name` continues: what is there is compared and not copied again. With `job` it is not even compared.

    Args:
        provider: Where the bucket is: `aws`, `minio`, `gcp` or `azure`.
        provider_bucket_name: Name of the bucket, or of the container of Azure.
        credentials: For `aws` and `minio` a dictionary with `access_key_id` and `secret_access_key`, and perhaps
            `session_token`, `region_name` and `endpoint_url`, which MinIO needs. For `gcp` the fields of a service
            account, or `key_data`, which is their JSON in base64. For `azure` `storage_endpoint` and `credential`, or
            `account_name`, `account_key`, `sas_token` and `connection_string`. They are never stored or shown.
        name: Name of the repository. Defaults to one that is drawn at random.
        prefix: Prefix in the bucket. Paths in the repository are relative to it. Defaults to the whole bucket.
        storage_namespace: Location of the objects of the repository, as for `create`.
        metadata: Keys of the metadata of the repository, such as `owner`.
        commit_message: Message of the commit. Defaults to one that names the bucket.
        job: Local file that keeps what is done, as for `transfer`.
        max_workers: Maximum number of concurrent requests. Defaults to what the stores take.
        progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.
        client: Client to use. Defaults to the default client at the time of the call.

    Returns:
        The repository.

    Raises:
        ConflictException: A repository of this name exists, and was not made by such a call for the same bucket.
        PartialFailureError: Some objects failed; they are in its `report`. Nothing is committed.
        FileNotFoundError: The bucket does not exist, or has no objects under the prefix.
        PermissionError: The credentials do not open it.
        OSError: The bucket cannot be read.
        ValueError: There is no such provider, or its credentials lack a key.
        ImportError: The provider needs a package that is not installed: s3fs, gcsfs or adlfs.

    Examples:
        >>> credentials = {"access_key_id": "key", "endpoint_url": "http://127.0.0.1:9000"}
        >>> lakefs.import_external("minio", "photos", credentials)
        Traceback (most recent call last):
        ValueError: credentials of 'minio' must have both access_key_id and secret_access_key, or neither
    """
    credentials = credentials_of(credentials)  # first, so that no traceback with variables shows them
    client = arguments.instance(client, "client", lakefs.Client)
    progress_of(progress)  # a TypeError now, and not when the repository was created
    own = None if name is None else arguments.text(name, "name")
    namespace = None if storage_namespace is None else arguments.text(storage_namespace, "storage_namespace")
    file = None if job is None else arguments.local_path(job, "job")
    keys = _metadata(metadata)
    bucket = external_of(provider, provider_bucket_name, credentials, prefix)
    repository = lakefs.repository(own, client=client)
    if repository._client.offline:
        msg = f"importing {bucket.place}: nothing was sent: the client is offline, and a bucket is copied online only"
        raise exceptions.OfflineException(msg)
    message = f"Import {bucket.place}" if commit_message is None else arguments.text(commit_message, "commit_message")
    source = lakefs.files(bucket.url, storage_options=bucket.options, max_workers=max_workers)
    with threads.close_after(source.list()) as found:
        if next(found, None) is None:
            msg = (
                f"importing {bucket.place}: it has no objects, or does not exist; for an empty repository use "
                "repository(name).create()"
            )
            raise FileNotFoundError(msg)
    known = _create(repository, bucket.place, namespace, keys)
    branch = repository.branch(_BRANCH)
    given: Any = {"max_workers": max_workers, "progress": progress}
    try:
        lakefs.transfer(source, branch, job=file, update=known and file is None, **given)
        branch.commit_changes(message, metadata={"source": bucket.place}, on_empty="skip")
    except BaseException as exc:
        _note(exc, repository)
        raise
    return repository


def _metadata(metadata: Any) -> dict[str, Any]:
    """Return the metadata of the repository. `create` checks keys and values.

    Raises:
        TypeError: It is no mapping.
    """
    if metadata is not None and not isinstance(metadata, Mapping):
        msg = (
            f"metadata must be a mapping of strings to strings or None, not {type(metadata).__name__}: {metadata!r:.80}"
        )
        raise TypeError(msg)
    return dict(metadata or {})


def _create(repository: lakefs.Repository, place: str, storage_namespace: str | None, metadata: dict[str, str]) -> bool:
    """Create the repository. Returns whether an earlier call for the same bucket has created it.

    Raises:
        ConflictException: It exists, and was not created by such a call.
    """
    try:
        repository.create(storage_namespace, _BRANCH, metadata={**metadata, _SOURCE: place})
    except exceptions.ConflictException as exc:
        if repository.metadata().get(_SOURCE) == place:
            return True
        exc.args = (f"{exc}; it was not imported from {place}: choose another name, or delete it if it is empty",)
        raise
    return False


def _note(error: BaseException, repository: lakefs.Repository) -> None:
    """Add to an error that the repository was created, and how to go on."""
    note = (
        f"{repository.uri} is kept with what was copied, uncommitted: the same call with name={repository.id!r} "
        "continues, and delete(force=True) of the repository removes it"
    )
    if isinstance(error, exceptions.LakeFSException):
        error.args = (f"{error}; {note}",)
        error.maybe_applied = True
    else:
        error.add_note(note)


import_external.__module__ = "lakefs_hl"
