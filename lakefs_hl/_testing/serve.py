"""The process of `lakefs_server`: a served lake that ends with the process that started it, however that one ends.

    python -m lakefs_hl._testing.serve DIRECTORY

Prints the URL and the path of lakectl's file, a line each. Standard input is the lifeline: its end stops the server.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from lakefs_hl import local
from lakefs_hl.local.serve.access import Access
from lakefs_hl.spec.errors import LakeFSException


def main(directory: str) -> None:
    """Serve a lake until standard input ends."""
    threading.Thread(target=_end_with_parent, name="lakefs_hl-lifeline", daemon=True).start()
    try:
        ended = local.run_server(directory, Access(port=0), announce=_announce)
    except LakeFSException as exc:
        sys.exit(str(exc))
    if not ended:
        os._exit(0)  # threads that are still at work would keep the interpreter; the lake survives that


def _end_with_parent() -> None:
    # unbuffered: a thread that holds the lock of a buffered reader at exit is a fatal error of the interpreter
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(started: local.Started) -> None:
    sys.stdout.write(f"{started.url}\n{started.key_file}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
