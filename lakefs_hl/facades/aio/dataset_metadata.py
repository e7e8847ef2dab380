"""Metadata of a dataset: minted, looked up, validated, updated, and every version of it.

`_dataset.json` is the metadata. Each version of it is an object of `_dataset.history/` too, named by its number, which
is created once and never changed: to create number n is to write version n, also where it is only staged. The commit of
a version is found by the ID in both.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import arguments, schemas
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.aio.recording import DatasetPlace, Recorded, lookup_error
from lakefs_hl.facades.dataset_records import DatasetInfo, MetadataVersion, display_name
from lakefs_hl.facades.datasets import HISTORY, METADATA, SCHEMA, is_commit, sorted_versions, tag_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakefs_hl.types import Problem

#: Key of the metadata of commits: an ID that the version has too.
OP: Final = "lakefs_hl.dataset.op"
#: Key of the user metadata of `_dataset.json`: the number of its version.
STAMP: Final = "lakefs_hl-history-id"
#: Likewise: the ID of the call that minted it.
MINT: Final = "lakefs_hl-mint-id"
JSON: Final = "application/json"
#: Reason of a version that was written by other means than a dataset.
ADOPTED: Final = "Written without a reason"
#: Look-ups at a time.
WIDTH: Final = 8


class State(NamedTuple):
    """The metadata that a place has.

    Attributes:
        metadata: The metadata. None if there is no dataset.
        stamp: The number that it was written with. None if it was written by other means.
        last: The last number of the history; 0 if it is empty.
        damage: Why the metadata cannot be read. "" if it can.
    """

    metadata: Any
    stamp: int | None
    last: int
    damage: str = ""


class DatasetMetadata(DatasetPlace):
    """The part of a dataset that is about its metadata."""

    __module__ = "lakefs_hl.aio"

    async def mint(
        self,
        metadata: Mapping[str, Any],
        *,
        storage_namespace: str | None = None,
        schema: Mapping[str, Any] | bool | None = None,
    ) -> DatasetInfo:
        """Create the dataset: the repository, if it does not exist, and a commit of the metadata.

        lakeFS has no registry of identifiers: the `id` of the result names the dataset at its first commit.

        Args:
            metadata: A dictionary that JSON can store: text, numbers, True, False, None, lists and dictionaries.
            storage_namespace: Storage namespace of a new repository. Defaults to one that the server or the client
                proposes.
            schema: JSON Schema that this metadata and all later metadata has to follow. It needs the extra `datasets`.

        Returns:
            The new dataset.

        Raises:
            InvalidMetadataError: The metadata is invalid. Nothing was written.
            ConflictException: The dataset exists. Nothing was changed. Of two who mint it at once, one gets this.
            NotFoundException: The repository exists and the branch does not.
            ValueError: The schema is invalid.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> info = await ds.mint({"display_name": "Climate of 2024", "authors": ["Ada"]})
            >>> info.name, info.history_id
            ('Climate of 2024', 1)
        """
        about = f"minting {self._address.uri}"
        namespace = None if storage_namespace is None else arguments.text(storage_namespace, "storage_namespace")
        content = await threads.run(schemas.require, about, metadata, schema)
        repository, ref = self._repository, self._address.ref
        if not (ref and is_commit(ref)) and not await repository.exists():
            await repository.create(namespace, ref or "main", exist_ok=True)
        op = secrets.token_hex(16)

        async def change(place: lakefs.WriteIOBase) -> None:
            state = await self._state(place)
            if state.metadata is not None:
                await self._check_own(place, state, op, about)
                return
            number = state.last + 1
            if not await self._create(place, content, number, op):  # decides between two: nothing else is written yet
                await self._check_own(place, await self._state(place), op, about)
                return
            with _note_staged(place, f"{about}: it exists, and its history or its schema may be missing"):
                await self._add_first(place, number, content, op)
                if schema is not None:
                    await place.upload(schemas.encode(schema), self._path(SCHEMA), content_type=JSON)

        recorded = await self._record("Mint the dataset", change, {OP: op})
        try:
            return await self.info()
        except exceptions.LakeFSException as exc:
            raise lookup_error(about, recorded.commit, exc) from exc

    async def _check_own(self, place: lakefs.ReadIOBase, state: State, op: str, about: str) -> None:
        """Check that an existing dataset was minted by this call, whose response was lost."""
        if state.stamp is not None and await self._op_of(place, state.stamp) == op:
            return
        msg = f"{about}: it exists, as {display_name(state.metadata, 'a dataset')!r:.200}; update_metadata() changes it"
        raise exceptions.ConflictException(msg)

    async def info(self) -> DatasetInfo:
        """Look up the dataset: its metadata, its last commit, and its versions.

        Metadata that is staged counts. `usage` adds up how large the dataset is.

        Raises:
            NotFoundException: There is no such dataset, repository or reference.
            InvalidConfigError: The metadata is not JSON.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> info = await ds.info()
            >>> info.name, info["metadata"], info.versions
            ('Climate', {'name': 'Climate'}, ())
        """
        repository = self._repository
        with self._naming_mint():
            record = await repository.properties
        self._default = record.default_branch
        reference = await self._reference()
        state = await self._require_state(reference)
        head = await reference.get_commit()
        address = self._address._replace(ref=await self._ref_id())
        default = address.prefix[:-1].rpartition("/")[2] or address.repository
        return DatasetInfo(
            address.id_at(head.id),
            address.uri,
            display_name(state.metadata, default),
            state.metadata,
            head.id,
            state.stamp,
            datetime.fromtimestamp(record.creation_date, UTC),
            head.creation_date,
            await self._version_names(),
            await self._schema(reference),
        )

    async def fetch(self) -> DatasetInfo:
        """Look up the dataset. Same as `info`."""
        return await self.info()

    async def _version_names(self) -> tuple[str, ...]:
        """Return the names of the versions, which a listing of the tags has."""
        before = tag_prefix(self._prefix)
        with self._naming_mint():
            names = [tag.id[len(before) :] async for tag in self._repository.list_tags(prefix=before)]
        return sorted_versions(names)

    async def validate_metadata(self, payload: Any, schema: Mapping[str, Any] | bool | None = None) -> list[Problem]:
        """Check metadata, and write nothing.

        Args:
            payload: The metadata.
            schema: JSON Schema to check it by, of the draft that its `$schema` names; of draft 2020-12 if it names
                none. It needs the extra `datasets`. No other document is fetched: what `$ref` refers to has to be part
                of the schema. Defaults to the schema of the dataset; if it has none, or does not exist, metadata has to
                be a dictionary that JSON stores exactly.

        Returns:
            The problems; [] if the metadata is valid.

        Raises:
            ValueError: The schema is invalid.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> await ds.validate_metadata({"name": "Climate", "area": float("nan")})
            [Problem(path='$.area', message='JSON has no nan', value=nan)]
        """
        if schema is None:
            try:
                schema = await self._schema(await self._reference())
            except exceptions.NotFoundException:
                schema = None
        return await threads.run(schemas.check, payload, schema)

    async def _schema(self, place: lakefs.ReadIOBase) -> Any:
        """Return the schema of the dataset. None if it has none."""
        try:
            return await self._read_json(place, SCHEMA)
        except exceptions.ObjectNotFoundException:
            return None

    async def update_metadata(self, reason: str, payload: Mapping[str, Any]) -> MetadataVersion:
        r"""Replace the metadata, by a commit. The data is not touched.

        Uncommitted changes of the branch stay as they are. A commit would take them along, and lakeFS merges nothing
        into a branch that has some: there the new metadata is staged beside them. Readers of the branch have it at
        once, `metadata_history` has it with its reason, and the next commit commits it. `commit` of the result is None
        then.

        Args:
            reason: Why. It is the message of the commit.
            payload: The new metadata, all of it.

        Returns:
            The new version of the metadata. Two updates at once are two versions.

        Raises:
            InvalidMetadataError: The metadata is invalid, or does not follow the schema of the dataset. Nothing was
                written.
            NotFoundException: There is no such dataset.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> version = await ds.update_metadata("Add a licence", {"name": "Climate", "licence": "CC-BY-4.0"})
            >>> version.history_id, version.reason
            (2, 'Add a licence')
        """
        reason = checked_reason(reason)
        about = f"updating the metadata of {self._address.uri}"
        await threads.run(schemas.require, about, payload)
        schema = await self._schema(await self._reference())
        content = await threads.run(schemas.require, about, payload, schema)

        async def new(_: lakefs.ReadIOBase) -> Any:
            return content

        return await self._replace(reason, new)

    async def revert_metadata(self, history_id: int, reason: str) -> MetadataVersion:
        """Bring back an earlier version of the metadata, by a commit. The data is not touched.

        It becomes a new version: the history is kept. Uncommitted changes are treated as by `update_metadata`.

        Args:
            history_id: Number of the version, as `metadata_history` has it.
            reason: Why. It is the message of the commit.

        Returns:
            The new version of the metadata.

        Raises:
            NotFoundException: There is no such version, or no such dataset.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> _ = await ds.update_metadata("Rename", {"name": "Wether"})
            >>> version = await ds.revert_metadata(1, "That was a mistake")
            >>> version.history_id, version.metadata
            (3, {'name': 'Climate'})
        """
        wanted = arguments.integer(history_id, "history_id", least=1)

        async def old(place: lakefs.ReadIOBase) -> Any:
            try:
                entry = await self._read_json(place, _entry(wanted))
            except exceptions.ObjectNotFoundException:
                last = (await self._state(place)).last
                msg = (
                    f"reverting the metadata of {self._address.uri}: there is no version {wanted}; "
                    f"metadata_history() has those from 1 to {last}"
                )
                raise exceptions.NotFoundException(msg) from None
            return self._entry_of(entry, wanted)["metadata"]

        return await self._replace(checked_reason(reason), old)

    async def metadata_history(self) -> list[MetadataVersion]:
        """Return the versions of the metadata, the first one first.

        What was written by other means than a dataset gets its number when the metadata is updated the next time.

        Raises:
            NotFoundException: There is no such dataset.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> _ = await ds.update_metadata("Rename", {"name": "Weather"})
            >>> [(version.history_id, version.reason) for version in await ds.metadata_history()]
            [(1, 'Mint the dataset'), (2, 'Rename')]
        """
        reference = await self._reference()
        await self._require_state(reference)
        written = dict[int, datetime]()
        async for row in reference.list_objects(prefix=self._path(HISTORY), recursive=True):
            number = self._number(row.path)
            if number is not None and isinstance(row, lakefs.ObjectInfo):
                written[number] = row.modified_time
        commits = dict[str, lakefs.Commit]()
        async for commit in reference.log(prefixes=self._path(HISTORY)):
            if op := (await commit.metadata()).get(OP):
                commits.setdefault(op, commit)

        async def version(number: int) -> MetadataVersion:
            entry = self._entry_of(await self._read_json(reference, _entry(number)), number)
            commit = commits.get(entry.get("op", ""))
            if commit is None:  # it was staged, and committed by others, or not yet
                path = self._path(_entry(number))
                found = [each async for each in reference.log(1, objects=path)]
                commit = found[0] if found else None
            when = written[number] if commit is None else commit.creation_date
            who, made = (None, None) if commit is None else (commit.committer, commit.id)
            return MetadataVersion(number, made, entry.get("reason", ""), who, when, entry["metadata"])

        return [found async for found in threads.call_many(version, sorted(written), WIDTH)]

    # -- how it is stored ----------------------------------------------------------------------------------------------

    async def _replace(self, reason: str, metadata: threads.Change[lakefs.ReadIOBase, Any]) -> MetadataVersion:
        """Add a version of the metadata."""
        op = secrets.token_hex(16)
        content: Any = None

        async def change(place: lakefs.WriteIOBase) -> int:
            nonlocal content
            content = await metadata(place)
            return await self._push(place, content, reason, op)

        recorded = await self._record(reason, change, {OP: op})
        try:
            commit, who, when = await self._origin(recorded)
        except exceptions.LakeFSException as exc:
            raise lookup_error(f"changing the metadata of {self._address.uri}", recorded.commit, exc) from exc
        return MetadataVersion(recorded.value, commit, reason, who, when, content)

    async def _origin(self, recorded: Recorded[int]) -> tuple[str | None, str | None, datetime]:
        """Return the commit of a version of the metadata, who made it and when."""
        if recorded.commit is None:
            row = await (await self._reference()).stat_object(self._path(_entry(recorded.value)))
            return None, None, row.modified_time
        merge = await self._repository.commit(recorded.commit).get_commit()
        commit = await self._repository.commit(merge.parents[-1]).get_commit()
        return commit.id, commit.committer, commit.creation_date

    async def _push(self, place: lakefs.WriteIOBase, content: Any, reason: str, op: str) -> int:
        """Write the next version of the metadata to a transaction, or to a branch. Returns its number."""
        state = await self._require_state(place, readable=False)
        last = state.last
        if await self._is_foreign(place, state):
            last += 1
            await self._add(place, last, state.metadata, ADOPTED, secrets.token_hex(16))
        number = last + 1
        await self._add(place, number, content, reason, op)
        path = f"{place.uri}{self._path(_entry(number))}"
        with _note_staged(place, f"version {number} of the metadata is staged as {path}, and may not be in effect"):
            await self._set(place, content, number)
            if isinstance(place, lakefs.Branch):
                await self._set_latest(place, number)
        return number

    async def _set_latest(self, place: lakefs.Branch, number: int) -> None:
        """Write the last version again, where several stage at a time: the last number has the last word.

        Every writer looks for a later number after that, so the last one to write has found none.
        """
        while (latest := await self._last(place, number)) > number:
            number = latest
            entry = self._entry_of(await self._read_json(place, _entry(number)), number)
            await self._set(place, entry["metadata"], number)

    async def _is_foreign(self, place: lakefs.ReadIOBase, state: State) -> bool:
        """Return whether the metadata is none of the versions of the history, and could become one."""
        if state.damage:
            return False
        if state.stamp is None or state.stamp > state.last:
            return True
        try:
            entry = await self._read_json(place, _entry(state.stamp))
        except exceptions.ObjectNotFoundException:
            return True  # others have deleted it
        return not schemas.same(self._entry_of(entry, state.stamp)["metadata"], state.metadata)

    async def _op_of(self, place: lakefs.ReadIOBase, number: int) -> Any:
        """Return the ID of the call that wrote a version. None if there is no such version."""
        try:
            entry = await self._read_json(place, _entry(number))
        except exceptions.ObjectNotFoundException:
            return None
        return entry.get("op") if isinstance(entry, dict) else None

    async def _add(self, place: lakefs.WriteIOBase, number: int, content: Any, reason: str, op: str) -> None:
        entry = {"metadata": content, "reason": reason, "op": op}
        path = self._path(_entry(number))
        try:
            await place.upload(schemas.encode(entry), path, content_type=JSON, if_none_match=True)
        except exceptions.ObjectExistsException:
            if await self._op_of(place, number) != op:
                raise  # else it is ours: the response was lost

    async def _add_first(self, place: lakefs.WriteIOBase, number: int, content: Any, op: str) -> None:
        """Add the version of metadata that was just minted."""
        try:
            await self._add(place, number, content, "Mint the dataset", op)
        except exceptions.ObjectExistsException:  # an update has found the metadata without a version, and added it
            if not schemas.same((await self._read_json(place, _entry(number))).get("metadata"), content):
                raise

    async def _set(self, place: lakefs.WriteIOBase, content: Any, number: int) -> None:
        data, stamp = schemas.encode(content), {STAMP: str(number)}
        await place.upload(data, self._path(METADATA), content_type=JSON, metadata=stamp)

    async def _create(self, place: lakefs.WriteIOBase, content: Any, number: int, op: str) -> bool:
        """Write the first metadata. Returns False if another one did so just now."""
        path, stamp = self._path(METADATA), {STAMP: str(number), MINT: op}
        try:
            await place.upload(schemas.encode(content), path, content_type=JSON, metadata=stamp, if_none_match=True)
        except exceptions.ObjectExistsException:  # it is ours if the response was lost
            return (await place.stat_object(path)).metadata.get(MINT) == op
        return True

    async def _state(self, place: lakefs.ReadIOBase) -> State:
        """Return the metadata that a place has."""
        last = await self._last(place, 0)
        try:
            row, content = await _read_with_record(place, self._path(METADATA))
            metadata = self._json_of(place, self._path(METADATA), content)
        except exceptions.ObjectNotFoundException:
            return State(None, None, last)
        except exceptions.InvalidConfigError as exc:
            return State({}, None, last, str(exc))
        if problems := schemas.check(metadata):
            where = f"{place.uri}{self._path(METADATA)} is no metadata of a dataset"
            said = f"{problems[0].path:.200}: {problems[0].message:.300}"
            return State({}, None, last, f"{where}: {said}; update_metadata() writes it again")
        stamp = row.metadata.get(STAMP, "")
        return State(metadata, int(stamp) if stamp.isdecimal() and stamp.isascii() else None, last)

    async def _require_state(self, place: lakefs.ReadIOBase, *, readable: bool = True) -> State:
        """Return the metadata of a dataset.

        Args:
            place: Where to look.
            readable: Whether damaged metadata is an error.

        Raises:
            NotFoundException: There is no dataset.
            InvalidConfigError: The metadata is damaged.
        """
        with self._naming_mint():
            state = await self._state(place)
        if state.metadata is None:
            msg = (
                f"{self._address.uri} is no dataset: {place.uri}{self._path(METADATA)} does not exist; "
                "mint(metadata) creates it"
            )
            raise exceptions.NotFoundException(msg)
        if state.damage and readable:
            raise exceptions.InvalidConfigError(state.damage)
        return state

    async def _last(self, place: lakefs.ReadIOBase, number: int) -> int:
        """Return the last number of the history, which is known to have one."""
        before = self._path(HISTORY)
        after = self._path(_entry(number))
        async for row in place.list_objects(after=after, prefix=before, recursive=True):
            number = max(number, self._number(row.path) or 0)
        return number

    def _number(self, path: str) -> int | None:
        """Return the number of an object of the history. None if it is another one."""
        name = path[len(self._path(HISTORY)) :].removesuffix(".json")
        number = int(name) if name.isdecimal() and name.isascii() else 0
        return number if number and self._path(_entry(number)) == path else None

    def _entry_of(self, entry: Any, number: int) -> dict[str, Any]:
        if isinstance(entry, dict) and "metadata" in entry:
            return entry
        msg = f"{self._address.uri}: {self._path(_entry(number))} is no version of metadata; restore it, or delete it"
        raise exceptions.InvalidConfigError(msg)


def _entry(number: int) -> str:
    """Return the name of a version in the history."""
    return f"{HISTORY}{number:08}.json"


@contextmanager
def _note_staged(place: lakefs.WriteIOBase, done: str) -> Iterator[None]:
    """Say in an error what is done already, where it is not rolled back."""
    try:
        yield
    except exceptions.LakeFSException as exc:
        if isinstance(place, lakefs.Branch):
            exc.args, exc.maybe_applied = (f"{exc}; {done}",), True
        raise


async def _read_with_record(place: lakefs.ReadIOBase, path: str) -> tuple[lakefs.ObjectInfo, bytes]:
    """Return the record and the content of an object, both of the same version of it.

    lakeFS has no request for both. Between two, another one may have replaced it.
    """
    row = await place.stat_object(path)
    while True:
        content = await place.download(path)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == row.checksum:
            return row, content
        before, row = row, await place.stat_object(path)
        if (before.checksum, before.metadata) == (row.checksum, row.metadata):
            return row, content  # its checksum is no MD5


def checked_reason(reason: object) -> str:
    """Return a reason, checked.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty.
    """
    found = arguments.text(reason, "reason")
    if not found.strip():
        msg = "reason must say why: it is the message of the commit"
        raise ValueError(msg)
    return found
