"""The work of a transfer: blocks of objects, read from one store and written to another."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypeAlias, cast

from lakefs_hl._progress import Progress
from lakefs_hl.compression import compress, decompress
from lakefs_hl.facades import checksums, comparing
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.aio.lake import LakeStore
from lakefs_hl.facades.backends import SUFFIXES, missing_error
from lakefs_hl.facades.comparing import Verdict
from lakefs_hl.facades.items import FAILURES
from lakefs_hl.facades.jobs import Job, Taken
from lakefs_hl.facades.paths import check_path
from lakefs_hl.facades.records import Content, Entry, Outcome, Put
from lakefs_hl.facades.reports import Tally, message_of

if TYPE_CHECKING:
    from lakefs_hl.facades.aio.stores import Store

#: An object that is larger goes through a temporary file, in bytes.
LARGE: Final = 32 << 20
#: Objects that are listed at a time for a job.
LISTED: Final = 5000
#: Seconds between two looks at a job that other processes are working on.
POLL_SECONDS: Final = 0.25
#: Concurrent copies on a server.
COPIES: Final = 16
#: Why an object stays as it is.
NEWER: Final = "the destination is newer and different"


class Options(NamedTuple):
    """What a transfer does with each object.

    Attributes:
        block_size: Objects at a time.
        reencodes: Whether the encoding is changed.
        encoding: The new encoding.
        update: Whether only what is missing or older is sent.
        durable: Whether what was written survives a loss of power before it counts.
        on_server: Whether a server copies.
    """

    block_size: int
    reencodes: bool
    encoding: str | None
    update: bool
    durable: bool
    on_server: bool


class Skip(NamedTuple):
    """An object that is left as it is.

    Attributes:
        path: Its path.
        reason: Why. "" if it is equal, or was transferred before.
    """

    path: str
    reason: str


Result: TypeAlias = Outcome | Skip


class Transfer:
    """A transfer that is running.

    Args:
        source: The source.
        target: The destination.
        options: What is done with each object.
        progress: Progress of the transfer.
    """

    def __init__(self, source: Store, target: Store, options: Options, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._options = options
        self._progress = progress
        self.tally = Tally(progress)

    # -- which objects -------------------------------------------------------------------------------------------------

    async def run(self, paths: Any) -> None:
        """Transfer all objects, or those of some paths."""
        size = self._options.block_size
        if paths is None:
            async with threads.close_after(threads.batches(self._source.list(), size)) as blocks:
                async for block in blocks:
                    self._note(await self._move(block))
            return
        async with threads.close_after(threads.batches(paths, size)) as blocks:
            async for some in blocks:
                self._note(await self._move_paths(list(dict.fromkeys(check_path(path, "paths") for path in some))))

    async def run_job(self, job: Job, paths: Any) -> None:
        """Transfer what a job has, together with others that work on it, until nothing is left to do."""
        if paths is not None:
            async for batch in threads.batches(paths, LISTED):
                await threads.run(job.add_paths, [check_path(path, "paths") for path in batch])
            await threads.run(job.end_paths)
        listing: Any = None
        try:
            while True:
                if taken := await threads.run(job.take, self._options.block_size):
                    await self._move_taken(job, taken)
                elif listing is not None or (listing := await self._take_listing(job)) is not None:
                    entries = await anext(listing, None)
                    if entries is None or not await threads.run(job.add, entries):
                        await threads.run(job.end_listing, entries is None)
                        await listing.aclose()
                        listing = None
                elif (state := await threads.run(job.state)).complete:
                    break
                else:
                    await threads.pause(POLL_SECONDS)
        finally:
            if listing is not None:
                await listing.aclose()
        self.tally.add_others(state.done, await threads.run(job.failures))

    async def _take_listing(self, job: Job) -> Any:
        after = await threads.run(job.take_listing)
        return None if after is None else threads.batches(self._source.list(after=after), LISTED)

    async def _move_taken(self, job: Job, taken: list[Taken]) -> None:
        source, target, paths = self._source, self._target, [each.path for each in taken]
        retaken = frozenset(each.path for each in taken if each.retaken)
        known = all(each.size is not None for each in taken) and not retaken and not self._options.update
        if known and (source.has_suffixes or not target.has_suffixes):
            results = await self._move([Entry(each.path, each.size or 0) for each in taken])
        else:
            results = await self._move_paths(paths, retaken)
        outcomes = [(each.path, _message(each)) for each in results]
        had = await threads.run(job.finish, outcomes)
        # what another worker has taken meanwhile is counted by that one
        self._note([each for each, counts in zip(results, had, strict=True) if counts])

    def _note(self, results: Sequence[Result]) -> None:
        for each in results:
            if isinstance(each, Skip):
                self.tally.skip(each.path, each.reason)
            else:
                self.tally.write(each)

    # -- one block -----------------------------------------------------------------------------------------------------

    async def _move_paths(self, paths: list[str], retaken: frozenset[str] = frozenset()) -> list[Result]:
        """Transfer the objects of some paths."""
        found = [entry async for entry in self._source.stat_many(paths)]
        results: list[Result] = [
            Outcome(path, 0, missing_error(self._source.url, path))
            for path, entry in zip(paths, found, strict=True)
            if entry is None
        ]
        return results + await self._move([entry for entry in found if entry is not None], retaken)

    async def _move(self, entries: list[Entry], retaken: frozenset[str] = frozenset()) -> list[Result]:
        """Transfer objects. Returns what became of each, in any order."""
        unsure = dict[str, Entry]()
        results = await self._refuse(entries) + await self._skip(entries, retaken, unsure)
        settled = {each.path for each in results}
        rest = [entry for entry in entries if entry.path not in settled]
        for entry in rest:
            self._progress.start(entry.path, entry.size)
        if self._options.on_server:
            return results + await self._copy(rest)
        results += await self._send([entry for entry in rest if entry.size <= LARGE], unsure)
        for entry in rest:
            if entry.size > LARGE:
                results.append(await self._send_large(entry, unsure.get(entry.path)))
        return results

    async def _refuse(self, entries: list[Entry]) -> list[Result]:
        """Return the failures of what would get the name of another object of the source: `a` in gzip and `a.gz`."""
        if not self._target.has_suffixes or self._source.has_suffixes:
            return []
        names = {
            other: entry.path
            for entry in entries
            if (encoding := self._encoding_of(entry))
            for other in _others(entry.path, encoding)
        }
        if not names:
            return []
        results = dict[str, Result]()
        async for other in self._source.stat_many(list(names)):
            if other is not None and self._encoding_of(other) is None:
                msg = (
                    f"its file at {self._target.url} would be {other.path!r}, the name of another object of the "
                    "source; transfer them to different places, or with reencode=''"
                )
                results[names[other.path]] = Outcome(names[other.path], 0, FileExistsError(msg))
        return list(results.values())

    async def _skip(self, entries: list[Entry], retaken: frozenset[str], unsure: dict[str, Entry]) -> list[Result]:
        """Return what is left as it is. Where the content decides, the object of the destination goes into `unsure`."""
        asked = entries if self._options.update else [entry for entry in entries if entry.path in retaken]
        if not asked:
            return []
        results = list[Result]()
        found = [target async for target in self._target.stat_many([entry.path for entry in asked])]
        for entry, target in zip(asked, found, strict=True):
            changes = self._encoding_of(entry) != entry.encoding
            if not self._options.update:  # a worker that has ended may have transferred it
                verdict = Verdict.SEND if changes or not comparing.is_copy(entry, target) else Verdict.EQUAL
            else:
                verdict = comparing.compare(entry, target, changes=changes)
            if verdict is Verdict.UNSURE and target is not None:
                unsure[entry.path] = target
            elif verdict is not Verdict.SEND:
                results.append(Skip(entry.path, NEWER if verdict is Verdict.NEWER else ""))
        await self._read_md5s(unsure)
        return results

    async def _read_md5s(self, unsure: dict[str, Entry]) -> None:
        """Read objects of the destination whose MD5 is not known, or that it has compressed by itself."""
        paths = [
            path for path, target in unsure.items() if (target.md5 is None or target.automatic) and target.size <= LARGE
        ]
        if not paths:
            return
        async for content in self._target.read_many(paths):
            target = unsure[content.path]
            if content.data is not None:
                plain = decompress(content.data, target.encoding) if target.automatic else content.data
                encoding = None if target.automatic else target.encoding
                unsure[content.path] = target._replace(md5=checksums.md5(plain), encoding=encoding)

    def _encoding_of(self, entry: Entry) -> str | None:
        """Return the encoding that an object gets."""
        if self._options.reencodes:
            return self._options.encoding
        return None if entry.automatic else entry.encoding

    async def _copy(self, entries: list[Entry]) -> list[Result]:
        """Let the server copy objects."""
        source, target = cast("LakeStore", self._source), cast("LakeStore", self._target)
        copies = threads.call_many(lambda entry: target.copy_from(source, entry.path, entry.path), entries, COPIES)
        return [outcome async for outcome in copies]

    async def _send(self, entries: list[Entry], unsure: dict[str, Entry]) -> list[Result]:
        """Read objects and write them."""
        if not entries:
            return []
        results = list[Result]()
        async with threads.close_after(self._puts([entry.path for entry in entries], unsure, results)) as puts:
            async for outcome in self._target.write_many(puts, durable=self._options.durable):
                results.append(outcome)
        return [each if isinstance(each, Skip) or each.left is None else await self._clear(each) for each in results]

    async def _clear(self, outcome: Outcome) -> Outcome:
        """Delete the file that is left beside an object that was written, unless it is that of another object.

        `a.gz` is `a` in gzip as it was before, or what the source has at `a.gz`.
        """
        left = cast("str", outcome.left)
        written, other = [entry async for entry in self._source.stat_many([outcome.path, left])]
        itself = self._source.has_suffixes and written is not None and left == written.path + _suffix(written.encoding)
        if other is not None and self._encoding_of(other) is None and not itself:
            return outcome
        error = [each.error async for each in self._target.delete_many([left])][0]
        return outcome if error is None else Outcome(outcome.path, 0, error)

    async def _puts(self, paths: list[str], unsure: dict[str, Entry], results: list[Result]) -> AsyncIterator[Put]:
        """Yield what is to be written. What cannot or need not be is added to the results."""
        async for content in self._source.read_many(paths):
            if content.error is not None:
                results.append(Outcome(content.path, 0, content.error))
                continue
            try:
                put = await threads.run(self._encode, content) if self._changes(content) else self._encode(content)
            except FAILURES as exc:
                results.append(Outcome(content.path, 0, exc))
            else:
                target = unsure.get(content.path)
                if target is not None and comparing.has_content(target, put):
                    results.append(Skip(content.path, ""))
                else:
                    yield put

    def _changes(self, content: Content) -> bool:
        return content.entry is not None and self._encoding_of(content.entry) != content.entry.encoding

    def _encode(self, content: Content) -> Put:
        """Return what to write, in the encoding that it gets."""
        entry, data = cast("Entry", content.entry), cast("bytes", content.data)
        encoding = self._encoding_of(entry)
        if encoding != entry.encoding:
            data = compress(decompress(data, entry.encoding, name=entry.path), encoding)
        return self._put(entry, data)

    def _put(self, entry: Entry, data: bytes | BinaryIO) -> Put:
        stays = "" if self._options.reencodes else None  # a store may encode what has no encoding, unless that was said
        return Put(entry.path, data, entry.content_type, self._encoding_of(entry) or stays, entry.metadata, keeps=True)

    async def _send_large(self, entry: Entry, unsure: Entry | None) -> Result:
        """Transfer an object through a temporary file. To change its encoding, it has to fit in memory."""
        with tempfile.NamedTemporaryFile(prefix="lakefs-hl-") as temporary:
            file = cast("BinaryIO", temporary)
            try:
                found = await self._source.save(entry.path, file)
                file.flush()
                put = self._put(found, file)
                if self._encoding_of(found) != found.encoding:
                    file.seek(0)
                    content = Content(entry.path, await threads.run(file.read), found)
                    put = await threads.run(self._encode, content)
                if unsure is not None and await threads.run(comparing.has_content, unsure, put):
                    return Skip(entry.path, "")
            except FAILURES as exc:
                return Outcome(entry.path, 0, exc)
            outcome = await self._target.write(put, durable=self._options.durable)
            return outcome if outcome.left is None else await self._clear(outcome)


def _others(path: str, encoding: str) -> list[str]:
    """Return the names of files that would be found instead of an object in an encoding, or are its own."""
    found = [path + suffix for suffix in SUFFIXES.values()]
    return found[: found.index(path + SUFFIXES[encoding]) + 1]


def _suffix(encoding: str | None) -> str:
    return SUFFIXES[encoding] if encoding else ""


def _message(result: Result) -> str | None:
    """Return why an object failed. None if it did not."""
    if isinstance(result, Skip) or result.error is None:
        return None
    return message_of(result.error)
