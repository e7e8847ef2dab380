"""Arguments that name something: `lakefs://` URIs, local paths, and `-` for the standard streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from lakefs_hl.cli.session import Session

if TYPE_CHECKING:
    ArgumentType = click.ParamType[Any]
else:
    ArgumentType = click.ParamType  # not generic in older releases

SCHEME: Final = "lakefs://"
#: What an argument has to name -> an example of it.
_EXAMPLES: Final = {
    "repository": "lakefs://example",
    "reference": "lakefs://example/main",
    "prefix": "lakefs://example/main/data/",
    "object": "lakefs://example/main/data/t.csv",
}


class Address(NamedTuple):
    """A place in the lake.

    Attributes:
        repository: Name of the repository.
        reference: A branch, tag, commit or ref expression; "" for a repository.
        path: Path of an object, or a prefix; "" for a whole reference.
    """

    repository: str
    reference: str
    path: str

    @property
    def uri(self) -> str:
        """The URI."""
        return f"{SCHEME}{self.repository}/{self.reference}/{self.path}"


class Local(NamedTuple):
    """A path of this machine, or `-`.

    Attributes:
        path: The path, as it was given.
    """

    path: str

    @property
    def uri(self) -> str:
        """The path: what names it in messages."""
        return self.path

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or output."""
        return self.path == "-"


def split_uri(text: str) -> Address:
    """Return the parts of a `lakefs://` URI."""
    repository, _, rest = text.removeprefix(SCHEME).partition("/")
    reference, _, path = rest.partition("/")
    return Address(repository, reference, path)


class LakeURI(ArgumentType):
    """A `lakefs://` URI, in full or relative to the base URI.

    Args:
        wanted: What it has to name: "repository", "reference", "prefix" or "object". A prefix may be empty.
    """

    def __init__(self, wanted: str) -> None:
        self.name = f"{wanted} URI"
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Return the parts of the URI."""
        if isinstance(value, Address):
            return value
        text = _absolute(str(value), ctx)
        if not text.startswith(SCHEME):
            self.fail(f"{value!r} is not a URI: write {_EXAMPLES[self._wanted]}", param, ctx)
        return self._check(split_uri(text), value, param, ctx)

    def _check(self, found: Address, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        fault = ""
        if not found.repository:
            fault = "has no repository"
        elif self._wanted == "repository":
            fault = "names a reference, not a repository" if found.reference else ""
        elif not found.reference:
            fault = "names a repository, and a reference is missing"
        elif self._wanted == "reference" and found.path:
            fault = "names an object, not a reference"
        elif self._wanted == "object" and not found.path:
            fault = "names a reference, and a path is missing"
        if fault:
            self.fail(f"{value!r} {fault}: write {_EXAMPLES[self._wanted]}", param, ctx)
        return found


class Place(ArgumentType):
    """A `lakefs://` URI, a local path, or `-`. Without a scheme it is a local path."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address | Local:
        """Return the parts of the URI, or the local path."""
        if isinstance(value, Address | Local):
            return value
        text = str(value)
        if text.startswith(SCHEME):
            found: Address = LakeURI("prefix").convert(text, param, ctx)
            return found
        if text.startswith(("local:", "mem:", "http:", "https:")):
            self.fail(
                f"{text!r} names a lake: give it as --lake {text}, and what is in it as {_EXAMPLES['prefix']}; "
                f"a file of this name is ./{text}",
                param,
                ctx,
            )
        if "://" in text:
            self.fail(
                f"{text!r} names another store: `fs transfer` takes it; a file of this name is ./{text}", param, ctx
            )
        if not text:
            self.fail("a path is missing", param, ctx)
        return Local(text)


class RefName(ArgumentType):
    """A reference of a repository that another argument names: by its name, or by its URI."""

    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name or the URI. A URI of something else is refused."""
        text = str(value)
        if text.startswith(SCHEME):
            LakeURI("reference").convert(text, param, ctx)
        elif not text:
            self.fail("a reference is missing", param, ctx)
        return text


def _absolute(text: str, ctx: click.Context | None) -> str:
    """Return a URI in full. What is relative is added to the base URI, as lakectl does."""
    if text.startswith(SCHEME) or ctx is None:
        return text
    base = ctx.ensure_object(Session).base_uri
    return f"{base.rstrip('/')}/{text.lstrip('/')}" if base else text
