"""What a transfer would do: its actions, as a file, and as a table in a notebook."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec

from lakefs_hl import _html as html
from lakefs_hl._bulk.arguments import local_path
from lakefs_hl._handles.amounts import count_text, size_text
from lakefs_hl._handles.records import public
from lakefs_hl.spec import arguments
from lakefs_hl.spec.uri import object_uri

ActionKind: TypeAlias = Literal["upload", "download", "skip", "delete"]
KINDS: Final = ("upload", "download", "skip", "delete")
#: Number of actions that a notebook shows.
SHOWN: Final = 20
_FORMAT: Final = "lakefs-hl plan"
_VERSION: Final = 1


class Action(NamedTuple):
    """What is done with one object.

    Attributes:
        kind: `upload`, `download`, `skip` or `delete`.
        path: Path of the object; of a `delete` of a download, the local path.
        size: Size in bytes.
        reason: Why it is skipped, if it differs; else "".
        mtime_ns: Modification time of the local file when the plan was made, in nanoseconds. None if there was none.
        checksum: Checksum of the object when the plan was made. None if there was none, or it was not looked up.
        modified: Modification time that the local file of a download gets, in Unix seconds. None for everything else.
    """

    kind: ActionKind
    path: str
    size: int
    reason: str = ""
    mtime_ns: int | None = None
    checksum: str | None = None
    modified: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


public(Action, "lakefs_hl.types")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The transfer that a plan is of.

    Attributes:
        direction: "upload" or "download".
        endpoint: Endpoint of the lake.
        repository_id: Name of the repository.
        reference_id: The branch that is written, or the reference that is read.
        prefix: The prefix, "" or with a slash at its end.
        directory: The local directory, as an absolute path.
        arguments: The arguments of the call that apply needs again, by name.
        format: What the file is.
        version: Version of its form.
    """

    direction: Literal["upload", "download"]
    endpoint: str
    repository_id: str
    reference_id: str
    prefix: str
    directory: str
    arguments: dict[str, Any]
    format: str = _FORMAT
    version: int = _VERSION

    @property
    def source(self) -> str:
        """Where objects come from."""
        return self.directory if self.direction == "upload" else self.uri

    @property
    def destination(self) -> str:
        """Where objects go to."""
        return self.uri if self.direction == "upload" else self.directory

    @property
    def uri(self) -> str:
        """The prefix as a URI."""
        return object_uri(self.repository_id, self.reference_id, self.prefix)


class PlanFields:
    """A plan, in either colour.

    Args:
        task: The transfer.
        actions: What it does, in the order of the paths.
        client: The client.
    """

    def __init__(self, task: Task, actions: tuple[Action, ...], client: Any = None) -> None:
        self._task = task
        self._actions = actions
        self._given = client

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is done, in the order of the paths."""
        return self._actions

    @property
    def source(self) -> str:
        """Where objects come from: a URI or a local directory."""
        return self._task.source

    @property
    def destination(self) -> str:
        """Where objects go to: a URI or a local directory."""
        return self._task.destination

    def count(self, kind: str) -> int:
        """Return the number of actions of a kind: `upload`, `download`, `skip` or `delete`."""
        wanted = arguments.choice(kind, "kind", KINDS)
        return sum(action.kind == wanted for action in self._actions)

    @property
    def size_bytes(self) -> int:
        """Number of bytes to transfer."""
        return sum(action.size for action in self._actions if action.kind in ("upload", "download"))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return {
            "source": self.source,
            "destination": self.destination,
            "size_bytes": self.size_bytes,
            "actions": [action.to_dict() for action in self._actions],
        }

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the plan to a local file, as lines of JSON. `load` reads it.

        Args:
            file: Path of the file, which is replaced if it exists.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(local_path(file, "file"))
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        try:
            with draft.open("xb") as stream:
                stream.writelines(self._lines())
            draft.replace(target)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise

    def _lines(self) -> Iterator[bytes]:
        yield msgspec.json.encode(self._task) + b"\n"
        for action in self._actions:
            yield msgspec.json.encode(action) + b"\n"

    @classmethod
    def _read(cls, file: str | os.PathLike[str], client: Any) -> Self:
        """Read a plan that was saved.

        Raises:
            ValueError: The file is no plan, or of a later release.
        """
        with Path(local_path(file, "file")).open("rb") as stream:
            try:
                task = msgspec.json.decode(stream.readline(), type=Task)
                if task.format != _FORMAT:
                    raise msgspec.ValidationError("another format")
                if task.version != _VERSION:
                    msg = f"{os.fspath(file)!r} is a plan of version {task.version}; this release reads {_VERSION}"
                    raise ValueError(msg)
                actions = tuple(msgspec.json.decode(line, type=Action) for line in stream)
            except msgspec.DecodeError as exc:
                msg = f"{os.fspath(file)!r} is not a plan that was written by save(): {exc}"
                raise ValueError(msg) from None
        return cls(task, actions, client)

    def _summary(self) -> list[str]:
        counts = {kind: self.count(kind) for kind in ("upload", "download", "delete", "skip")}
        size, moves = f" ({size_text(self.size_bytes)})", ("upload", "download")
        return [f"{kind} {count:,}{size if kind in moves else ''}" for kind, count in counts.items() if count]

    def __len__(self) -> int:
        return len(self._actions)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PlanFields)
            and type(self) is type(other)
            and (self._task, self._actions) == (other._task, other._actions)
        )

    __hash__ = None  # type: ignore[assignment]  # as of a list: it may be long

    def __repr__(self) -> str:
        if "_task" not in self.__dict__:
            return "<Plan>"
        return f"<Plan {self.source} -> {self.destination}: {', '.join(self._summary()) or 'nothing to do'}>"

    def _repr_html_(self) -> str:
        title = html.describe("Plan", f"{self.source} → {self.destination}")
        summary = html.table({"plan": ", ".join(self._summary()) or "nothing to do"})
        changes = [action for action in self._actions if action.kind != "skip" or action.reason]
        if not changes:
            return title + summary
        shown = changes[:SHOWN]
        beginning = "all" if len(shown) == len(changes) else f"the first {len(shown)}"
        note = f"{beginning} of {count_text(len(changes), 'action')}"
        rows = [[action.kind, action.path, size_text(action.size), action.reason] for action in shown]
        return title + summary + html.listing("Actions", note, ["kind", "path", "size", "reason"], rows, tint="kind")


class Expected:
    """The actions of a plan while it is applied: what has changed since is not done.

    Args:
        actions: The actions by path.
        compared: Whether objects were looked up for the plan, so that one without a checksum did not exist.
    """

    def __init__(self, actions: Mapping[str, Action], *, compared: bool = False) -> None:
        self._planned = actions
        self._left = dict(actions)
        self._compared = compared

    def problem(self, now: Action) -> str | None:
        """Return why an action is not done. None if it is what was planned, or was done already."""
        self._left.pop(now.path, None)
        action = self._planned.get(now.path)
        if action is None:
            return "it is not in the plan"
        if now.kind == "skip" and not now.reason:
            return None  # both are equal: by an earlier run of the plan, or by others
        if action.kind != now.kind:
            return f"it was planned to {action.kind} it, and now that would be to {now.kind} it"
        if action.checksum != now.checksum and (self._compared or action.checksum is not None):
            return "the object has changed since the plan was made"
        if (action.mtime_ns, action.size) != (now.mtime_ns, now.size):
            return "the local file has changed since the plan was made"
        return None

    def rest(self) -> Iterator[Action]:
        """Yield the planned changes that were not asked for."""
        for action in self._left.values():
            if action.kind != "skip":
                yield action
