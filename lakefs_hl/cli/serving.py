"""`lakefs-hl serve LAKE`: serve a lake over the REST API of lakeFS, on this machine."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any

from lakefs_hl import local
from lakefs_hl.config.environment import serve_keys
from lakefs_hl.spec.secret import reveal


def add(commands: Any) -> None:
    """Add the command."""
    made = commands.add_parser(
        "serve",
        help="serve a lake over the REST API of lakeFS",
        description=(
            "Serve a lake over the REST API of lakeFS. A lake that does not exist is created. The key pair is "
            "generated at the first start, or taken from LAKEFS_HL_SERVE_ACCESS_KEY_ID and "
            "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY, and is written to LAKE/lakectl.yaml. Ctrl-C and SIGTERM stop it."
        ),
    )
    made.add_argument("lake", metavar="LAKE", help="directory of the lake")
    made.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    made.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 picks a free one (default: %(default)s)"
    )
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the lake until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    keys = serve_keys()
    local.run_server(
        options.lake,
        host=options.host,
        port=options.port,
        keys=(keys.access_key_id, reveal(keys.secret_access_key)) if keys is not None else None,
        announce=_announce,
    )
    return 0


def _announce(started: local.Started) -> None:
    print(f"Serving {started.folder} at {started.url}", flush=True)
    print(f"Keys: {started.key_file} (LAKECTL_CONFIG_FILE={started.key_file})", flush=True)
