"""The extension for IPython and Jupyter: `%load_ext lakefs_hl`.

It adds the line magic `%lakefs`, which runs a command of `lakefs-hl`, and the cell magic `%%lakefs_transaction`, which
runs a cell in a transaction.
"""

from __future__ import annotations

import ast
import codecs
import contextlib
import io
import shlex
import sys
from collections.abc import Iterator
from typing import Any, Final

import lakefs_hl
from lakefs_hl.cli import main, shared

USAGE: Final = "usage: %%lakefs_transaction REPOSITORY BRANCH -m MESSAGE [--name tx]"
_MAGICS: Final = (("line", "lakefs"), ("cell", "lakefs_transaction"))
_ABSENT: Final = object()


class MagicError(Exception):
    """A magic that failed. IPython shows its message in place of a traceback.

    Attributes:
        exit_code: Exit code of the command, as the table of the command line has it.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class _Bytes(io.RawIOBase):
    """What a command writes, as text of a cell. A part of a character waits for the rest."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes, and return their number."""
        self._stream.write(self._decoder.decode(bytes(data)))
        return len(data)


@contextlib.contextmanager
def _output() -> Iterator[None]:
    """Give commands a standard output with a buffer of bytes, which that of a kernel has not."""
    stream = sys.stdout
    if hasattr(stream, "buffer"):
        yield
        return
    with io.TextIOWrapper(io.BufferedWriter(_Bytes(stream)), "utf-8", write_through=True) as output:
        with contextlib.redirect_stdout(output):
            yield
        output.flush()


def lakefs(line: str) -> None:
    """Run a command of `lakefs-hl` in this process: `%lakefs log lakefs://example/main`.

    The lake is that of the default client, unless the command names one by `--lake`, `--profile` or `--config`.
    Variables are put in by IPython: `{name}`. `%lakefs --help` lists the commands.

    Args:
        line: The arguments.

    Raises:
        MagicError: The command ended with another exit code than 0.
    """
    arguments = shlex.split(line)
    with _output(), _client_of_the_session():
        code = main(arguments)
    if code:
        msg = f"lakefs {shlex.join(arguments)}: exit code {code}"
        raise MagicError(msg, code)


@contextlib.contextmanager
def _client_of_the_session() -> Iterator[None]:
    """Let commands that name no lake use the default client."""
    token = shared.CLIENT.set(lakefs_hl.DefaultClient)
    try:
        yield
    finally:
        shared.CLIENT.reset(token)


class Magics:
    """The cell magic, on a shell.

    Args:
        shell: The shell of IPython.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def lakefs_transaction(self, line: str, cell: str) -> None:
        """Run a cell in a transaction: `%%lakefs_transaction example main -m "Add prices"`.

        The name `tx` is the transaction while the cell runs. At its end, it is committed and merged. If the cell
        raises, nothing of it is on the branch.

        Args:
            line: The repository, the branch, the message, and optionally `--name` for another name than `tx`.
            cell: The code.

        Raises:
            MagicError: The line cannot be read.
            TransactionException: The transaction failed.
        """
        repository, branch, message, name = _read_line(line)
        code = self._compile(cell)
        space = self._shell.user_ns
        before = space.get(name, _ABSENT)
        with lakefs_hl.repository(repository).branch(branch).transaction(message) as tx:
            space[name] = tx
            try:
                for part in code:
                    exec(part, space)  # noqa: S102 - the cell of the user
            finally:
                if before is _ABSENT:
                    space.pop(name, None)
                else:
                    space[name] = before

    def _compile(self, cell: str) -> list[Any]:
        """Return the code of a cell. The value of its last expression is shown, as in any cell.

        Raises:
            SyntaxError: It is no Python, or awaits outside of a function.
        """
        tree = self._shell.compile.ast_parse(self._shell.transform_cell(cell))
        tree = self._shell.transform_ast(tree)
        last = [tree.body.pop()] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
        compiler = self._shell.compile
        name = compiler.cache(cell)
        parts = [compiler(tree, name, "exec")] if tree.body else []
        return [*parts, compiler(ast.Interactive(last), name, "single")] if last else parts


def _read_line(line: str) -> tuple[str, str, str, str]:
    """Return the repository, the branch, the message and the name of the variable.

    Raises:
        MagicError: They are not there.
    """
    try:
        words = shlex.split(line)
    except ValueError as exc:
        msg = f"%%lakefs_transaction: {exc} in {line!r}; {USAGE}"
        raise MagicError(msg, 2) from None
    places, options = list[str](), dict[str, str]()
    flags = {"-m": "message", "--message": "message", "--name": "name"}
    while words:
        word = words.pop(0)
        if word in flags and words:
            options[flags[word]] = words.pop(0)
        elif word.startswith("-"):
            msg = f"%%lakefs_transaction: {word!r} is no option, or has no value; {USAGE}"
            raise MagicError(msg, 2)
        else:
            places.append(word)
    name = options.get("name", "tx")
    if len(places) != 2 or "message" not in options or not name.isidentifier():
        msg = f"%%lakefs_transaction: a repository, a branch and a message are needed; {USAGE}"
        raise MagicError(msg, 2)
    return places[0], places[1], options["message"], name


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to a shell of IPython. Called by `%load_ext lakefs_hl`."""
    shell.register_magic_function(lakefs, "line", "lakefs")
    shell.register_magic_function(Magics(shell).lakefs_transaction, "cell", "lakefs_transaction")


def unload_ipython_extension(shell: Any) -> None:
    """Remove the magics from a shell of IPython. Called by `%unload_ext lakefs_hl`."""
    for kind, name in _MAGICS:
        shell.magics_manager.magics[kind].pop(name, None)
