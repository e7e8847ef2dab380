"""Memory of a client: T10's client half of the failure model. Each piece of work has a process of its own.

What is measured is the highest resident memory during the work, less that before it. The server is another process.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lakefs_hl
from tests.serving import Served, start, stop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MIB = 1 << 20
SIZE = 128 * MIB
LINE = b"a line of sixty-four bytes, as many as the file has room for...\n"
OBJECTS = 200_000
#: Directories, files in each, and their size: as much as a large object, so that keeping them all would be seen.
PARTS, PART = 16, 8 * MIB

PROGRAM = """
import re, sys
from pathlib import Path
import lakefs_hl as lakefs

url, key, secret, work, folder = sys.argv[1:]
branch = lakefs.repository("memory", client=lakefs.Client(url, key, secret)).branch("main")
folder = Path(folder)
branch.stat_object("warm")
branch.upload_many((f"warm/{number}", b"x") for number in range(100))
branch.download_many([f"warm/{number}" for number in range(100)])


def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10


Path("/proc/self/clear_refs").write_text("5")  # the highest so far is what there is now
before, count = most(), 0
match work:
    case "upload_file":
        count = branch.upload_file(folder / "large", "uploaded").size_bytes
    case "upload an iterable":
        block = bytes(1 << 20)
        count = branch.upload((block for _ in range(128)), "iterable").size_bytes
    case "write":
        with branch.open("written", "wb") as file:
            for _ in range(128):
                count += file.write(bytes(1 << 20))
    case "download to a file":
        branch.download("large", folder / "downloaded")
        count = (folder / "downloaded").stat().st_size
    case "download_file":
        branch.download_file("large", folder / "verified")
        count = (folder / "verified").stat().st_size
    case "read a range of it":
        for start in range(0, 128 << 20, 8 << 20):
            count += len(branch.download("large", start=start, end=start + (8 << 20)))
    case "stream":
        with branch.stream("large") as chunks:
            for chunk in chunks:
                count += len(chunk)
    case "read by lines":
        with branch.open("large", "rb") as file:
            for line in file:
                count += len(line)
    case "read text by lines":
        with branch.open("large", "r") as file:
            for line in file:
                count += len(line)
    case "upload_dir":
        count = branch.upload_dir(folder / "parts", "parts").bytes
    case "download_dir":
        count = branch.download_dir("parts", folder / "copy").bytes
    case "list":
        for entry in branch.list_objects(prefix="many/", recursive=True):
            count += 1
    case "usage":
        count = branch.usage("many/").object_count
    case "glob":
        for entry in branch.glob("many/**/*"):
            count += 1
print(count, most() - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("memory")
    with (found / "large").open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(LINE * (MIB // len(LINE)))
    for number in range(PARTS):
        (found / "parts").mkdir(exist_ok=True)
        with (found / "parts" / f"{number:03}").open("wb") as file:
            file.write(number.to_bytes(8) * (PART // 8))
    with lakefs_hl.Client(f"local:{found}/lake") as client:
        branch = lakefs_hl.repository("memory", client=client).create().branch("main")
        branch.upload(b"", "warm")
        branch.upload_file(found / "large", "large")
        branch.upload_dir(found / "parts", "parts")
        branch.upload_many((f"many/{number // 1000:03}/{number:06}", b"") for number in range(OBJECTS))
        branch.commit_changes("what is read")
    return found


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    found = start(folder / "lake")
    yield found
    stop(found)


@pytest.mark.parametrize(
    ("work", "amount", "mebibytes"),
    [
        ("upload_file", SIZE, 32),
        ("upload an iterable", SIZE, 32),
        ("write", SIZE, 32),
        ("download to a file", SIZE, 32),
        ("download_file", SIZE, 32),
        ("read a range of it", SIZE, 32),
        ("stream", SIZE, 32),
        ("read by lines", SIZE, 32),
        ("read text by lines", SIZE, 32),
        ("upload_dir", PARTS * PART, 98),  # 32, and a block of 1 MiB for each of up to 64 requests
        ("download_dir", PARTS * PART, 98),
        ("list", OBJECTS, 30),
        ("usage", OBJECTS, 30),
        ("glob", OBJECTS, 30),
    ],
)
def test_memory_does_not_grow_with_the_data(
    folder: Path,
    served: Served,
    work: str,
    amount: int,
    mebibytes: int,
) -> None:
    command = [sys.executable, "-c", PROGRAM, served.url, served.key, served.secret, work, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    count, growth = (int(word) for word in done.stdout.split())
    assert count == amount
    assert growth < mebibytes * MIB, f"{work}: {growth / MIB:.1f} MiB more"
