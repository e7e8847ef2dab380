"""T11: many threads, children of a busy process, and an interpreter that ends with files open."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import lakefs_hl
from lakefs_hl.exceptions import BadRequestException
from tests.serving import Served

THREADS, CALLS = 16, 50
FORKS = 10


@pytest.fixture(params=["in process", "served"])
def branch(request: pytest.FixtureRequest) -> Iterator[lakefs_hl.Branch]:
    """`main` of a new repository; its client was not used for anything else."""
    if request.param == "served":
        served: Served = request.getfixturevalue("served_lake")
        client = lakefs_hl.Client(served.url, served.key, served.secret)
    else:
        client = lakefs_hl.Client("mem://")
    with client:
        yield lakefs_hl.repository(f"crowd-{secrets.token_hex(4)}", client=client).create().branch("main")


def work(branch: lakefs_hl.Branch, number: int, seed: str) -> dict[str, bytes]:
    """Does this and that below a prefix of its own, checks each answer, and returns what should be there."""
    dice, mine, there = random.Random(f"{seed}:{number}"), f"t{number}/", dict[str, bytes]()
    for step in range(CALLS):
        path = f"{mine}{dice.randrange(6)}"
        match dice.randrange(7):
            case 0 | 1:
                content = dice.randbytes(dice.randrange(30_000))
                assert branch.upload(content, path).size_bytes == len(content)
                there[path] = content
            case 2:
                assert branch.exists(path) == (path in there)
            case 3 if there:
                path, content = dice.choice(sorted(there.items()))
                assert branch.download(path) == content
            case 4 if there:
                path = dice.choice(sorted(there))
                branch.delete_objects(path)
                del there[path]
            case 5 if there:
                path, content = dice.choice(sorted(there.items()))
                branch.copy_object(branch, path, f"{mine}copy")
                there[f"{mine}copy"] = content
            case 6:
                assert [each.path for each in branch.list_objects(prefix=mine, delimiter="")] == sorted(there)
            case _:
                continue
        if number == 0 and step % 10 == 0:
            with contextlib.suppress(BadRequestException):  # nobody has changed anything since the last one
                branch.commit_changes(f"at {step}")
    return there


def test_sixteen_threads_share_a_client(branch: lakefs_hl.Branch, request: pytest.FixtureRequest) -> None:
    seed = request.config.option.hypothesis_seed
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda number: work(branch, number, seed), range(THREADS)))
    everything = {path: content for there in made for path, content in there.items()}
    assert [each.path for each in branch.list_objects(delimiter="")] == sorted(everything)
    for path, content in everything.items():
        assert branch.download(path) == content
    if list(branch.list_uncommitted(max_amount=1)):
        branch.commit_changes("what is left")
    assert {path: branch.pin().download(path) for path in everything} == everything


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_children_of_a_busy_process_work(branch: lakefs_hl.Branch) -> None:
    """Whatever the other threads hold at the moment of the fork, the child's first call comes back."""
    stop, failures = threading.Event(), list[BaseException]()

    def busy(number: int) -> None:
        while not stop.is_set():
            try:
                branch.upload(b"%d" % number, f"busy/{number}")
                assert branch.download(f"busy/{number}") == b"%d" % number
            except BaseException as exc:
                failures.append(exc)
                return

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for number in range(FORKS):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: that there are threads is the point
                child = os.fork()
            if child == 0:  # no assertion may escape here: the child would go on as a second pytest
                good = False
                try:
                    branch.upload(b"child", f"children/{number}")
                    good = branch.download(f"children/{number}") == b"child"
                finally:
                    os._exit(0 if good else 1)
            assert os.waitpid(child, 0)[1] == 0, f"child {number}"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(list(branch.list_objects(prefix="children/"))) == FORKS


CODE = """
import lakefs_hl, sys, threading
url, key, secret, name = sys.argv[1:]
client = lakefs_hl.Client(url, key, secret)
branch = lakefs_hl.repository(name, client=client).branch("main")
plain, text, reader = branch.open("plain", "wb"), branch.open("text", "w"), branch.open("there", "rb")
plain.write(b"half")
text.write("half")
reader.read(1)
listing = branch.list_objects()
next(listing)
threading.Thread(target=branch.download, args=("there",), daemon=True).start()
"""


def test_an_interpreter_ends_with_files_open(served_lake: Served, direct: lakefs_hl.Client) -> None:
    repository = lakefs_hl.repository(f"end-{secrets.token_hex(4)}", client=direct).create()
    branch = repository.branch("main")
    branch.upload(b"there", "there")
    told = [served_lake.url, served_lake.key, served_lake.secret, repository.id]
    ended = subprocess.run([sys.executable, "-c", CODE, *told], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Fatal" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [each.path for each in branch.list_objects()] == ["there"], "nothing that was not closed is published"
