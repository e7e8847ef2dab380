"""Repositories: their identity, and the calls on them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, ClassVar, Final

from lakefs_hl._handles import html
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import optional_start
from lakefs_hl._handles.listings import OBJECT, Columns
from lakefs_hl._handles.options import Optioned
from lakefs_hl._handles.transactions import TRANSACTIONS
from lakefs_hl.ops import branches, kept, tags
from lakefs_hl.ops import repositories as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, callers, models
from lakefs_hl.spec.uri import repository_uri

#: Fields of the rows of `repositories`, `list_branches` and `list_tags`.
REPOSITORIES: Final = Columns("repositories", {"id": OBJECT, "uri": OBJECT})
BRANCHES: Final = Columns("branches", {"id": OBJECT, "uri": OBJECT})
TAGS: Final = Columns("tags", {"id": OBJECT, "uri": OBJECT})


class RepositoryHandle(Optioned):
    """The name of a repository, and the client to use."""

    _package: ClassVar[str]
    _id = ""

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


# -- calls -------------------------------------------------------------------------------------------------------------


def create(
    session: Session,
    at: RepositoryHandle,
    storage_namespace: object,
    default_branch_id: object,
    include_samples: object,
    read_only: object,
    exist_ok: object,
) -> Op[models.Repository]:
    """Create a repository."""
    return ops.create(
        session,
        at._id,
        arguments.optional_text(storage_namespace, "storage_namespace"),
        arguments.in_repository(default_branch_id, "default_branch_id", at._id),
        include_samples=arguments.flag(include_samples, "include_samples"),
        read_only=arguments.flag(read_only, "read_only"),
        exist_ok=arguments.flag(exist_ok, "exist_ok"),
    )


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


def delete(session: Session, at: RepositoryHandle, force: object) -> Op[None]:
    """Delete a repository."""
    return ops.delete(session, at._id, force=arguments.flag(force, "force"))


def listing(
    session: Session, prefix: object, after: object, max_amount: object, search: object
) -> Pages[models.Repository]:
    """List repositories."""
    page = partial(ops.page, session, prefix=arguments.text(prefix, "prefix"), search=arguments.text(search, "search"))
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
