# Generated from lakefs_hl/facades/aio/indexing.py by tools/unasync.py: change that, not this.
"""Bring the index of `lakefs.search` to the head of a repository's default branch."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import lakefs_hl as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import texts
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades.index import COMMIT, OF_COMMIT, OF_OBJECT, OF_REPOSITORY, PATH, REPOSITORY, Index, Item, State

#: Objects of a transaction while a repository is indexed.
_BATCH: Final = 10_000
#: Changed objects that are looked up one by one. With more of them the repository is indexed anew, by listing it.
_LARGEST: Final = 20_000
#: Commits that are asked for at first. There are seldom more new ones.
_FIRST_COMMITS: Final = 20
#: How often to look whether another process has indexed a repository, in seconds.
_PAUSE_SECONDS: Final = 0.05
#: How often a repository is looked at that other processes index at the same time.
_ATTEMPTS: Final = 5


class Facts(NamedTuple):
    """A repository as it is now.

    Attributes:
        name: Its name.
        identity: Distinguishes it from another repository that had this name.
        branch: Its default branch.
        info: Its metadata, as a text.
    """

    name: str
    identity: str
    branch: str
    info: str


def refresh(index: Index, repository: lakefs.Repository, about: Any) -> None:
    """Bring the index to the head of the default branch of a repository.

    Every call checks that the commit, the objects and the metadata may be read now.

    Args:
        index: The index.
        repository: The repository.
        about: What its fields are known from: the repository as it was listed, or its `RepositoryInfo`.

    Raises:
        LakeFSException: It cannot be read.
        DamagedError: The index is damaged.
        UnusableError: The index cannot be used.
    """
    metadata = about.metadata if isinstance(about, lakefs.RepositoryInfo) else repository.metadata()
    identity = f"{about['created_at'].timestamp():.0f} {about['storage_namespace']}"
    facts = Facts(repository.id, identity, about["default_branch"], texts.of_metadata(metadata))
    for _ in range(_ATTEMPTS):
        state = threads.run(index.state, repository.id)
        head = repository.branch(facts.branch).get_commit()
        if _update(index, repository, facts, state, head):
            return


def _update(
    index: Index, repository: lakefs.Repository, facts: Facts, state: State | None, head: lakefs.Commit
) -> bool:
    """Bring a repository to a commit. False if another process has changed the index meanwhile."""
    if state is None or state.identity != facts.identity:
        return _build(index, facts, head)
    if state.head == head.id:
        head.list_objects(1).to_list()  # whether this key may do so
        if (state.branch, state.info) == (facts.branch, facts.info):
            return True
        changed: tuple[list[tuple[int, str]], list[Item]] | None = ([], [])
    else:
        try:
            changed = _changes(index, repository, state, head)
        except exceptions.NotFoundException:  # the commit that is indexed is gone
            changed = None
    if changed is None:
        return _build(index, facts, head)
    removed, items = changed
    if state.info != facts.info:
        removed += [(REPOSITORY, facts.name), (OF_REPOSITORY, facts.name)]
        items += texts.of_repository(facts.name, facts.info)
    return threads.run(index.change, state, facts.branch, head.id, facts.info, removed, items)


def _build(index: Index, facts: Facts, head: lakefs.Commit) -> bool:
    """Index a repository anew."""
    while True:
        state = threads.run(index.begin, facts.name, facts.identity, facts.branch, head.id, facts.info)
        if state is not None:
            break
        found = threads.run(index.state, facts.name)
        if found is not None and (found.identity, found.head) == (facts.identity, head.id):
            return False  # another process has indexed it: look at that
        threads.pause(_PAUSE_SECONDS)
    try:
        complete = threads.run(index.add, state, texts.of_repository(facts.name, facts.info))
        for batch in threads.batches(head.list_objects(recursive=True), _BATCH):
            complete = complete and threads.run(index.add, state, _items(head, batch))
        for commits in threads.batches(head.log(), _BATCH):
            items = [item for commit in commits for item in texts.of_commit(commit)]
            complete = complete and threads.run(index.add, state, items)
        if complete and threads.run(index.publish, state):
            return True
    except BaseException:
        threads.run(index.discard, state)
        raise
    return False


def _items(head: lakefs.Commit, infos: list[Any]) -> list[Item]:
    """Return the items of objects, with the content of those that describe datasets."""
    paths = [info.path for info in infos if texts.is_dataset(info)]
    datasets = dict[str, str]()
    if paths:
        for path, result in zip(paths, head.download_many(paths, progress=False), strict=True):
            if result.content is not None:  # what cannot be read has no content to search
                datasets[path] = texts.of_dataset(result.content)
    return threads.run(texts.of_objects, infos, datasets)


def _changes(
    index: Index, repository: lakefs.Repository, state: State, head: lakefs.Commit
) -> tuple[list[tuple[int, str]], list[Item]] | None:
    """Return what to remove and what to add so that the index is at a commit. None if that is too much.

    Raises:
        NotFoundException: The commit that is indexed does not exist any more.
    """
    before = repository.commit(state.head)
    changes = before.diff(head, _LARGEST + 1, type="two_dot", recursive=True).to_list()
    if len(changes) > _LARGEST:
        return None
    removed = [(kind, change.path) for change in changes for kind in (PATH, OF_OBJECT)]
    paths = [change.path for change in changes if change.type != "removed"]
    found = [info for info in head.stat_many(paths) if info is not None] if paths else []
    items = _items(head, found)
    commits = _new_commits(index, state, head, _FIRST_COMMITS)
    if commits is None:
        commits = _new_commits(index, state, head, None)
    if commits is None:  # the branch was reset: what is indexed of its history is not its history any more
        removed += threads.run(index.keys, state, (COMMIT, OF_COMMIT))
        commits = head.log().to_list()
    return removed, items + [item for commit in commits for item in texts.of_commit(commit)]


def _new_commits(index: Index, state: State, head: lakefs.Commit, amount: int | None) -> list[lakefs.Commit] | None:
    """Return the commits that are not indexed, if the commit that is indexed is an ancestor of the head.

    A merge brings commits that are older than the one that is indexed, so the log is read until the parents of all new
    commits are known.

    Args:
        index: The index.
        state: What is indexed.
        head: The head.
        amount: Number of commits to read. None for all.

    Returns:
        The commits. None if there are more, or if the commit that is indexed is no ancestor.
    """
    new, left, known, linked = list[lakefs.Commit](), {head.id}, set[str](), False
    with head.log(amount) as log:
        for commit in log:
            if commit.id not in left:
                continue
            left.discard(commit.id)
            parents = set(commit.parents)
            linked = linked or state.head in parents
            unseen = parents - known
            known |= unseen
            left |= unseen - threads.run(index.known_commits, state, unseen)
            new.append(commit)
            if not left:
                return new if linked else None
    return new if linked and not left else None
