"""A process that writes to a lake until it is killed, and says on a pipe what it is about to do and what was done.

Each line is one JSON list: "?" and what comes next, then "!" and what came of it. A line that was read was written
before the kill, so what follows a "!" was acknowledged, and at most one "?" per writer is without its answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import traceback
from pathlib import Path
from typing import Any

from lakefs_hl.local.disk import database, fs
from lakefs_hl.local.engine import Engine, bulk, commits, records
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException

REPOSITORY = "repo"
#: Paths that one writer keeps writing to on the shared branch.
PATHS = 30
#: Entries of one load.
LOADED = 500


def body(name: str, number: int) -> bytes:
    """What a writer's n-th object holds: small as a rule, one in eight too large for the database."""
    dice = random.Random(f"{name}:{number}")
    return dice.randbytes(dice.randrange(17_000, 200_000) if number % 8 == 0 else dice.randrange(2000))


class Writer:
    """One writer's life.

    Args:
        folder: The lake.
        name: Distinct among the writers; its paths begin with it.
        say: Descriptor of the pipe.
        dice: What decides the next step.
        number: From which its objects are numbered: none is written twice.
    """

    def __init__(self, folder: Path, name: str, say: int, dice: random.Random, number: int) -> None:
        self.engine = Engine.open(folder)
        self.name = name
        self._say = say
        self._dice = dice
        self._number = number

    def say(self, *words: Any) -> None:
        os.write(self._say, json.dumps(words).encode() + b"\n")

    def put(self, branch: str, path: str) -> None:
        self._number += 1
        self.say("?", "put", branch, path, self._number)
        data = body(self.name, self._number)
        self.engine.objects.put(REPOSITORY, branch, path, data)
        self.say("!")

    def delete(self, branch: str, path: str) -> None:
        self.say("?", "delete", branch, path)
        self.engine.objects.delete(REPOSITORY, branch, path)
        self.say("!")

    def commit(self, branch: str) -> None:
        self.say("?", "commit", branch)
        try:
            creation = models.CommitCreation(f"by {self.name}")
            commit = self.engine.commits.commit(REPOSITORY, branch, creation, who=self.name)
        except BadRequestException:  # the other writer's commit has taken our changes along
            self.say("!", None)
        else:
            self.say("!", commit.id)

    def feature(self) -> None:
        """A branch, some objects, a commit, a merge into a branch of our own, a tag, and the branch removed."""
        self._number += 1
        branch, own = f"feature-{self.name}-{self._number}", f"own-{self.name}"
        self.say("?", "branch", branch)
        self.engine.branches.create(REPOSITORY, models.BranchCreation(branch, own))
        self.say("!")
        for index in range(self._dice.randrange(1, 6)):
            self.put(branch, f"{self.name}/{branch}/{index}")
        self.commit(branch)
        self.say("?", "merge", branch, own)
        merged = self.engine.merges.merge(REPOSITORY, branch, own, models.Merge(), who=self.name)
        self.say("!", merged)
        self.say("?", "tag", f"tag-{branch}", merged)
        self.engine.tags.create(REPOSITORY, models.TagCreation(f"tag-{branch}", merged))
        self.say("!")
        self.say("?", "drop", branch)
        self.engine.branches.delete(REPOSITORY, branch, False)
        self.say("!")

    def load(self) -> None:
        """Many entries at once, as an import brings them; they name objects outside the lake."""
        self._number += 1
        own, folder = f"own-{self.name}", f"{self.name}/load-{self._number}"
        self.say("?", "load", own, folder, self._number)
        data = body(self.name, self._number)
        etag = hashlib.md5(data, usedforsecurity=False).digest()
        entry = records.write_entry(records.make_entry("local:///elsewhere", len(data), etag, 1, None, None, 1))
        items = [(f"{folder}/{index:04d}".encode(), entry) for index in range(LOADED)]
        with self.engine.lake.read(REPOSITORY) as snapshot:
            repo = snapshot.repo
        creation = models.ImportCreation([], models.CommitCreation("load"))
        self.say("!", self.engine.imports.load(repo, own, items, [], creation, who=self.name).hex())

    def live(self) -> None:
        """Writes for ever."""
        while True:
            path = f"{self.name}/{self._dice.randrange(PATHS)}"
            step = self._dice.random()
            if step < 0.7:
                self.put("main", path)
            elif step < 0.8:
                self.delete("main", path)
            elif step < 0.9:
                self.commit("main")
            elif step < 0.99:
                self.feature()
            else:
                self.load()


def start(folder: Path, name: str, dice: random.Random, number: int, die_at: tuple[str, int] | None) -> tuple[int, int]:
    """Forks a writer; gives its process number and the pipe to read from.

    Args:
        folder: The lake, not open in this process.
        name: The writer's.
        dice: Its dice.
        number: Where its objects' numbers begin.
        die_at: A failpoint's name and the how-manieth passing of it kills the process.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        os.close(read)
        database.LONG_LOG = 64  # so that checkpoints are part of every life
        vars(bulk)["BATCH"] = 4000  # and so that loads write their nodes in several transactions
        if name == "b":
            vars(commits)["SMALL"] = 5  # most commits of this one are sealed first, as large ones are
        if die_at is not None:
            _die_at(*die_at)
        Writer(folder, name, write, dice, number).live()
    except BaseException:  # whatever it is, the parent must hear of it
        os.write(write, json.dumps(["E", traceback.format_exc()]).encode() + b"\n")
    finally:
        os._exit(3)


def _die_at(point: str, times: int) -> None:
    left = times

    def hook(reached: str) -> None:
        nonlocal left
        if reached == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    fs.hook = hook
