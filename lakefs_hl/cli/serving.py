"""`lakefs-hl serve LAKE`: serve a lake over the REST API of lakeFS."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

from lakefs_hl import local
from lakefs_hl.config.environment import serve_keys
from lakefs_hl.local.serve.access import DEFAULT, Access
from lakefs_hl.spec.secret import reveal

_GIB: Final = 1 << 30


def add(commands: Any, help_: str) -> None:
    """Add the command."""
    made = commands.add_parser(
        "serve",
        help=help_,
        description=(
            "Serve a lake over the REST API of lakeFS. A lake that does not exist is created. The key pair is "
            "generated at the first start, or taken from LAKEFS_HL_SERVE_ACCESS_KEY_ID and "
            "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY, and is written to LAKE/lakectl.yaml. Ctrl-C and SIGTERM stop it."
        ),
    )
    made.add_argument("lake", metavar="LAKE", help="directory of the lake")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument(
        "--port", type=int, default=8000, help="port to listen on; 0 picks a free one (default: %(default)s)"
    )
    made.add_argument(
        "--import-root",
        action="append",
        default=[],
        metavar="DIRECTORY",
        help="allow imports of local files from below this directory; may be repeated (default: no imports)",
    )
    made.add_argument(
        "--max-upload",
        type=_gibibytes,
        default=DEFAULT.largest,
        metavar="GIB",
        help="largest upload in GiB (default: 5)",
    )
    made.add_argument(
        "--presign",
        action="store_true",
        help="give clients pre-signed URLs and links, with which others read and write objects without credentials",
    )
    made.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let web pages of this origin, such as https://app.example, use links (CORS); * for any page, which still "
        "needs a link; may be repeated (default: none). Needs --presign",
    )
    remote = made.add_argument_group("other machines", "all of these are needed for a --host beyond the loopback")
    remote.add_argument("--allow-remote", action="store_true", help="listen on an address that other machines reach")
    remote.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name or address that clients use, also as NAME:PORT; may be repeated",
    )
    remote.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain in PEM format")
    remote.add_argument("--tls-key", type=Path, metavar="FILE", help="private key of the certificate in PEM format")
    remote.add_argument("--insecure", action="store_true", help="send credentials and data in clear text instead")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the lake until Ctrl-C or SIGTERM."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    keys = serve_keys()
    ended = local.run_server(
        options.lake,
        Access(
            options.host,
            options.port,
            options.allow_remote,
            tuple(options.allowed_host),
            options.tls_cert,
            options.tls_key,
            options.insecure,
            options.max_upload,
            tuple(options.allow_origin),
        ),
        import_roots=options.import_root,
        presign=options.presign,
        keys=(keys.access_key_id, reveal(keys.secret_access_key)) if keys is not None else None,
        announce=_announce,
    )
    if not ended:
        print("lakefs-hl serve: requests that took too long were abandoned", file=sys.stderr, flush=True)
        os._exit(0)  # otherwise the interpreter would wait for their threads; the lake survives that as it does a crash
    return 0


def _gibibytes(text: str) -> int:
    number = float(text)
    if not 0 < number < 1 << 20:
        raise ValueError(text)
    return int(number * _GIB)


def _announce(started: local.Started) -> None:
    print(f"Serving {started.folder} at {started.url}", flush=True)
    print(f"Keys: {started.key_file} (LAKECTL_CONFIG_FILE={started.key_file})", flush=True)
