"""`lakefs-hl fs transfer`: between any two stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

from lakefs_hl.cli.addresses import SCHEME
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.transfers import finish
from lakefs_hl.cli.verbs import Verb, no_progress, parallelism

#: What `--compression` is -> `reencode` of the call.
_ENCODINGS: Final[dict[str, str | None]] = {"same": None, "none": "", "gzip": "gzip", "br": "br", "zstd": "zstd"}
_URL: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


@click.command(cls=Verb)
@click.argument("source")
@click.argument("destination")
@click.option(
    "-c",
    "--compression",
    type=click.Choice(list(_ENCODINGS)),
    default="same",
    help="Encoding of the objects at the destination.",
)
@click.option("-b", "--block-size", type=click.IntRange(min=1), default=64, help="Maximum number of objects in memory.")
@click.option("-u", "--update", is_flag=True, help="Transfer only what is newer or missing.")
@click.option("--job", metavar="FILE", help="Keep what is done in a file: resume it, and share it between processes.")
@parallelism
@no_progress
@click.pass_obj
def transfer(
    session: Session,
    source: str,
    destination: str,
    compression: str,
    block_size: int,
    update: bool,
    job: str | None,
    parallelism: int | None,
) -> None:
    """Copy objects from one store to another: lakes, local directories, s3:// and other URLs that fsspec opens.

    SOURCE and DESTINATION are URLs, of which everything under them is meant, or local directories. The credentials of
    s3:// and others are those of their own configuration.
    """
    import lakefs_hl

    ends = [_place(source), _place(destination)]
    clients = [session.client if end.startswith(SCHEME) else None for end in ends]
    try:
        report = lakefs_hl.transfer(
            *ends,
            job=job,
            block_size=block_size,
            reencode=_ENCODINGS[compression],
            update=update,
            max_workers=parallelism,
            on_error="return",
            progress=session.progress,
            src_client=clients[0],
            dst_client=clients[1],
        )
    except ValueError as exc:  # such as a URL that means nothing, or places that overlap
        raise click.UsageError(str(exc)) from exc
    except ImportError as exc:
        raise click.ClickException(str(exc)) from exc
    finish(session, report)


def _place(text: str) -> str:
    """Return a URL. Without a scheme it is a local directory."""
    if not text:
        msg = "a URL or a directory is missing"
        raise click.UsageError(msg)
    return text if _URL.match(text) else Path(text).resolve().as_uri()
