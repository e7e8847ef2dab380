"""Servers for tests: a new one with an embedded lake in a process of its own, or the one of `--lakefs-url`."""

from __future__ import annotations

import importlib.util
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lakefs_hl.config.environment import serving_variables
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import resolve
from lakefs_hl.exceptions import InvalidConfigError, LakeError
from lakefs_hl.local.serve import keyfile
from lakefs_hl.pytest_plugin import LakeServer
from lakefs_hl.spec.secret import KeyPair, reveal

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0


def find_server(url: str) -> LakeServer:
    """Return a server by its URL, with the credentials of the configuration.

    Raises:
        NoAuthenticationFound: The configuration has no credentials.
        InvalidConfigError: It is not the URL of a server.
    """
    settings = resolve(ClientOptions(host=url))
    if settings.in_process:
        raise InvalidConfigError(f"--lakefs-url={url}: must be the http(s):// URL of a server")
    pair = settings.credentials
    if isinstance(pair, KeyPair):
        return LakeServer(settings.endpoint, reveal(pair.access_key_id), reveal(pair.secret_access_key))
    return LakeServer(settings.endpoint)


@contextmanager
def serve(directory: Path) -> Iterator[LakeServer]:
    """Serve a new lake on a free port of the loopback while the `with` block runs.

    Args:
        directory: An empty directory for the lake and the log of the server.

    Raises:
        LakeError: The extra `serve` is not installed, or the server did not start.
    """
    missing = [name for name in ("uvicorn", "httptools") if importlib.util.find_spec(name) is None]
    if missing:
        msg = (
            f"lakefs_server: serving an embedded lake needs {' and '.join(missing)}: pip install 'lakefs-hl[serve]', "
            "or name a server with --lakefs-url"
        )
        raise LakeError(msg)
    log = directory / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - this package, by this interpreter
            [sys.executable, "-m", "lakefs_hl._testing.serve", str(directory / "lake")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=serving_variables(Path(__file__).parents[2]),
            start_new_session=True,  # Ctrl-C ends the tests first, which then delete their repositories
        )
    with process:
        try:
            yield _await_server(process, log)
        finally:
            _stop(process)


def _await_server(process: subprocess.Popen[bytes], log: Path) -> LakeServer:
    """Wait until the server answers."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    with selectors.DefaultSelector() as selector:  # `select` takes no descriptor above 1,023
        selector.register(process.stdout, selectors.EVENT_READ)
        ready = selector.select(START_SECONDS)
    lines = [process.stdout.readline().decode().strip() for _ in range(2)] if ready else []
    if not all(lines) or not lines:
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
        why = said or ("it ended" if ready else f"no response in {START_SECONDS:g} s")
        raise LakeError(f"lakefs_server: the server did not start: {why}")
    url, file = lines
    pair = keyfile.read(Path(file).parent)
    if pair is None:
        raise LakeError(f"lakefs_server: {file} is missing")
    return LakeServer(url, reveal(pair.access_key_id), reveal(pair.secret_access_key), file)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
