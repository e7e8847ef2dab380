"""Credentials: their records, which print no secret, and the calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, NoReturn, cast

from lakefs_hl import _html as html
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.keyed import Keyed, attributes
from lakefs_hl._handles.listings import OBJECT, TIME, Columns
from lakefs_hl._handles.records import public
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.ops import keys as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, keys, models
from lakefs_hl.spec.secret import HIDDEN, KeyPair, Secret, mask, reveal
from lakefs_hl.spec.sigv4 import REGION

#: Fields of the rows of `credentials.list`.
CREDENTIALS: Final = Columns(
    "credentials",
    {
        "id": OBJECT,
        "name": OBJECT,
        "owner": OBJECT,
        "read_only": OBJECT,
        "repositories": OBJECT,
        "created_at": TIME,
    },
    {"repositories": "all"},
)
_SECRETS: Final = frozenset({"secret_access_key"})


class SecretMapping(Mapping[str, str]):
    """Credentials by name. The values are plain strings, and no `repr` shows the secret ones."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: Secret(reveal(value)) for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return reveal(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = {name: HIDDEN if name in _SECRETS else _mask_id(name, self[name]) for name in self._values}
        return repr(shown)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment] # as a dictionary

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "credentials are secrets and are not pickled; pickle dict(credentials)"
        raise TypeError(msg)

    def __copy__(self) -> SecretMapping:
        return self

    def __deepcopy__(self, memo: object) -> SecretMapping:
        return self


def _mask_id(name: str, value: str) -> str:
    return mask(value) if name == "access_key_id" else value


class BucketCredentials(NamedTuple):
    """Credentials for one repository.

    Attributes:
        bucket_id: Name of the repository.
        provider: Kind of the object store: "s3", "gs", "azure", "local" or "mem". None if it is not known.
        credentials: The credentials by name. The `repr` does not show the secret; `dict(...)` has it.
    """

    bucket_id: str
    provider: str | None
    credentials: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name. The secret is among them."""
        return {"bucket_id": self.bucket_id, "provider": self.provider, "credentials": dict(self.credentials)}


class TemporaryToken(NamedTuple):
    """A token, which stands for the credentials of a client until it expires.

    The token is a secret. It is not in the `repr`, and the record cannot be pickled: pass on `token`.

    Attributes:
        token: The token, for `Client(host, access_token=token)`.
        expires_at: When it ends: an aware datetime in UTC, in whole seconds. None if the server does not say so.

    Examples:
        >>> lakefs.TemporaryToken("eyJhbGciOi…", None)
        TemporaryToken(token='…', expires_at=None)
    """

    token: str
    expires_at: datetime | None

    @classmethod
    def _of(cls, found: ops.Token) -> TemporaryToken:
        at = None if found.expires is None else arguments.from_unix_seconds(int(found.expires))
        return cls(reveal(found.token), at)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name. The token is among them."""
        return {"token": self.token, "expires_at": self.expires_at}

    def __repr__(self) -> str:
        return f"TemporaryToken(token={HIDDEN!r}, expires_at={self.expires_at!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a TemporaryToken is a secret and cannot be pickled; pickle its token"
        raise TypeError(msg)

    def __copy__(self) -> TemporaryToken:
        return self

    def __deepcopy__(self, memo: object) -> TemporaryToken:
        return self


@dataclass(frozen=True, slots=True)
class PersistentCredentials(Keyed):
    """An access key of an embedded lake, which its server accepts until the key is deleted.

    Only what `create` returns has the secret. It is not in the `repr`, and such a record cannot be pickled.

    Attributes:
        id: Access key ID.
        name: Name. None if it was created without one.
        owner: The user who manages it.
        read_only: Whether it may only read.
        repositories: Names of the repositories that it is limited to, in order. None for all.
        created_at: Time of its creation: an aware datetime in UTC, in whole seconds.
        cluster_name: Profile of the client, else its endpoint.
        secret_access_key: The secret. None if `create` did not return this record.
    """

    _attributes = attributes(
        "id",
        "name",
        "owner",
        "read_only",
        "repositories",
        "created_at",
        "cluster_name",
        "secret_access_key",
        access_key_id="id",
    )

    id: str
    name: str | None
    owner: str
    read_only: bool
    repositories: tuple[str, ...] | None
    created_at: datetime
    cluster_name: str
    secret_access_key: str | None = field(default=None, repr=False, compare=False)
    _endpoint: str = field(default="", repr=False, compare=False)

    @property
    def credentials(self) -> list[BucketCredentials]:
        """Credentials for each repository of a limited key: arguments of `Client`. Empty without the secret.

        Those of a key that was created in process have no `endpoint`: that is the URL of the server.
        """
        secret = self.secret_access_key
        if secret is None or self.repositories is None:
            return []
        found = {"access_key_id": self.id, "secret_access_key": secret}
        if self._endpoint:  # in process, the address that the lake will be served at is not known
            found = {"endpoint": self._endpoint, **found}
        return [BucketCredentials(name, "local", SecretMapping(found)) for name in self.repositories]

    def to_dict(self, *, secret: bool = False) -> dict[str, Any]:
        """Return the fields by name.

        Args:
            secret: Whether the secret is among them.
        """
        names = [*CREDENTIALS.types, "cluster_name", *(["secret_access_key"] if secret else [])]
        return {name: getattr(self, name) for name in names}

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self.secret_access_key is not None:
            msg = "credentials with a secret cannot be pickled; pickle to_dict(secret=True)"
            raise TypeError(msg)
        return object.__reduce_ex__(self, protocol)

    def __copy__(self) -> PersistentCredentials:
        return self

    def __deepcopy__(self, memo: object) -> PersistentCredentials:
        return self

    def _repr_html_(self) -> str:
        repositories = "all" if self.repositories is None else ", ".join(self.repositories)
        rows = {
            "id": self.id,
            "owner": self.owner,
            "may": "read" if self.read_only else "read and write",
            "repositories": repositories,
            "created": f"{self.created_at:%Y-%m-%d %H:%M} UTC",
        }
        return html.describe("Credentials", self.name or self.id, rows)

    @classmethod
    def _of(cls, record: models.AccessKey, client: Any, secret: str | None = None) -> PersistentCredentials:
        repositories = None if record.repositories is None else tuple(record.repositories)
        return cls(
            record.access_key_id,
            record.name,
            record.owner,
            record.read_only,
            repositories,
            arguments.from_unix_seconds(record.created_at),
            client._options.profile or client.endpoint,
            secret,
            "" if client._in_process else client.endpoint,
        )


public(BucketCredentials)
public(TemporaryToken)
public(PersistentCredentials)


# -- calls -------------------------------------------------------------------------------------------------------------


class Creation:
    """Credentials to be created. The pair is drawn here, so that no lost response loses the secret.

    Args:
        client: The client to create them with.
        name: Their name.
        read_only: Whether they may only read.
        repositories: Repositories that they are limited to. None for all.
    """

    def __init__(self, client: Any, name: object, read_only: object, repositories: object) -> None:
        found = None if name is None else _name(name)
        limits = None if repositories is None else _repositories(repositories, client)
        self._client = client
        self._pair: KeyPair = keys.draw()
        self._creation = models.AccessKeyCreation(
            self._pair.access_key_id,
            self._pair.secret_access_key,
            found,
            arguments.flag(read_only, "read_only"),
            limits,
        )

    def op(self, session: Session) -> Op[models.AccessKey]:
        """Create them."""
        return ops.create(session, self._creation)

    def record(self, made: models.AccessKey) -> PersistentCredentials:
        """Return the record, with the secret."""
        return PersistentCredentials._of(made, self._client, reveal(self._pair.secret_access_key))


def _name(value: object) -> str:
    found = arguments.text(value, "name")
    if fault := keys.name_fault(found):
        msg = f"name {found[:80]!r}: {fault}"
        raise ValueError(msg)
    return found


def _repositories(value: object, client: Any) -> list[str]:
    """Return the names of repositories, given by names, URIs or handles.

    Raises:
        TypeError: It is no series of these.
        ValueError: It is empty, too long, or has a repository of another lake.
    """
    series: object = (value,) if isinstance(value, str | RepositoryHandle) else value
    found = sorted({_repository(one, client) for one in arguments.items(series, "repositories")})
    if not 0 < len(found) <= keys.MAX_REPOSITORIES:
        have = f"has {len(found)}" if found else "is empty"
        msg = f"repositories {have}: name 1 to {keys.MAX_REPOSITORIES} repositories, or leave it out for all"
        raise ValueError(msg)
    return found


def _repository(value: object, client: Any) -> str:
    """Return the name that a repository has on the server."""
    if isinstance(value, RepositoryHandle):
        own: Any = cast("Any", value)._client
        if own.endpoint != client.endpoint:
            msg = f"repositories: {value!r} is on {own.endpoint}, and this call is made on {client.endpoint}"
            raise ValueError(msg)
        found: str = own._full_name(value._id)
    else:
        found = arguments.repository_name(value, "repositories")
    if fault := keys.repository_fault(found):
        msg = f"repositories: {found[:80]!r} {fault}"
        raise ValueError(msg)
    return found


def listing(session: Session, prefix: object, after: object, max_amount: object) -> Pages[models.AccessKey]:
    """List credentials."""
    page = partial(ops.page, session, prefix=arguments.text(prefix, "prefix"))
    return Pages(page, arguments.text(after, "after"), arguments.amount(max_amount), CREDENTIALS)


def get(session: Session, id_or_name: object) -> Op[models.AccessKey]:
    """Look up credentials."""
    return ops.get(session, _id_or_name(id_or_name))


def delete(session: Session, id_or_name: object) -> Op[None]:
    """Delete credentials."""
    return ops.delete(session, _id_or_name(id_or_name))


def _id_or_name(value: object) -> str:
    """Return an ID or a name, also that of a record."""
    if isinstance(value, PersistentCredentials):
        return value.id
    found = arguments.name(value, "id_or_name")
    if found in (".", ".."):
        msg = f"id_or_name {found!r} is neither the ID nor the name of credentials"
        raise ValueError(msg)
    return found


def token(session: Session, ttl: object) -> Op[ops.Token]:
    """Get a temporary token."""
    if ttl is None:
        return ops.token(session, None)
    seconds = arguments.seconds(ttl, "ttl")
    if not 1 <= seconds <= keys.MAX_TOKEN_SECONDS:
        msg = f"ttl={ttl!r}: must be 1 to {keys.MAX_TOKEN_SECONDS} seconds, which is 12 hours"
        raise ValueError(msg)
    return ops.token(session, int(seconds))


def delegation(session: Session, ttl: object) -> Op[ops.Token | None]:
    """Get a token for workers."""
    seconds = None if ttl is None else arguments.seconds(ttl, "ttl")
    if seconds is not None and seconds < 1:
        msg = f"ttl={ttl!r}: must be at least a second"
        raise ValueError(msg)
    return ops.delegation(session, seconds)


def s3_access(session: Session, at: RepositoryHandle) -> Op[ops.S3Access]:
    """Get what reaches a repository through the S3 gateway."""
    return ops.s3_access(session, at._id)


def bucket_credentials(at: RepositoryHandle, found: ops.S3Access) -> BucketCredentials:
    """Return the record of the credentials of the S3 gateway."""
    values = {
        "bucket_name": found.bucket,
        "endpoint_url": found.endpoint,
        "region_name": REGION,
        "access_key_id": found.pair.access_key_id,
        "secret_access_key": found.pair.secret_access_key,
    }
    return BucketCredentials(at._id, found.provider, SecretMapping(values))
