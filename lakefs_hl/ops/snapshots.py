"""Snapshots: tags of everything that a branch has, with its uncommitted changes.

The branch is not changed. Its uncommitted changes are staged on a hidden branch at the same commit, by the physical
addresses of their contents, and committed there. The tag is the only thing that makes a snapshot. A note in the
metadata of the repository, written before it, says which tags are snapshots. The hidden branch has the name of a
transaction's: what a killed process leaves behind is collected with those.

A snapshot is restored by one commit that has the content of the snapshot as it is, which lakeFS knows by an ID.
"""

from __future__ import annotations

import json
from typing import Final

import msgspec

from lakefs_hl.ops import branches, objects, refs, repositories, tags, transaction
from lakefs_hl.ops.effects import Op, gather, gather_each
from lakefs_hl.ops.ephemeral import name_of
from lakefs_hl.ops.lookups import look_up
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, attempt, call
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.uri import object_uri, repository_uri

#: Key of the commit's metadata, and beginning of the keys of the repository's: then come the name and the commit.
KEY: Final = "lakefs_hl.snapshot"
#: Most snapshots of a page, and the number of concurrent look-ups of their tags.
MAX_ROWS: Final = 100
MAX_LOOKUPS: Final = 16
#: How often a snapshot is begun again because the branch was committed meanwhile.
MAX_TRIES: Final = 3
#: What a server without `stageObject`, or one that refuses the address of a content, responds.
_NOT_STAGED: Final = frozenset({400, 403, 404, 405, 501})


class Plan(msgspec.Struct, frozen=True):
    """What a snapshot is to be.

    Attributes:
        repository: Repository ID.
        name: Name of the tag.
        ref: Reference to take it of. None means the default branch.
        message: Message of the commit that the tag points to. None means one only for uncommitted changes.
        tx_id: Unique ID, 32 hex digits.
        now: Current time in Unix seconds.
    """

    repository: str
    name: str
    ref: str | None
    message: str | None
    tx_id: str
    now: float

    @property
    def about(self) -> str:
        """What was asked, for messages."""
        return f"creating snapshot {self.name!r} of {repository_uri(self.repository)}"


def create(session: Session, plan: Plan) -> Op[str]:
    """Create a snapshot. Returns why its hidden branch is left over; "" if it is not.

    Raises:
        ConflictException: A tag of this name exists, or the branch was committed again and again meanwhile.
        NotFoundException: The repository or the reference does not exist.
    """
    repository = yield from repositories.get(session, plan.repository)
    ref = repository.default_branch if plan.ref is None else plan.ref
    if (yield from tags.exists(session, plan.repository, plan.name)):
        msg = f"{plan.about}: a tag of this name exists; delete it, or choose another name"
        raise errors.ConflictException(msg)
    source, dirty = yield from _source(session, plan, ref)
    if not dirty and plan.message is None:
        yield from _publish(session, plan, source.commit_id, ref)
        return ""
    hidden = name_of(ref if dirty else "snapshot", plan.tx_id).branch
    try:
        target = yield from _commit_hidden(session, plan, source, hidden, repository.storage_namespace, dirty=dirty)
        yield from _publish(session, plan, target, ref)
        left_over = yield from attempt(_delete(session, plan.repository, hidden))
    except GeneratorExit:
        raise
    except BaseException:
        yield from transaction.attempt_cleanup(_delete(session, plan.repository, hidden))
        raise
    if left_over is None:
        return ""
    return f"branch {hidden!r} is left over, which collect_transactions() deletes: {left_over}"


def _source(session: Session, plan: Plan, ref: str) -> Op[tuple[models.Ref, bool]]:
    """Return a reference with its commit, and whether it is a branch with uncommitted changes."""
    if not refs.COMMIT_ID.fullmatch(ref):
        try:
            found = yield from branches.get(session, plan.repository, ref)
            staged = yield from branches.uncommitted_page(session, plan.repository, ref, "", 1)
        except (errors.NotFoundException, errors.BadRequestException):
            pass  # a tag, or an expression
        else:
            return found, bool(staged.results)
    return models.Ref(ref, (yield from refs.pin(session, plan.repository, ref, about=plan.about))), False


def _publish(session: Session, plan: Plan, target: str, ref: str) -> Op[None]:
    """Note that the tag is a snapshot, and create it."""
    key = f"{KEY}.{plan.name}.{target}"
    yield from repositories.set_metadata(session, plan.repository, {key: json.dumps({"ref": ref})})
    try:
        yield from tags.create(session, plan.repository, plan.name, target)
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False:
            yield from transaction.attempt_cleanup(_delete_note(session, plan, key, target))
        raise


def _delete_note(session: Session, plan: Plan, key: str, target: str) -> Op[None]:
    """Delete a note, unless another client has created the same snapshot."""
    try:
        found = yield from tags.get(session, plan.repository, plan.name)
    except errors.NotFoundException:
        found = None
    if found is None or found.commit_id != target:
        yield from repositories.delete_metadata(session, plan.repository, [key])


def _commit_hidden(
    session: Session, plan: Plan, source: models.Ref, hidden: str, namespace: str, *, dirty: bool
) -> Op[str]:
    """Commit the uncommitted changes of a branch, if any, on a hidden branch at its commit. Returns the new commit."""
    for _ in range(MAX_TRIES):
        yield from transaction.create_hidden(session, plan.repository, hidden, source.commit_id)
        now = source
        if dirty:
            yield from _carry(session, plan.repository, source.id, hidden, namespace)
            now = yield from branches.get(session, plan.repository, source.id)
        if now.commit_id == source.commit_id:
            creation = models.CommitCreation(
                plan.message or f"Snapshot {plan.name!r} of {source.id!r}", {KEY: plan.name}
            )
            made = yield from branches.commit(
                session,
                plan.repository,
                hidden,
                creation,
                op_id=f"{plan.tx_id}-commit",
                now=plan.now,
                since=source.commit_id,
                on_empty="skip" if plan.message is None else "commit",
            )
            return made.id
        yield from branches.delete(session, plan.repository, hidden)
        source = now
    msg = f"{plan.about}: branch {source.id!r} was committed {MAX_TRIES} times meanwhile; try again"
    raise errors.ConflictException(msg)


def _carry(session: Session, repository: str, branch: str, hidden: str, namespace: str) -> Op[None]:
    """Stage the uncommitted changes of a branch on another one at the same commit."""
    after, more = "", True
    while more:
        page = yield from branches.uncommitted_page(session, repository, branch, after, MAX_PAGE)
        written = [row.path for row in page.results if row.type != "removed"]
        records = yield from look_up(session, repository, branch, written, None)
        stages = (_stage(session, repository, branch, hidden, record, namespace) for record in records.values())
        yield from gather_each(stages, session.width.within(None), lambda _index, _result: None)
        gone = [row.path for row in page.results if row.path not in records]
        if gone and (failed := (yield from objects.delete_batch(session, repository, hidden, gone))):
            first = failed[0]
            msg = f"deleting {object_uri(repository, hidden, first.path or '')}: {first.message} ({first.status_code})"
            raise errors.LakeFSException(msg)
        after, more = page.pagination.next_offset, page.pagination.has_more


def _stage(
    session: Session, repository: str, branch: str, hidden: str, record: models.ObjectStats, namespace: str
) -> Op[None]:
    """Stage an object of one branch on another one: by its address, or as a copy where that is not possible."""
    ours = record.physical_address.startswith(f"{namespace.rstrip('/')}/")
    if ours or (session.remote and not session.exactly_once):  # an embedded lake knows only its own by their addresses
        stage = models.ObjectStage(
            record.physical_address,
            record.checksum,
            record.size_bytes or 0,
            record.mtime,
            record.metadata or {},
            record.content_type,
        )
        request = json_request(endpoints.STAGE_OBJECT, (repository, hidden), stage, query={"path": record.path})
        try:
            yield from call(session, request)
        except errors.ServerException as exc:
            if exc.status not in _NOT_STAGED:
                raise
        else:
            return
    yield from objects.copy(session, repository, hidden, record.path, branch, record.path)


def _delete(session: Session, repository: str, branch: str) -> Op[None]:
    """Delete a branch, if it exists."""
    session = transaction.with_deadline(session, transaction.CLEANUP_SECONDS)
    try:
        yield from branches.delete(session, repository, branch)
    except errors.NotFoundException:
        return


# -- list and restore -------------------------------------------------------------------------------------------------


def _notes(session: Session, repository: str) -> Op[dict[str, dict[str, str]]]:
    """Return the notes of snapshots: by name the reference that each was taken of, by the commit of its tag.

    A tag of that name may be another one by now.
    """
    found = dict[str, dict[str, str]]()
    for key, value in (yield from repositories.metadata(session, repository)).items():
        name, _, commit = key.removeprefix(f"{KEY}.").rpartition(".")
        if key.startswith(f"{KEY}.") and name:
            found.setdefault(name, {})[commit] = _ref_of(value)
    return found


def _ref_of(note: str) -> str:
    """Return the reference in a note; "" if others have damaged it."""
    try:
        value = json.loads(note)
    except ValueError:
        return ""
    ref = value.get("ref") if isinstance(value, dict) else None
    return ref if isinstance(ref, str) else ""


def page(session: Session, repository: str, after: str, amount: int) -> Op[models.RefPage]:
    """Return one page of snapshots, by name. A tag that is not at the noted commit is not one."""
    notes = yield from _notes(session, repository)
    names = sorted((name for name in notes if name > after), key=str.encode)
    here = names[: min(amount, MAX_ROWS)]

    def look(name: str) -> Op[models.Ref | None]:
        try:
            return (yield from tags.get(session, repository, name))
        except (errors.NotFoundException, errors.BadRequestException):
            return None

    found = yield from gather(map(look, here), MAX_LOOKUPS)
    rows = [row for row in found if row is not None and row.commit_id in notes[row.id]]
    more = len(names) > len(here)
    return models.RefPage(models.Pagination(more, here[-1] if more else "", len(rows), MAX_ROWS), rows)


def restore(
    session: Session,
    repository: str,
    name: str,
    branch: str | None,
    message: str | None,
    *,
    force: bool,
    tx_id: str,
    now: float,
) -> Op[models.Commit]:
    """Give a branch the content of a snapshot, by one commit. Returns the commit; the head if nothing differs.

    Args:
        session: The client's session.
        repository: Repository ID.
        name: Name of the snapshot, or of any tag.
        branch: The branch. None means the one that the snapshot was taken of, or the default branch.
        message: Message of the commit.
        force: Whether to discard uncommitted changes of the branch.
        tx_id: Unique ID, 32 hex digits.
        now: Current time in Unix seconds.

    Raises:
        NotFoundException: The repository, the snapshot or the branch does not exist.
        BadRequestException: The branch has uncommitted changes, and `force` is False.
    """
    tag = yield from tags.get(session, repository, name)
    source = yield from refs.commit(session, repository, tag.commit_id)
    target = branch or (yield from _home(session, repository, tag))
    about = f"restoring snapshot {name!r} of {repository_uri(repository)} on branch {target!r}"
    head = yield from refs.write_to(session, repository, target, about, branches.get(session, repository, target))
    before = yield from refs.commit(session, repository, head.commit_id)
    yield from _clean(session, repository, target, about, force=force)
    if before.meta_range_id == source.meta_range_id:
        return before
    plan = transaction.Plan(
        repository=repository,
        destination=target,
        tx_id=tx_id,
        message=message or f"Restore snapshot {name!r}",
        metadata={KEY: name},
        delete_on_error=True,
    )
    if source.meta_range_id:
        try:
            return (yield from _commit(session, plan, target, source.meta_range_id, head.commit_id, now))
        except errors.ForbiddenException as exc:
            if exc.kind is not ErrorKind.BRANCH_PROTECTED:
                raise
    return (yield from _merge(session, plan, source.meta_range_id, now))


def _home(session: Session, repository: str, tag: models.Ref) -> Op[str]:
    """Return the branch that a snapshot was taken of; the default branch if that is unknown or was not a branch."""
    notes = yield from _notes(session, repository)
    taken = notes.get(tag.id, {}).get(tag.commit_id)
    if taken and not refs.COMMIT_ID.fullmatch(taken):
        try:
            return (yield from branches.get(session, repository, taken)).id
        except (errors.NotFoundException, errors.BadRequestException):
            pass
    found = yield from repositories.get(session, repository)
    return found.default_branch


def _clean(session: Session, repository: str, branch: str, about: str, *, force: bool) -> Op[None]:
    """Discard the uncommitted changes of a branch, if it has any and `force` is given.

    Raises:
        BadRequestException: It has some, and `force` is False.
    """
    staged = yield from branches.uncommitted_page(session, repository, branch, "", 1)
    if not staged.results:
        return
    if not force:
        error = errors.BadRequestException(
            f"{about}: the branch has uncommitted changes ({staged.results[0].path!r} is one): commit or reset them, "
            "create a snapshot of them, or discard them by force=True"
        )
        error.kind = ErrorKind.DIRTY_BRANCH
        raise error
    yield from branches.reset(session, repository, branch)


def _commit(
    session: Session, plan: transaction.Plan, branch: str, metarange: str, since: str, now: float
) -> Op[models.Commit]:
    """Commit a whole content."""
    creation = models.CommitCreation(plan.message, dict(plan.metadata))
    return (
        yield from branches.commit(
            session,
            plan.repository,
            branch,
            creation,
            op_id=f"{plan.tx_id}-commit",
            now=now,
            since=since,
            source_metarange=metarange,
        )
    )


def _merge(session: Session, plan: transaction.Plan, metarange: str, now: float) -> Op[models.Commit]:
    """Restore by a transaction: on a protected branch, and the content of a first commit, which has no ID."""
    tx = transaction.Tx(plan)
    yield from transaction.begin(session, tx)
    try:
        if metarange:
            made = yield from _commit(session, plan, plan.branch, metarange, tx.base, now)
            source: str | None = made.id
        else:
            yield from _empty(session, plan)
            source = None  # the end of the transaction commits the deletions
    except GeneratorExit:
        raise
    except BaseException:
        yield from transaction.attempt_cleanup(transaction.abandon(session, tx))
        raise
    yield from transaction.finish(session, tx, now, source)
    return (yield from refs.commit(session, plan.repository, tx.merge_commit or tx.base))


def _empty(session: Session, plan: transaction.Plan) -> Op[None]:
    """Delete all objects of a transaction."""
    more = True
    while more:
        page = yield from objects.list_page(session, plan.repository, plan.branch, "", MAX_PAGE)
        paths = [row.path for row in page.results]
        if paths and (failed := (yield from objects.delete_batch(session, plan.repository, plan.branch, paths))):
            msg = f"deleting {failed[0].path!r}: {failed[0].message} ({failed[0].status_code})"
            raise errors.LakeFSException(msg)
        more = page.pagination.has_more
