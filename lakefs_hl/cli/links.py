"""`lakefs-hl fs presign`: a link to an object."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import click

from lakefs_hl.cli.addresses import Address, ArgumentType, LakeURI
from lakefs_hl.cli.session import Session
from lakefs_hl.cli.text import moment
from lakefs_hl.cli.verbs import Verb

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART: Final = re.compile(r"(\d{1,9})([smhd]?)")


class Duration(ArgumentType):
    """A time such as `90`, `15m`, `24h`, `7d` or `1h30m`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of seconds."""
        if isinstance(value, int):
            return value
        text = str(value).strip().lower()
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{value!r} is not a duration: write seconds, or 15m, 24h, 7d", param, ctx)
        return sum(int(number) * _SECONDS[unit] for number, unit in parts)


@click.command(cls=Verb)
@click.argument("uri", type=LakeURI("object"))
@click.option(
    "--expires",
    type=Duration(),
    default="1h",
    show_default=True,
    help="How long the link is valid: 15m, 24h, up to 7d.",
)
@click.option(
    "--method", type=click.Choice(["GET", "PUT"], case_sensitive=False), default="GET", help="What the link is for."
)
@click.option(
    "--via",
    type=click.Choice(["auto", "server", "gateway"]),
    default="auto",
    help="What makes the link: the server, or this command for the S3 gateway.",
)
@click.pass_obj
def presign(
    session: Session,
    uri: Address,
    expires: int,
    method: Literal["GET", "PUT"],
    via: Literal["auto", "server", "gateway"],
) -> None:
    """Print a link, with which others read or write an object without credentials.

    Anyone who has the link can use it until it expires. What is written by it is staged on the branch.
    """
    at = session.branch(uri) if method == "PUT" else session.reference(uri)
    link = at.presign(uri.path, expires, method=method, via=via)
    output = session.output
    output.record(lambda: {"uri": uri.uri, **link.to_dict()}, lambda: [output.display(link.url)], ident=link.url)
    output.say(f"valid until {moment(link.expires_at)}")
