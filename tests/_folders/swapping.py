"""An attacker who replaces a directory by a link, for the tests of races."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from lakefs_hl._folders.tree import Tree


def swap(root: Path, swaps: int, enough: threading.Event, done: threading.Event) -> None:
    """Replace `d` by a link to a directory outside, and back. The tree may create `d` in between: then that is next.

    Args:
        root: The directory of `d`.
        swaps: How often, at least.
        enough: Whether the one that is attacked has met links often enough.
        done: Set at the end.
    """
    made = tries = 0
    try:
        while made < swaps or not enough.is_set():
            tries += 1
            with suppress(OSError):
                os.rename(root / "d", root / f"moved-{tries}")
                os.symlink("../outside", root / "d")
                made += 1
                os.unlink(root / "d")
                os.rename(root / f"moved-{tries}", root / "d")
    finally:
        done.set()


def write_under_attack(base: Path, *, swaps: int) -> None:
    """Write, continue and remove files while their directory is swapped for a link, and check the place outside.

    Args:
        base: An empty directory.
        swaps: How often it is swapped, at least.
    """
    root, outside = base / "root", base / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"precious")
    enough, done = threading.Event(), threading.Event()
    written = refused = 0
    with Tree(root) as tree:
        tree.write("d/first", b"")
        attacker = threading.Thread(target=swap, args=(root, swaps, enough, done), daemon=True)
        attacker.start()
        while not done.is_set():
            for call in (
                lambda: tree.write("d/e/new", b"escaped"),
                lambda: tree.write("d/kept", b"overwritten"),
                lambda: tree.resume("d/kept", "etag", 9).keep(),
                lambda: tree.remove("d/kept"),
                lambda: tree.remove_empty("d/e"),
            ):
                tree.directories.close()  # so that each directory is opened anew
                try:
                    call()
                    written += 1
                except OSError:  # the directory is a link at this moment, or away
                    refused += 1
            if written > 20 and refused > 20:
                enough.set()
        attacker.join()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"kept": b"precious"}
