"""A served lake for tests: the real command in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml


class Served(NamedTuple):
    """A running server.

    Attributes:
        url: Its address.
        key: Its access key.
        secret: Its secret.
        process: The server itself.
        folder: Directory of its lake.
    """

    url: str
    key: str
    secret: str
    process: subprocess.Popen[str]
    folder: Path


def start(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    descriptors: int | None = None,
) -> Served:
    """Start `lakefs-hl serve` on a free port, and wait until it prints its address.

    Args:
        folder: Directory of the lake.
        environ: Variables to add to the environment.
        arguments: Further arguments.
        descriptors: Limit of open files of the process, which it cannot raise.
    """
    command = [sys.executable, "-m", "lakefs_hl", "serve", str(folder), "--port", "0", *arguments]
    if descriptors is not None:
        command = ["/bin/sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environ or {})},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line.startswith("Serving "):
        process.kill()
        _, errors = process.communicate()
        raise AssertionError(f"the server did not start: {line!r} {errors}")
    process.stdout.readline()
    found = yaml.safe_load((folder / "lakectl.yaml").read_text(encoding="utf-8"))
    credentials = found["credentials"]
    url = line.rsplit(" ", 1)[1].strip()
    assert url == found["server"]["endpoint_url"]
    return Served(url, credentials["access_key_id"], credentials["secret_access_key"], process, folder)


def stop(served: Served, number: int = signal.SIGTERM) -> tuple[int, str]:
    """Stop the server. Returns its exit code and its stderr."""
    served.process.send_signal(number)
    _, errors = served.process.communicate(timeout=30)
    return served.process.returncode, errors


@contextlib.contextmanager
def running(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    descriptors: int | None = None,
) -> Iterator[Served]:
    """A server for the length of a block."""
    served = start(folder, environ, arguments, descriptors)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            stop(served)
