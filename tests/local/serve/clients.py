"""Clients of a served lake, each on a thread and a connection of its own, until the server is gone: without retries."""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from tests.faults.writer import body
from tests.local.serve.ledger import REPOSITORY, Committed, Ledger, Version

#: Paths that a writer keeps writing to.
PATHS = 12
PLACE = f"/api/v1/repositories/{REPOSITORY}"


class Gone(Exception):
    """There was no response."""


class Refused(Exception):
    """The response is an error."""

    def __init__(self, status: int, text: bytes) -> None:
        super().__init__(status, text[:300])
        self.status = status


class Connection:
    """One connection.

    Args:
        url: The server's.
        key: Access key and secret.
    """

    def __init__(self, url: str, key: tuple[str, str]) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        self._headers = {"authorization": "Basic " + base64.b64encode(":".join(key).encode()).decode()}

    def ask(self, method: str, path: str, data: Any = b"", key: str = "") -> bytes:
        """Send one request and return the body of its response.

        Raises:
            Gone: There was no response, or half of one.
            Refused: It is an error.
        """
        headers = dict(self._headers)
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
            headers["content-type"] = "application/json"
        if key:
            headers["idempotency-key"] = key
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            found = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Gone from error
        if response.status >= 300:
            raise Refused(response.status, found)
        return found

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class Crowd:
    """All clients of one life of a server.

    Args:
        url: The server's.
        key: Access key and secret.
        ledger: Is told of what they do.
        dice: What they do.
        failing: Whether the server may answer 5xx: then nothing of the request was done, or all of it.
    """

    def __init__(
        self, url: str, key: tuple[str, str], ledger: Ledger, dice: random.Random, *, failing: bool = False
    ) -> None:
        self._url, self._key, self._ledger, self._failing = url, key, ledger, failing
        jobs: dict[str, Callable[[Connection, random.Random], None]] = {
            "a": lambda connection, dice: self._write(connection, dice, "a"),
            "b": lambda connection, dice: self._write(connection, dice, "b"),
            "deleter": self._delete,
            "committer": self._commit,
            "merger": self._merge,
        }
        self._threads = [
            threading.Thread(target=self._run, args=(job, random.Random(dice.random())), name=name)
            for name, job in jobs.items()
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have noticed that the server is gone."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), thread.name

    def _run(self, job: Callable[[Connection, random.Random], None], dice: random.Random) -> None:
        connection = Connection(self._url, self._key)
        try:
            while True:
                try:
                    job(connection, dice)
                except Refused as error:
                    if not (self._failing and error.status >= 500):
                        raise
        except Gone:
            return
        except Exception:  # the test fails with it
            self._ledger.odd.append(f"{threading.current_thread().name}: {traceback.format_exc()}")
        finally:
            connection.close()

    # ------------------------------------------------------------------------------------------------------- the jobs

    def _put(self, connection: Connection, branch: str, path: str, name: str, number: int) -> Version:
        version = self._ledger.send(branch, path, (name, number))
        connection.ask("POST", f"{PLACE}/branches/{branch}/objects?path={quote(path)}", body(name, number))
        self._ledger.acknowledge(version)
        return version

    def _read(self, connection: Connection, branch: str, path: str) -> None:
        """What was acknowledged can be read at once."""
        version = self._ledger.latest(branch, path)
        try:
            found = connection.ask("GET", f"{PLACE}/refs/{branch}/objects?path={quote(path)}")
        except Refused as error:
            if error.status != 404 or version.data is not None:
                raise
        else:
            assert version.data is not None, f"{branch}:{path} was deleted, and can be read"
            assert found == body(*version.data), f"{branch}:{path} has other bytes"

    def _write(self, connection: Connection, dice: random.Random, name: str) -> None:
        path = f"{name}/{dice.randrange(PATHS)}"
        self._put(connection, "main", path, name, self._ledger.number())
        if dice.random() < 0.3:
            self._read(connection, "main", path)

    def _delete(self, connection: Connection, dice: random.Random) -> None:
        """Puts some objects, and deletes them: one by one, or at once."""
        paths = [f"d/{number}" for number in dice.sample(range(PATHS), 3)]
        for path in paths:
            self._put(connection, "main", path, "d", self._ledger.number())
        versions = []
        if dice.random() < 0.5:
            versions = [self._ledger.send("main", path, None) for path in paths]
            connection.ask("POST", f"{PLACE}/branches/main/objects/delete", {"paths": paths})
        else:
            versions = [self._ledger.send("main", paths[0], None)]
            connection.ask("DELETE", f"{PLACE}/branches/main/objects?path={quote(paths[0])}")
        self._ledger.acknowledge(*versions)
        for path in paths:
            self._read(connection, "main", path)

    def _settle(self, connection: Connection, commit: Committed, path: str, data: dict[str, Any]) -> str | None:
        """Sends the request of a commit or merge; gives its ID, None if there was nothing to commit."""
        try:
            found = json.loads(connection.ask("POST", path, data, commit.message if commit.repeats else ""))
        except Refused as error:
            if error.status != 400 or "no changes" not in str(error):
                raise
            found = {}
        made: str | None = found.get("id", found.get("reference"))
        self._ledger.settle_commit(commit, made)
        return made

    def _again(self, connection: Connection, branch: str) -> list[Committed]:
        """Repeats, under their keys, requests of the life before that had no response."""
        again = [one for one in self._ledger.commits if one.repeats and one.branch == branch]
        for commit in again:
            versions = []
            if branch == "trunk":
                versions = [self._ledger.send(branch, path, self._ledger.made[path]) for path in commit.brings]
                source = commit.message.removeprefix("merge-")
                path, data = _merge_request(source, commit.message)
            else:
                path, data = f"{PLACE}/branches/{branch}/commits", {"message": commit.message}
            self._settle(connection, commit, path, data)
            self._ledger.acknowledge(*versions)
            commit.repeats = False
        return again

    def _commit(self, connection: Connection, _dice: random.Random) -> None:
        self._again(connection, "main")
        commit = self._ledger.begin_commit(f"commit-{self._ledger.number()}", "main", repeats=True)
        made = self._settle(connection, commit, f"{PLACE}/branches/main/commits", {"message": commit.message})
        commit.repeats = False
        if made is not None:
            self._release(connection, commit, made)

    def _release(self, connection: Connection, commit: Committed, made: str) -> None:
        """Merges a commit into a branch that only gets merges: it must then hold what the commit holds."""
        merge = self._ledger.begin_commit(f"release-{self._ledger.number()}", "release")
        merge.sent, merge.fixed, merge.holds = commit.sent, True, dict(commit.holds)
        path = f"{PLACE}/refs/{made}/merge/release"
        self._settle(connection, merge, path, {"message": merge.message})

    def _merge(self, connection: Connection, dice: random.Random) -> None:
        """A branch, some objects, a commit, a merge, a tag, and the branch removed."""
        ledger = self._ledger
        self._again(connection, "trunk")
        branch = f"feature-{ledger.number()}"
        ledger.branches[branch] = None
        connection.ask("POST", f"{PLACE}/branches", {"name": branch, "source": "trunk"})
        ledger.branches[branch] = True
        ledger.count()
        made: dict[str, tuple[str, int]] = {}
        for index in range(dice.randrange(1, 4)):
            number = ledger.number()
            path = f"m/{branch}/{index}"
            made[path] = ("m", number)
            self._put(connection, branch, path, "m", number)
        ledger.made.update(made)
        commit = ledger.begin_commit(f"on-{branch}", branch)
        self._settle(connection, commit, f"{PLACE}/branches/{branch}/commits", {"message": commit.message})
        holds: dict[str, set[str | None]] = {path: {ledger.latest(branch, path).value} for path in made}
        versions = [ledger.send("trunk", path, data) for path, data in made.items()]
        merge = ledger.begin_commit(f"merge-{branch}", "trunk", holds, repeats=True)
        found = self._settle(connection, merge, *_merge_request(branch, merge.message))
        ledger.acknowledge(*versions)
        merge.repeats = False
        commit.branch = "trunk"  # whose log has it from now on
        assert found is not None
        ledger.tags[f"tag-{branch}"] = (found, False)
        connection.ask("POST", f"{PLACE}/tags", {"id": f"tag-{branch}", "ref": found})
        ledger.tags[f"tag-{branch}"] = (found, True)
        ledger.count()
        ledger.forget(branch)
        connection.ask("DELETE", f"{PLACE}/branches/{branch}")
        ledger.branches[branch] = False
        ledger.count()


def _merge_request(source: str, message: str) -> tuple[str, dict[str, Any]]:
    return f"{PLACE}/refs/{source}/merge/trunk", {"message": message}
