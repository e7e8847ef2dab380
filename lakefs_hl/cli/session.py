"""One run of the command: its shared options, its client and its output."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import click

from lakefs_hl.cli import shared
from lakefs_hl.cli.output import Output

if TYPE_CHECKING:
    import lakefs_hl
    from lakefs_hl.cli.addresses import Address


@dataclass
class Session:
    """The options that all commands share, and what is made from them when it is needed.

    Attributes:
        lake: Endpoint of the lake. None leaves it to the configuration.
        profile: Profile of lakectl's configuration.
        config: Configuration file of lakectl.
        given_base_uri: The option `--base-uri`.
        no_color: Whether colours are off.
        no_progress: Whether no progress is shown.
        quiet: Whether only IDs are printed, and no words.
        as_json: Whether one JSON document is printed.
        format: Format of the output. None means text.
    """

    lake: str | None = None
    profile: str | None = None
    config: str | None = None
    given_base_uri: str | None = None
    no_color: bool = False
    no_progress: bool = False
    quiet: bool = False
    as_json: bool = False
    format: str | None = None
    _clients: list[lakefs_hl.Client] = field(default_factory=list)

    @property
    def base_uri(self) -> str:
        """What relative URIs are added to."""
        from lakefs_hl.config.environment import Environment

        return self.given_base_uri if self.given_base_uri is not None else Environment()["LAKECTL_BASE_URI"]

    @cached_property
    def output(self) -> Output:
        """Where results and words go."""
        from lakefs_hl.config.environment import Environment

        environment = Environment()
        color = not self.no_color and not environment["NO_COLOR"] and environment["TERM"] != "dumb"
        return Output("json" if self.as_json else self.format or "text", quiet=self.quiet, color=color)

    @cached_property
    def client(self) -> lakefs_hl.Client:
        """The client of the lake."""
        return self.connect(self.lake)

    def connect(self, lake: str | None, *, create: bool = False) -> lakefs_hl.Client:
        """Return a client that is closed at the end of the command.

        Args:
            lake: Endpoint of the lake. None leaves it to the configuration.
            create: Whether an embedded lake is created if there is none.
        """
        import lakefs_hl
        from lakefs_hl.config.environment import config_file

        if self.profile is not None and self.config is not None:
            msg = "--profile and --config both name a configuration file: give one of them"
            raise click.UsageError(msg)
        ours = shared.CLIENT.get()
        if ours is not None and lake is self.profile is self.config is None:
            return ours
        with config_file(self.config):
            client = lakefs_hl.Client(lake, profile=self.profile, create=create)
        self._clients.append(client)
        return client

    @property
    def progress(self) -> bool | None:
        """The `progress` argument of transfers: False switches it off, None leaves it to the terminal."""
        return False if self.no_progress or self.quiet or self.output.format != "text" else None

    def repository(self, address: Address) -> lakefs_hl.Repository:
        """Return a repository."""
        import lakefs_hl

        return lakefs_hl.repository(address.repository, client=self.client)

    def branch(self, address: Address) -> lakefs_hl.Branch:
        """Return a branch."""
        return self.repository(address).branch(address.reference)

    def reference(self, address: Address) -> lakefs_hl.Reference:
        """Return a reference to read from."""
        return self.repository(address).ref(address.reference)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a question, and end the command unless the answer is yes.

        Raises:
            click.UsageError: Standard input is not a terminal.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            msg = f"{question} Answer with --yes: standard input is not a terminal"
            raise click.UsageError(msg)
        if not click.confirm(question, err=True):
            self.output.say("nothing was changed")
            raise click.exceptions.Exit(1)

    def close(self) -> None:
        """Close the clients."""
        while self._clients:
            self._clients.pop().close()


@contextlib.contextmanager
def plain_warnings(output: Output) -> Iterator[None]:
    """Print warnings as one line on standard error."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: output.warn(str(message))
        yield
