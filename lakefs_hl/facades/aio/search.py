"""`lakefs.search`: repositories, paths, commits and metadata, by an index that is kept on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lakefs_hl import aio as lakefs
from lakefs_hl import exceptions
from lakefs_hl.facades import arguments, index, queries
from lakefs_hl.facades.aio import indexing, threads
from lakefs_hl.facades.hits import KINDS, SearchFailure, SearchHit, SearchResults
from lakefs_hl.facades.index import Index

if TYPE_CHECKING:
    from lakefs_hl.facades.index import Match
    from lakefs_hl.facades.queries import Query
    from lakefs_hl.types import SearchKind

#: Repositories that are looked at concurrently.
_WIDTH: Final = 8
#: Kind of a row -> kind of the hit.
_HITS: Final = {
    index.REPOSITORY: "repository",
    index.PATH: "path",
    index.COMMIT: "commit",
    index.OF_REPOSITORY: "metadata",
    index.OF_OBJECT: "metadata",
    index.OF_COMMIT: "metadata",
}
#: What a hit of a kind counts beside one of another that fits as well.
_WEIGHTS: Final = {"repository": 1.0, "path": 0.95, "commit": 0.9, "metadata": 0.85}
#: Whether the index is made anew, by attempt. Damage may be that another process makes it anew at this moment.
_ATTEMPTS: Final = (False, False, True, False)
#: Hits beyond any use: SQLite takes no larger numbers.
_MOST: Final = 1 << 31
#: Beginnings of commit IDs that are shorter may be words.
_SHORTEST_ID: Final = 6
_LOG: Final = logging.getLogger("lakefs_hl")


class _Place(NamedTuple):
    """A repository to search.

    Attributes:
        repository: The repository.
        listed: Whether its fields are known already.
        wanted: Whether the caller has named it, or the server has listed it. Else the index has it.
    """

    repository: lakefs.Repository
    listed: bool
    wanted: bool


class _Looked(NamedTuple):
    """What became of a repository.

    Attributes:
        name: Its name.
        error: Why it is not searched. None if it is.
        missing: Whether there is no such repository.
    """

    name: str
    error: exceptions.LakeFSException | None = None
    missing: bool = False


async def search(
    query: str,
    limit: int = 25,
    *,
    kinds: SearchKind | Iterable[SearchKind] = KINDS,
    repositories: str | lakefs.Repository | Iterable[str | lakefs.Repository] | None = None,
    client: lakefs.Client | None = None,
) -> SearchResults:
    """Search the names of repositories, and the paths, commits and metadata of their default branches.

    All words must be found in one text, in any order. Case and diacritics do not matter, `/`, `_`, `-` and `.` separate
    words, and `SensorData` is found by `sensor`, `data` and `sensordata`. The last word may be incomplete, unless a
    space follows it. `"sensor data"` in double quotes is a phrase. A path, a URI or a commit ID finds itself.

    What is committed is searched, staged changes are not. Metadata is that of repositories, objects and commits, and
    the content of each `_dataset.json`. Results are of repositories only that the credentials may read at this moment.

    The first call indexes what it searches, in a file of `client.cache_directory` that only its owner may read. Later
    calls index what has changed since. The index of an embedded lake in memory is in memory.

    Args:
        query: Words, a phrase, a path, a URI or a commit ID.
        limit: Maximum number of hits.
        kinds: What to search. Defaults to everything.
        repositories: Repositories to search, by name or as handles of this client. Defaults to all.
        client: Client to use. Defaults to the default client at the time of the call.

    Returns:
        The hits, best first. Repositories that were not searched are in `auth_errors`, if the credentials may not read
        them, or in `errors`. If more than 2,000 texts of a kind match, only 2,000 of them are compared.

    Raises:
        ValueError: The query is empty or has more than 4,096 characters, `limit` is not positive, or a kind is unknown.
        NotAuthorizedException: The server refuses the credentials.
        TransportException: The server cannot be reached.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = await branch.upload(b"1,2", "raw/SensorData.csv", metadata={"site": "Åland"})
        >>> _ = await branch.commit_changes("Add the readings of May")
        >>> [hit.uri for hit in await lakefs.search("sensor")]
        ['lakefs://example/main/raw/SensorData.csv']
        >>> [(hit.kind, hit.excerpt) for hit in await lakefs.search("aland")]
        [('metadata', 'site: Åland')]
    """
    asked = queries.read(query)
    most = arguments.integer(limit, "limit", least=1)
    chosen = _kinds(kinds)
    named = arguments.series(repositories, "repositories") if not _is_handle(repositories) else [repositories]
    lakefs.repositories(max_amount=0, client=client)  # sends nothing: now the default client exists, or is an error
    failures = list[_Looked]()
    places = list[_Place]()
    if named is not None:
        places = [_Place(_repository(each, client), listed=False, wanted=True) async for each in threads.each(named)]
        places = list({place.repository.id: place for place in places}.values())
    else:
        try:
            async for repository in lakefs.repositories(client=client):
                places.append(_Place(repository, listed=True, wanted=True))
        except exceptions.ForbiddenException as exc:
            failures.append(_Looked("", exc))
    task = _Task(asked, most, chosen, named is None and not failures, client)
    looked, matches = await task.run(places)
    return _results(task, matches, [*failures, *looked])


def _is_handle(value: object) -> bool:
    return isinstance(value, lakefs.Repository)


def _kinds(kinds: object) -> tuple[str, ...]:
    if kinds is None:
        msg = f"kinds must be one or more of {', '.join(KINDS)}, not None"
        raise TypeError(msg)
    chosen = tuple(arguments.choice(each, "kinds", KINDS) for each in arguments.series(kinds, "kinds"))
    if not chosen:
        msg = f"kinds must not be empty: give some of {', '.join(KINDS)}"
        raise ValueError(msg)
    return tuple(kind for kind in KINDS if kind in chosen)


def _repository(value: object, client: lakefs.Client | None) -> lakefs.Repository:
    """Return a repository that the caller has named. No search creates it."""
    name = value.id if isinstance(value, lakefs.Repository) else arguments.text(value, "repositories")
    return lakefs.repository(name, client=client).with_options(create_repositories=False)


class _Task:
    """One search.

    Args:
        query: The query.
        limit: Maximum number of hits.
        kinds: Kinds of hits.
        everywhere: Whether all repositories are searched, and not some that the caller has named.
        client: The client that was given.
    """

    def __init__(
        self, query: Query, limit: int, kinds: tuple[str, ...], everywhere: bool, client: lakefs.Client | None
    ) -> None:
        self.query = query
        self.limit = limit
        self.kinds = kinds
        self._everywhere = everywhere
        self._client = client

    async def run(self, places: list[_Place]) -> tuple[list[_Looked], list[Match]]:
        """Index and search. An index that is damaged is made anew, and one that cannot be used is replaced."""
        client = self._client or lakefs.DefaultClient
        path = None if client is None else await threads.run(_path, client)
        if path is not None:
            for anew in _ATTEMPTS:
                try:
                    return await self._search(await threads.run(Index(path).open, anew), places)
                except index.DamagedError as exc:
                    _LOG.info("search: the index %s is damaged, or another process makes it anew: %s", path, exc)
                except index.UnusableError as exc:
                    _warn(path, exc)
                    break
        return await self._search(await threads.run(index.in_memory, _memory_place(client)), places)

    async def _search(self, opened: Index, places: list[_Place]) -> tuple[list[_Looked], list[Match]]:
        try:
            known = await threads.run(opened.states)
            wanted = list(places)
            if self._everywhere:
                listed = {place.repository.id for place in places}
                wanted += [
                    _Place(_repository(name, self._client), listed=False, wanted=False)
                    for name in known
                    if name not in listed
                ]
            if self.query.repository is not None:
                wanted = [place for place in wanted if place.repository.id == self.query.repository]

            async def look(place: _Place) -> _Looked:
                return await _look(opened, place)

            width = max(1, min(_WIDTH, len(wanted)))
            looked = [found async for found in threads.call_many(look, wanted, width)]
            names = [found.name for found in looked if found.error is None and not found.missing]
            candidates = max(index.CANDIDATES, min(self.limit, _MOST))
            query = self.query
            return looked, await threads.run(opened.find, query.text, query.match, self.kinds, names, candidates)
        finally:
            await threads.run(opened.close)


async def _look(opened: Index, place: _Place) -> _Looked:
    """Bring the index of a repository up to date, or remove one that may not be read or does not exist."""
    name = place.repository.id
    try:
        await indexing.refresh(
            opened, place.repository, place.repository if place.listed else await place.repository.info()
        )
    except exceptions.ForbiddenException as exc:
        await threads.run(opened.forbid, name)
        return _Looked(name, exc)
    except exceptions.NotFoundException as exc:
        await threads.run(opened.remove, name)
        return _Looked(name, exc if place.wanted else None, missing=True)
    except exceptions.LakeFSException as exc:
        return _Looked(name, exc)
    return _Looked(name)


# -- the index ---------------------------------------------------------------------------------------------------------


def _path(client: lakefs.Client) -> Path | None:
    """Return the file of the index. None if it is to be in memory."""
    if client.endpoint.startswith("mem://"):
        return None
    try:
        return client.cache_directory / index.file_name(client.scope)
    except exceptions.InvalidConfigError as exc:
        _warn(None, exc)
        return None


def _memory_place(client: lakefs.Client | None) -> Any:
    """Return what an index in memory is found by. A lake in memory is not kept alive by it."""
    if client is None or client.endpoint.startswith("mem://"):
        return None if client is None else (client.endpoint, client.scope)
    return client


def _warn(path: Path | None, why: Exception) -> None:
    what = "no index is kept" if path is None else f"the index {path} cannot be used"
    _LOG.warning("search: %s, so that each process indexes again: %s", what, why)


# -- hits --------------------------------------------------------------------------------------------------------------


def _results(task: _Task, matches: list[Match], looked: list[_Looked]) -> SearchResults:
    ranked = sorted(((_rank(task.query, match), match) for match in matches), key=_order)[: task.limit]
    hits = [_hit(task.query, match, score) for score, match in ranked]
    failed = [
        (found.error, SearchFailure(found.name or None, _without_frames(found.error)))
        for found in looked
        if found.error
    ]
    denied = exceptions.ForbiddenException | exceptions.NotAuthorizedException
    return SearchResults(
        task.query.given,
        hits,
        [failure for error, failure in failed if isinstance(error, denied)],
        [failure for error, failure in failed if not isinstance(error, denied)],
    )


def _without_frames(error: Exception) -> Exception:
    """Return an error without the frames that it was raised in, which would keep their objects alive."""
    return error.with_traceback(None)


def _rank(query: Query, match: Match) -> float:
    kind = _HITS[match.kind]
    if kind == "commit" and len(query.text) >= _SHORTEST_ID and match.key.startswith(query.text.lower()):
        return _WEIGHTS[kind]
    text = match.text if kind in ("repository", "path") else queries.excerpt(query, match.text)
    return _WEIGHTS[kind] * queries.score(query, text, is_path=kind == "path")


def _order(ranked: tuple[float, Match]) -> tuple[Any, ...]:
    score, match = ranked
    return -score, match.kind, match.repository, match.key


def _hit(query: Query, match: Match, score: float) -> SearchHit:
    base = f"lakefs://{match.repository}"
    path = match.key if match.kind in (index.PATH, index.OF_OBJECT) else None
    commit = match.key if match.kind in (index.COMMIT, index.OF_COMMIT) else None
    uri = base if path is None else f"{base}/{match.branch}/{path}"
    if commit is not None:
        uri = f"{base}/{commit}"
    kind: Any = _HITS[match.kind]
    return SearchHit(kind, uri, round(score, 4), queries.excerpt(query, match.text), match.repository, path, commit)


search.__module__ = "lakefs_hl.aio"
