# Generated from lakefs_hl/facades/aio/dataset_versions.py by tools/unasync.py: change that, not this.
"""Versions of a dataset: tags of commits, and going back to one."""

from __future__ import annotations

import secrets
from typing import Final

import lakefs_hl as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import schemas
from lakefs_hl.facades._sync import threads
from lakefs_hl.facades._sync.dataset_metadata import OP, WIDTH, DatasetMetadata, checked_reason
from lakefs_hl.facades._sync.recording import lookup_error
from lakefs_hl.facades.dataset_records import DatasetVersion
from lakefs_hl.facades.datasets import (
    HISTORY,
    METADATA,
    check_version_name,
    number_of,
    tag_prefix,
)

#: How often the next number is tried that others were faster with.
TRIES: Final = 30
#: Deletions per request.
DELETES: Final = 1000


class DatasetVersions(DatasetMetadata):
    """The part of a dataset that is about its versions."""

    __module__ = "lakefs_hl"

    def version(self, reason: str, *, name: str | None = None) -> DatasetVersion:
        """Make a version of the dataset as it is now, uncommitted changes included.

        It is a commit and a tag. Uncommitted changes of the branch become part of the commit: all of them, because
        lakeFS commits a branch as a whole. The version exists when the call returns, so there is no job to wait for.

        Args:
            reason: Why. It is the message of the commit.
            name: Name of the version: letters, digits, and `_`, `-`, `+` and dots between them. Defaults to `v1`, `v2`
                and so on. Two who version a dataset at once get two numbers.

        Returns:
            The version. Its tag has the name. In the tag of a dataset under a prefix, the prefix comes first, with dots
            for slashes, and `=`: that of `v1` under `climate/2024/` is `climate.2024=v1`.

        Raises:
            ConflictException: There is a version of this name, or a branch that has the name of the tag.
            NotFoundException: There is no such dataset.
            LakeFSException: The commit was made and could not be tagged: then `maybe_applied` is True, and the message
                names the commit.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = ds.mint({"name": "Climate"})
            >>> _ = lakefs.repository("climate").branch("main").upload(b"1,2", "a.csv")
            >>> version = ds.version("First measurements")
            >>> version.name, version.reason
            ('v1', 'First measurements')
            >>> lakefs.repository("climate").tag("v1").download("a.csv")
            b'1,2'
        """
        reason = checked_reason(reason)
        wanted = None if name is None else check_version_name(name)
        branch, before = self._branch(), tag_prefix(self._prefix)
        self._require_state(branch)
        if wanted is not None and self._is_taken(before + wanted):
            raise self._taken(before + wanted)
        found = wanted or self._next_name()  # before the commit: what fails here has changed nothing
        commit = self._commit_all(branch, reason)
        for _ in range(TRIES):
            try:
                if self._tag(before + found, commit):
                    return self._version_of(before + found, commit)
                if wanted is not None:
                    raise self._taken(before + wanted, commit.id)
                found = self._next_name(int(found[1:]) + 1)
            except exceptions.LakeFSException as exc:
                if exc.maybe_applied is not True:
                    self._note_commit(exc, before + found, commit)
                raise
        error = exceptions.ConflictException(
            f"making a version of {self._address.uri}: {TRIES} numbers were taken by others; commit {commit.id} is kept"
        )
        error.maybe_applied = True
        raise error

    def _is_taken(self, tag: str) -> bool:
        if self._repository.tag(tag).exists():
            return True
        try:
            return self._repository.branch(tag).exists()
        except exceptions.BadRequestException:
            return False  # no branch can have this name

    def _taken(self, tag: str, commit: str | None = None) -> exceptions.ConflictException:
        rest = "" if commit is None else f"; commit {commit} was made and is not tagged"
        error = exceptions.ConflictException(
            f"making a version of {self._address.uri}: a tag or a branch {tag!r} exists; choose another name{rest}"
        )
        error.maybe_applied = commit is not None
        return error

    def _note_commit(self, exc: exceptions.LakeFSException, tag: str, commit: lakefs.Commit) -> None:
        """Say in an error that the commit of the version was made."""
        made = f"making a version of {self._address.uri}: commit {commit.id} was made, and it may not be tagged {tag!r}"
        exc.args = (f"{made}: {exc}; create the tag at this commit, or make another version",)
        exc.maybe_applied = True

    def _tag(self, tag: str, commit: lakefs.Commit) -> bool:
        """Create a tag at a commit of this call. Returns False if a tag or a branch has its name."""
        found = self._repository.tag(tag)
        try:
            found.create(commit.id)
        except exceptions.ConflictException:
            # It is that of this call if the response was lost: only this call makes a version of this commit.
            return found.exists() and found.get_commit() == commit
        return True

    def _commit_all(self, branch: lakefs.Branch, reason: str) -> lakefs.Commit:
        """Commit the branch, also without changes. On a protected branch, there are none."""
        try:
            return branch.commit_changes(reason, on_empty="commit")
        except exceptions.ForbiddenException:
            if branch.list_uncommitted(1).to_list():
                raise
        with branch.transaction(reason, delete_on_error=True, on_empty="commit") as tx:
            pass
        return self._repository.commit(str(tx.merge_commit_id)).get_commit()

    def _next_name(self, least: int = 1) -> str:
        numbers = [number_of(name) or 0 for name in self._version_names()]
        return f"v{max(least, max(numbers, default=0) + 1)}"

    def _version_of(self, tag: str, commit: lakefs.Commit) -> DatasetVersion:
        return DatasetVersion(
            tag[len(tag_prefix(self._prefix)) :],
            tag,
            commit.id,
            commit.message,
            commit.creation_date,
            commit.committer,
            self._address.id_at(commit.id),
        )

    def versions(self) -> list[DatasetVersion]:
        """Return the versions: `v1`, `v2` and so on, then those with other names.

        They are the tags of the repository that have such a name, no matter who made them. Those of a dataset under a
        prefix begin with the prefix, and only those are its versions.

        Raises:
            NotFoundException: There is no such repository.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = ds.mint({"name": "Climate"})
            >>> _ = ds.version("First measurements")
            >>> _ = ds.version("As published", name="paper")
            >>> [version.name for version in ds.versions()]
            ['v1', 'paper']
        """
        before = tag_prefix(self._prefix)

        def look(name: str) -> DatasetVersion | None:
            try:
                commit = self._repository.tag(before + name).get_commit()
            except exceptions.NotFoundException:
                return None  # it was deleted meanwhile
            return self._version_of(before + name, commit)

        found = [each for each in threads.call_many(look, self._version_names(), WIDTH)]
        return [each for each in found if each is not None]

    def revert_to(self, version: str | DatasetVersion, reason: str) -> lakefs.Commit:
        """Give the dataset the content of a version, by a new commit: objects, types, metadata and deletions.

        No data passes through this machine. The metadata of the dataset becomes that of the version, as a new version
        of the metadata. What is kept: versions that were made later, and the history of the metadata.

        Args:
            version: A version, or its name.
            reason: Why. It is the message of the commit.

        Returns:
            The commit; the last commit of the branch, if nothing differed.

        Raises:
            TransactionStartError: The branch has uncommitted changes: commit them, by `version` for example.
            NotFoundException: There is no such version, or no such dataset.
            ValueError: The version is one of another dataset.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = ds.mint({"name": "Climate"})
            >>> branch = lakefs.repository("climate").branch("main")
            >>> _ = branch.upload(b"1,2", "a.csv")
            >>> _ = ds.version("First measurements")
            >>> _ = branch.upload(b"", "a.csv", commit_message="A mistake")
            >>> ds.revert_to("v1", "The sensor was off").message
            'The sensor was off'
            >>> branch.download("a.csv")
            b'1,2'
        """
        reason = checked_reason(reason)
        source = self._source(version)
        op = secrets.token_hex(16)

        def change(place: lakefs.WriteIOBase) -> None:
            self._restore_data(place, source)
            wanted = self._require_state(source).metadata
            state = self._require_state(place, readable=False)
            if state.damage or not schemas.same(state.metadata, wanted):
                self._push(place, wanted, reason, op)

        recorded = self._record(reason, change, {OP: op}, stages=False)
        try:
            return self._repository.ref(recorded.commit or self._ref_id()).get_commit()
        except exceptions.LakeFSException as exc:
            raise lookup_error(f"reverting {self._address.uri}", recorded.commit, exc) from exc

    def _source(self, version: str | DatasetVersion) -> lakefs.Reference:
        """Return the commit of a version."""
        repository = self._repository
        if isinstance(version, DatasetVersion):
            if version.id != self._address.id_at(version.commit):
                msg = f"version is {version.id}, which is no version of {self._address.uri}"
                raise ValueError(msg)
            return repository.commit(version.commit)
        name = check_version_name(version, "version")
        tag = repository.tag(tag_prefix(self._prefix) + name)
        with self._naming_mint():
            exists = tag.exists()
        if not exists:  # the commit of a name that no tag has may be that of a branch
            msg = f"{self._address.uri} has no version {name!r}; versions() has them all"
            raise exceptions.NotFoundException(msg)
        return repository.commit(tag.get_commit().id)

    def _restore_data(self, place: lakefs.WriteIOBase, source: lakefs.Reference) -> None:
        """Give a transaction the objects of a version, on the server.

        What only grows is left alone, that of a dataset inside of this one too.
        """
        here = self._repository.ref(place.id)
        gone, wanted = list[str](), list[str]()
        for change in here.diff(source, prefix=self._prefix, delimiter="", type="two_dot"):
            below = "/" + change.path[len(self._prefix) :]
            if f"/{HISTORY}" not in below and below != f"/{METADATA}":
                (gone if change.type == "removed" else wanted).append(change.path)

        def copy(path: str) -> None:
            place.copy_object(source, path)

        for _ in threads.call_many(copy, wanted, WIDTH):
            pass
        if gone:
            place.delete_objects(gone)
