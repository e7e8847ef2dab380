"""Repositories: their identity, and the calls on them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from lakefs_hl import _html as html
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import optional_start
from lakefs_hl._handles.keyed import Keyed, attributes
from lakefs_hl._handles.listings import OBJECT, Columns
from lakefs_hl._handles.options import Optioned
from lakefs_hl._handles.records import public
from lakefs_hl._handles.transactions import TRANSACTIONS
from lakefs_hl.ops import branches, kept, tags
from lakefs_hl.ops import repositories as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, callers, models
from lakefs_hl.spec.blockstores import BlockstoreType, blockstore_of
from lakefs_hl.spec.uri import repository_uri

R = TypeVar("R", bound="RepositoryHandle")
#: Fields of the rows of `repositories`, `list_branches` and `list_tags`.
REPOSITORIES: Final = Columns("repositories", {"id": OBJECT, "uri": OBJECT})
BRANCHES: Final = Columns("branches", {"id": OBJECT, "uri": OBJECT})
TAGS: Final = Columns("tags", {"id": OBJECT, "uri": OBJECT})
_NAMES: Final = ("id", "uri")
#: Fields of the record of a repository, which a listing has.
_RECORDED: Final = ("created_at", "default_branch", "storage_namespace", "storage_id", "read_only")
#: Keys of a repository.
_INFO: Final = (*_NAMES, *_RECORDED, "metadata", "owner_id", "region", "provider", "owner", "org", "cluster")
#: Names that other clients have for some of them.
_OTHERS: Final = {"name": "id", "creation_date": "created_at", "org_name": "org", "cluster_name": "cluster"}
#: Number of characters of a drawn name, in groups of five. They are 32, so these are 100 bits.
_DRAWN: Final = 20
#: Letters and digits that are not mistaken for one another.
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class RepositoryInfo(Keyed):
    """What a server says of a repository, and who owns it by its metadata.

    Fields are also answered by key, under these names and those of S3 clients: `info["creation_date"]`.

    Attributes:
        id: Name of the repository.
        uri: URI: `lakefs://repository`.
        created_at: Time of its creation: an aware datetime in UTC, in whole seconds.
        default_branch: Name of its default branch.
        storage_namespace: Location of its objects.
        storage_id: ID of the object store, on servers with several of them; else "".
        read_only: Whether it refuses changes.
        metadata: Its metadata.
        profile: Profile of the client that has looked it up. None if it has none.
    """

    _attributes = attributes(*_INFO, **_OTHERS)

    id: str
    uri: str
    created_at: datetime
    default_branch: str
    storage_namespace: str
    storage_id: str
    read_only: bool
    metadata: dict[str, str]
    profile: str | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Name of the repository, as `id`."""
        return self.id

    @property
    def provider(self) -> BlockstoreType | None:
        """Kind of the object store, by the storage namespace. None if it is of an unknown kind."""
        return blockstore_of(self.storage_namespace)

    @property
    def owner(self) -> str | None:
        """Owner, as `owner_id`."""
        return self.owner_id

    @property
    def org(self) -> str | None:
        """Organization: `org` of the metadata. None if it has none: lakeFS has no organizations."""
        return self.metadata.get("org")

    @property
    def cluster(self) -> str | None:
        """Cluster: `cluster` of the metadata, else the profile of the client. None if there is neither."""
        return self.metadata.get("cluster", self.profile)

    @property
    def org_name(self) -> str | None:
        """Organization, as `org`."""
        return self.org

    @property
    def cluster_name(self) -> str | None:
        """Cluster, as `cluster`."""
        return self.cluster

    @property
    def owner_id(self) -> str | None:
        """Owner: `owner_id` of the metadata, else `owner`. None if it has neither: lakeFS has no owners."""
        return self.metadata.get("owner_id", self.metadata.get("owner"))

    @property
    def region(self) -> str | None:
        """Region: `region` of the metadata. None if it has none: lakeFS has no regions."""
        return self.metadata.get("region")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, and those that its metadata or its namespace says, such as `owner_id`."""
        return {name: getattr(self, name) for name in _INFO}

    @classmethod
    def _of(cls, record: models.Repository, metadata: dict[str, str], profile: str | None = None) -> RepositoryInfo:
        return cls(
            record.id,
            repository_uri(record.id),
            arguments.from_unix_seconds(record.creation_date),
            record.default_branch,
            record.storage_namespace,
            record.storage_id,
            bool(record.read_only),
            metadata,
            profile,
        )


class RepositoryHandle(Keyed, Optioned):
    """The name of a repository, and the client to use.

    Attributes:
        _known: The record that a listing has returned with it.
    """

    _package: ClassVar[str]
    _attributes = attributes(*_INFO, **_OTHERS)
    _id = ""
    _known: models.Repository | None = None

    def __getitem__(self, key: str) -> Any:
        """Return a field by key. What is neither known nor a name is looked up, in asyncio by `info()` only."""
        attribute = self._attributes.get(key) if isinstance(key, str) else None
        if attribute is None or attribute in _NAMES:
            return super().__getitem__(key)
        if self._known is not None and attribute in (*_RECORDED, "provider"):
            return getattr(RepositoryInfo._of(self._known, {}), attribute)
        return self._look_up(key)

    def _look_up(self, key: str) -> Any:
        raise NotImplementedError  # the colours look up lazily in different ways

    def __init__(self, repository_id: str, client: Any = None) -> None:
        self._id = arguments.repository_name(repository_id)
        self._given = client

    @property
    def _repository_id(self) -> str:
        return self._id

    @property
    def id(self) -> str:
        """Name of the repository."""
        return self._id

    @property
    def uri(self) -> str:
        """URI: `lakefs://repository`."""
        return repository_uri(self._id)

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and isinstance(other, RepositoryHandle)
            and (self._id, self._given) == (other._id, other._given)
        )

    def __hash__(self) -> int:
        return hash((type(self), self._id, self._given))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._id, self._given)

    def __repr__(self) -> str:
        return f"<Repository {self.uri}>"

    def _repr_html_(self) -> str:
        return html.describe("Repository", self.uri)


public(RepositoryInfo)


def draw_name() -> str:
    """Return a name for a new repository, which no one else draws or guesses: `repo-` and 100 random bits."""
    letters = [secrets.choice(_LETTERS) for _ in range(_DRAWN)]
    return "-".join(["repo", *("".join(letters[start : start + 5]) for start in range(0, _DRAWN, 5))])


# -- calls -------------------------------------------------------------------------------------------------------------


def create(
    session: Session,
    at: RepositoryHandle,
    storage_namespace: object,
    default_branch_id: object,
    include_samples: object,
    read_only: object,
    exist_ok: object,
    metadata: object = None,
) -> Op[models.Repository]:
    """Create a repository, and set its metadata."""
    creation = ops.create(
        session,
        at._id,
        arguments.optional_text(storage_namespace, "storage_namespace"),
        arguments.in_repository(default_branch_id, "default_branch_id", at._id),
        include_samples=arguments.flag(include_samples, "include_samples"),
        read_only=arguments.flag(read_only, "read_only"),
        exist_ok=arguments.flag(exist_ok, "exist_ok"),
    )
    found = arguments.optional_metadata(metadata)
    return ops.create_with_metadata(session, at._id, creation, found) if found else creation


class GetOrCreate:
    """Create a repository unless it exists, and warn if an existing one differs from the arguments.

    Args:
        at: The repository.
        storage_namespace: Storage namespace of a new one.
        default_branch_id: Default branch of a new one.
        include_samples: Whether a new one has sample files.
    """

    def __init__(
        self, at: RepositoryHandle, storage_namespace: object, default_branch_id: object, include_samples: object
    ) -> None:
        self._at = at
        self._namespace = arguments.optional_text(storage_namespace, "storage_namespace")
        self._branch = arguments.in_repository(default_branch_id, "default_branch_id", at._id)
        self._branch_given = default_branch_id is not arguments.DEFAULT_BRANCH
        self._samples = arguments.flag(include_samples, "include_samples")

    def op(self, session: Session) -> Op[tuple[models.Repository, bool]]:
        """Create the repository if there is none. Returns its record and whether it was created."""
        return ops.get_or_create(session, self._at._id, self._namespace, self._branch, include_samples=self._samples)

    def check(self, found: models.Repository, created: bool) -> None:
        """Warn if an existing repository differs from the arguments."""
        namespace, differs = self._namespace, []
        if namespace and namespace.rstrip("/") != found.storage_namespace.rstrip("/"):
            differs.append(f"the storage namespace {found.storage_namespace!r}, not {namespace!r}")
        if self._branch_given and self._branch != found.default_branch:
            differs.append(f"the default branch {found.default_branch!r}, not {self._branch!r}")
        if differs and not created:
            callers.warn(f"{self._at.uri} exists with {' and '.join(differs)}; it is used as it is")


def exists(session: Session, at: RepositoryHandle) -> Op[bool]:
    """Check whether a repository exists."""
    return ops.exists(session, at._id)


def get(session: Session, at: RepositoryHandle) -> Op[models.Repository]:
    """Look up a repository."""
    return ops.get(session, at._id)


def info(session: Session, at: RepositoryHandle, profile: str | None) -> Op[RepositoryInfo]:
    """Look up a repository and its metadata.

    Args:
        session: The client's.
        at: The repository.
        profile: The client's profile.
    """
    record = yield from ops.get(session, at._id)
    metadata = yield from ops.metadata(session, at._id)
    return RepositoryInfo._of(record, metadata, profile)


def wrap(kind: type[R], record: models.Repository, client: Any) -> R:
    """Return the handle of a repository that was listed."""
    found = kind(record.id, client)
    found._known = record
    return found


def delete(session: Session, at: RepositoryHandle, force: object) -> Op[None]:
    """Delete a repository."""
    return ops.delete(session, at._id, force=arguments.flag(force, "force"))


def listing(
    session: Session,
    prefix: object,
    after: object,
    max_amount: object,
    search: object,
    wanted: Mapping[str, object] | None = None,
    profile: str | None = None,
) -> Pages[models.Repository]:
    """List repositories.

    Args:
        session: The client's.
        prefix: What names start with.
        after: Name to start after.
        max_amount: Maximum number of repositories.
        search: What names contain.
        wanted: Value that a property of `RepositoryInfo` has to have. None for any.
        profile: The client's profile.
    """
    fields = {name: arguments.text(value, name) for name, value in (wanted or {}).items() if value is not None}

    def matches(record: models.Repository, metadata: dict[str, str]) -> bool:
        found = RepositoryInfo._of(record, metadata, profile)
        return all(getattr(found, name) == value for name, value in fields.items())

    page = partial(ops.page, session, prefix=arguments.text(prefix, "prefix"), search=arguments.text(search, "search"))
    if fields:
        page = partial(ops.matching_page, session, page, matches)
    after = arguments.text(after, "after") and arguments.repository_name(after, "after")
    return Pages(page, after, arguments.amount(max_amount), REPOSITORIES)


def list_branches(
    session: Session, at: RepositoryHandle, max_amount: object, after: object, prefix: object, hidden: object
) -> Pages[models.Ref]:
    """List branches."""
    page = partial(
        branches.page,
        session,
        at._id,
        prefix=arguments.text(prefix, "prefix"),
        hidden=arguments.flag(hidden, "hidden"),
    )
    return Pages(page, optional_start(after, "after", at), arguments.amount(max_amount), BRANCHES)


def list_tags(
    session: Session, at: RepositoryHandle, max_amount: object, after: object, prefix: object
) -> Pages[models.Ref]:
    """List tags."""
    page = partial(tags.page, session, at._id, prefix=arguments.text(prefix, "prefix"))
    return Pages(page, optional_start(after, "after", at), arguments.amount(max_amount), TAGS)


def list_transactions(session: Session, at: RepositoryHandle, max_amount: object, after: object) -> Pages[kept.Kept]:
    """List the transactions that were left behind."""
    page = partial(kept.page, session, at._id)
    return Pages(page, optional_start(after, "after", at), arguments.amount(max_amount), TRANSACTIONS)


def collect_transactions(
    session: Session, at: RepositoryHandle, older_than: object, dry_run: object
) -> Op[kept.Collected]:
    """Delete the branches of transactions that were merged or began long ago."""
    age, dry = arguments.age(older_than, "older_than"), arguments.flag(dry_run, "dry_run")
    return kept.collect(session, at._id, time.time(), age, dry_run=dry)


def metadata(session: Session, at: RepositoryHandle) -> Op[dict[str, str]]:
    """Read the metadata of a repository."""
    return ops.metadata(session, at._id)


def set_metadata(session: Session, at: RepositoryHandle, metadata: object) -> Op[None]:
    """Set keys of the metadata."""
    return ops.set_metadata(session, at._id, arguments.metadata(metadata))


def delete_metadata(session: Session, at: RepositoryHandle, keys: object) -> Op[None]:
    """Delete keys of the metadata."""
    return ops.delete_metadata(session, at._id, arguments.texts(keys, "keys"))
