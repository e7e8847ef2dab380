"""Tiles of an image, as CloudFiles users store them, in a lake: versions, many files at a time, ranges, transfers.

    python examples/cloudfiles.py            # in memory
    python examples/cloudfiles.py ./lake     # in a directory that stays

Runs without a server. `lakefs.init()` without arguments, with LAKECTL_SERVER_ENDPOINT_URL and a key pair, takes one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator

import lakefs_hl as lakefs
from lakefs_hl.compression import transcode

SIZE = 64


def tiles(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each tile."""
    for x in range(count):
        for y in range(count):
            yield f"{x * SIZE}-{y * SIZE}", bytes([x, y]) * 512


def main(place: str) -> None:
    """Store tiles, read some of them, correct one, and compare the versions."""
    lakefs.init(place)
    branch = lakefs.repository("tiles").get_or_create().branch("main")
    cf = branch.files("image", compress="gzip", progress=False)

    # many files at a time, from a generator that is read as far as files are under way
    report = cf.puts(tiles(10), total=100)
    cf.put_json("info", {"size": [640, 640], "tile": SIZE})
    branch.commit_changes("100 tiles", on_empty="skip")
    raw = sum(len(content) for _, content in tiles(10))
    print(f"{report.transferred} tiles, {report.bytes:,} bytes stored of {raw:,}")

    # by name, by range, and the first ones
    print(cf["64-128", 0:4], cf.get("64-128") == bytes([1, 2]) * 512, cf.get("missing"), len(cf[:25]))
    print(cf.get_json("info"))
    corners = cf.get([{"path": f"{x * SIZE}-0", "start": 0, "end": 2} for x in range(3)])
    print([each["content"] for each in corners])

    # a version does not change while others write
    before = branch.pin().files("image")
    cf["0-0"] = b"corrected"
    print(cf["0-0"], len(before.get("0-0") or b""))
    branch.commit_changes("one tile corrected", on_empty="skip")
    print([commit.message for commit in branch.log(2)])

    # another encoding, and another place
    cf.puts(transcode(cf.get(["0-0", "0-64"], raw=True), "gzip"))
    with tempfile.TemporaryDirectory() as directory:
        copy = lakefs.files(f"file://{directory}/image", progress=False)
        print(f"{cf.transfer_to(copy).transferred} files copied, {copy.subtree_size()['num_bytes']:,} bytes")
        print(copy["0-0"])


if __name__ == "__main__":
    main(f"local:{sys.argv[1]}" if len(sys.argv) > 1 else "mem://")
