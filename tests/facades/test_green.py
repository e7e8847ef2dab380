"""Under gevent, in a process of its own: many calls at a time cooperate, and threads of ours do not wait for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from tests import serving

PATCH = {"threads are greenlets": "patch_all()", "threads are threads": "patch_all(thread=False)"}
PROGRAM = """
import gevent.monkey
gevent.monkey.{patch}
import faulthandler, sys, time
faulthandler.dump_traceback_later(60, exit=True)
import gevent
import lakefs_hl as lakefs

place = sys.argv[1]
client = None
if place.startswith("lakefs://"):
    client = lakefs.init(*sys.argv[2:])
    lakefs.repository("green").get_or_create()
files = lakefs.files(place, green=True, num_threads=32, progress=False)
names = ["%04d" % at for at in range(1500)]
files.puts((name, name.encode()) for name in names)
assert [each["content"] for each in files.get(names)] == [name.encode() for name in names]
assert list(files) == names  # several pages, fetched ahead
assert all(files.exists(names[:100]).values())

# Greenlets of the program, more than there are connections.
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.001)
clock = gevent.spawn(tick)
before = len(ticks)
jobs = [gevent.spawn(files.get, name) for name in names[:300]]
gevent.joinall(jobs, raise_error=True)
assert [job.value for job in jobs] == [name.encode() for name in names[:300]]
if place.startswith("lakefs://") and len(sys.argv) > 3:
    assert len(ticks) - before > 3, ticks  # the others ran while calls waited for the network
clock.kill()
copy = lakefs.files("mem://copy", green=True, progress=False)
assert files.transfer_to(copy).transferred == 1500
assert files.delete(names).deleted == 1500
if client is not None:
    with lakefs.repository("green").branch("main").transaction("one") as tx:
        tx.files(green=True).put("in/tx", b"1")
    client.close()
print("done")
"""


@pytest.fixture(params=PATCH)
def patch(request: pytest.FixtureRequest) -> str:
    return PATCH[str(request.param)]


def run(patch: str, *arguments: str) -> None:
    program = PROGRAM.format(patch=patch)
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.strip() == "done", done.stderr


def test_a_served_lake(patch: str, tmp_path: Path) -> None:
    with serving.running(tmp_path / "lake") as served:
        run(patch, "lakefs://green/main/data", served.url, served.key, served.secret)


def test_a_lake_in_process(patch: str, tmp_path: Path) -> None:
    run(patch, "lakefs://green/main/data", f"local:{tmp_path / 'lake'}")


def test_other_stores(patch: str, tmp_path: Path) -> None:
    run(patch, f"file://{tmp_path}/data")
    run(patch, "mem://green/data")


CAPPED = """
import gevent.monkey
gevent.monkey.{patch}
import faulthandler
faulthandler.dump_traceback_later(60, exit=True)
import gevent, gevent.pywsgi
import lakefs_hl as lakefs

running = most = 0

def app(environ, start_response):
    global running, most
    if "/objects" not in environ["PATH_INFO"]:
        start_response("403 Forbidden", [("content-type", "application/json")])
        return [b'{{"message": "no"}}']
    running += 1
    most = max(most, running)
    gevent.sleep(0.01)  # the others have their turn
    running -= 1
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"x"]

server = gevent.pywsgi.WSGIServer(("127.0.0.1", 0), app, log=None)
server.start()
branch = lakefs.Branch("example", "main", lakefs.Client(f"http://127.0.0.1:{{server.server_port}}", "key", "secret"))
jobs = [gevent.spawn(branch.download, "p%d" % at) for at in range(12)]
gevent.joinall(jobs, raise_error=True)
assert most == 2, most
print("done")
"""


def test_greenlets_of_one_thread_keep_to_the_cap_of_the_process(patch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_MAX_CONCURRENCY", "2")
    command = [sys.executable, "-W", "error", "-c", CAPPED.format(patch=patch)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.strip() == "done", done.stderr


BEHIND = """
import gevent.monkey
gevent.monkey.{patch}
import sys
import gevent
import lakefs_hl as lakefs

lakefs.init(*sys.argv[1:])
branch = lakefs.repository("behind").get_or_create().branch("main")
try:
    futures = [lakefs.background(branch.upload, b"1", "b%d" % at) for at in range(20)]
except RuntimeError as exc:
    print(exc)
    jobs = [gevent.spawn(branch.upload, b"1", "b%d" % at) for at in range(20)]
    gevent.joinall(jobs, raise_error=True)
else:
    assert all(future.result(60) for future in futures)
branch.upload(b"1", "after")
assert len(list(branch.list_objects())) == 21
print("done")
"""


def test_calls_in_the_background_share_no_connection_that_cannot_be_shared(patch: str, tmp_path: Path) -> None:
    with serving.running(tmp_path / "lake") as served:
        command = [sys.executable, "-W", "error", "-c", BEHIND.format(patch=patch)]
        command += [served.url, served.key, served.secret]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    *refused, last = done.stdout.splitlines() or [""]
    assert last == "done", done.stderr
    assert bool(refused) == (patch != "patch_all()")
    assert all("gevent.spawn" in line for line in refused)


def test_unpatched_sockets_are_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"gevent has patched.*patch_all\(\)"):
        lakefs_hl.files("mem://green", green=True)
    with pytest.raises(RuntimeError, match="patch_all"):
        lakefs_hl.Branch("example", "main").files(green=True)


def test_without_gevent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gevent", "gevent.monkey"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install gevent"):
        lakefs_hl.files("mem://green", green=True)
    assert lakefs_hl.files("mem://green", green=False).url == "mem://green/"


def test_asyncio_has_no_greenlets() -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match="do not share a thread"):
        aio.files("mem://green", green=True)
