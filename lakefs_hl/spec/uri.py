"""`lakefs://` URIs, which name repositories, references and objects in messages; and `blob:` URIs of buckets."""

from __future__ import annotations

from typing import Final

#: Scheme by which other clients name a bucket or an object of it: `blob:bucket/key`, `blob://cluster/user/bucket/key`.
BLOB: Final = "blob:"


def object_uri(repository: str, reference: str, path: str = "") -> str:
    """Return the URI of an object, or of a reference if there is no path."""
    return f"lakefs://{repository}/{reference}/{path}"


def repository_uri(repository: str) -> str:
    """Return the URI of a repository."""
    return f"lakefs://{repository}"


def bucket_of(uri: str, argument: str) -> str:
    """Return the name of the bucket in `blob:bucket`.

    Raises:
        ValueError: The URI names no bucket, a cluster and a user, or an object.
    """
    rest = uri.removeprefix(BLOB)
    if rest.startswith("//"):
        cluster, _, rest = rest.lstrip("/").partition("/")
        bucket = rest.partition("/")[2].partition("/")[0] or "bucket"
        where = (
            f"; a cluster is a profile: ref('{BLOB}{bucket}', client=Client(profile={cluster!r}))" if cluster else ""
        )
        msg = f"{argument} must not name a cluster and a user, as {uri!r} does: lakeFS has neither{where}"
        raise ValueError(msg)
    bucket, _, path = rest.partition("/")
    if not bucket:
        msg = f"{argument} must name a bucket, as {BLOB}bucket does, not {uri!r}"
        raise ValueError(msg)
    if path:
        at = f"ref('{BLOB}{bucket}')"
        msg = (
            f"{argument} must be the URI of a reference, such as {BLOB}{bucket}, and {uri!r} is that of an object or a "
            f"prefix: {at}.stat_object({path!r}) looks an object up, {at}.list_objects(prefix={path!r}) lists"
        )
        raise ValueError(msg)
    return bucket
