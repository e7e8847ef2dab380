"""Write the blocking faces and facades from the awaitable ones. The tables below configure it.

`lakefs_hl/_sync/` is written from `lakefs_hl/aio/`, and `lakefs_hl/facades/_sync/` from `lakefs_hl/facades/aio/`.

    python tools/unasync.py            # write
    python tools/unasync.py --check    # exit 1 with a diff if the committed files differ

`await` and `async` are removed, with the brackets of `(await x).y`, in code and in the examples of docstrings. Texts
and names are replaced by the tables. Ruff sorts imports, removes unused ones and formats. An asynchronous name that
remains, a row that matches nothing and a file without a source are errors: change the source, or the table.
"""

import difflib
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: (source, what is generated, modules that are written by hand in both because the colours differ)
PAIRS = [
    ("lakefs_hl/aio", "lakefs_hl/_sync", {"__init__", "default", "fileio", "lazy", "libraries", "mapping"}),
    ("lakefs_hl/facades/aio", "lakefs_hl/facades/_sync", {"__init__", "background", "mapping", "threads"}),
]
#: (text in aio, text in _sync), replaced anywhere in this order, before the names. A newline would lose indentation.
TEXTS = [
    # files: the blocking `open` returns an `io` object, or our writer
    ("fileio.Opening[str]", "io.TextIOWrapper"),
    ("fileio.Opening[bytes]", "io.BufferedReader"),
    ("fileio.Writing[str]", "fileio.TextWriter"),
    ("fileio.Writing[bytes]", "fileio.ObjectWriter"),
    ("# blocking: ", ""),
    # references are mappings, which nothing could await
    ("(ReadIOBase, PinReads, CachedReads)", "(ReadIOBase, PinReads, CachedReads, MappingReads)"),
    ("class Files(FileTransfers)", "class Files(FileTransfers, FilesMapping)"),
    ("class ObjectHandle:", "class ObjectHandle(ObjectMapping):"),
    ("class Branch(Reference, WriteIOBase)", "class Branch(Reference, WriteIOBase, MappingWrites)"),
    # drivers
    ("lakefs_hl.transport.aio import Aio", "lakefs_hl.transport.blocking import Blocking"),
    ("_Driver = Aio", "_Driver = Blocking"),
    ('"async with"', '"with"'),
    # modules and public names
    ("from lakefs_hl.facades.aio", "from lakefs_hl.facades._sync"),
    ("from lakefs_hl.aio", "from lakefs_hl._sync"),
    ('"lakefs_hl.aio', '"lakefs_hl'),
    # words of docstrings
    ("from lakefs_hl import aio as lakefs", "import lakefs_hl as lakefs"),
    ("an `async with`", "a `with`"),
    ("`async with`", "`with`"),
]
NAMES = {  # whole names, in code and in examples
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aiter": "iter",
    "aclose": "close",
    "anext": "next",
    "StopAsyncIteration": "StopIteration",
}
LEFT = re.compile(
    r".*(?:\b(?i:async\w*|await\w*|aio|coroutine\w*|[aA](?:iter|next|close))\b|__a[a-z]+__|Opening|Writing\b).*"
)
EXAMPLE = re.compile(r"(?:^ *(?:>>>|\.\.\.)(?: .*)?\n)+", re.MULTILINE)


def without_waiting(source: str) -> str:
    """Return code, or the code of an example, without `async` and `await`."""
    lines = source.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    edits = []
    for at, (kind, word, start, end, _) in enumerate(tokens):
        if kind == tokenize.NAME and word in ("async", "await"):
            edits.append((start, tokens[at + 1].start, ""))
            close = _closing(tokens, at) if word == "await" else 0
            edits += [(tokens[i].start, tokens[i].end, "") for i in (at - 1, close) if close]
        elif kind == tokenize.NAME and word in NAMES:
            edits.append((start, end, NAMES[word]))
        elif kind == tokenize.STRING and '"""' in word:
            edits.append((start, end, EXAMPLE.sub(_example, word)))
    for (row, column), (last, stop), text in sorted(edits, reverse=True):
        joined = lines[row - 1][:column] + text + lines[last - 1][stop:]
        lines[row - 1 : last] = [joined, *[""] * (last - row)]  # the rows above keep their numbers
    return "".join(lines)


def _closing(tokens: list[tokenize.TokenInfo], at: int) -> int:
    """Return the index of the closing bracket of an `(await a.b(…)).c`. 0 if there is none, or it has to stay."""
    depth, end = 0, at + 1
    while depth or tokens[end].string in ("(", "[", ".") or tokens[end].type == tokenize.NAME:
        depth += (tokens[end].string in ("(", "[", "{")) - (tokens[end].string in (")", "]", "}"))
        end += 1
    opened = tokens[at - 1].string == "(" and tokens[end].string == ")"
    return end if opened and tokens[end + 1].string in (".", "[") else 0


def _example(match: re.Match[str]) -> str:
    parts = [line.partition(re.search(r">>> ?|\.\.\. ?", line)[0]) for line in match[0].splitlines(True)]  # type: ignore[index]
    code = without_waiting("".join(code for _, _, code in parts)).splitlines(True)
    return "".join(space + prompt + line for (space, prompt, _), line in zip(parts, code, strict=True))


def blocking_text(source: str, target: str, used: set[str]) -> str:
    """Return the text of the blocking module `target`, and add the rows it used to `used`. Both relative to ROOT."""
    text = (ROOT / source).read_text(encoding="utf-8")
    compile(text, source, "exec", dont_inherit=True)  # a SyntaxError names the file and the line
    used |= {row for row in NAMES if row in text}
    for ours, theirs in TEXTS:
        used |= {ours} if ours in text else set()
        text = text.replace(ours, theirs)
    text = without_waiting(text)
    if left := [match[0].strip() for match in LEFT.finditer(text)]:
        advice = "reword the source, or add rows to TEXTS or NAMES in tools/unasync.py"
        sys.exit(f"{source}: asynchronous words are left over in {left}: {advice}")
    text = f"# Generated from {source} by tools/unasync.py: change that, not this.\n{text}"
    for command in (["check", "--select", "I,F401", "--fix-only", "--quiet"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(ROOT / target), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def modules(directory: str, by_hand: set[str]) -> list[str]:
    """Return the names of the files of a directory that are not written by hand."""
    return sorted(path.name for path in (ROOT / directory).glob("*.py") if path.stem not in by_hand)


if __name__ == "__main__":
    used: set[str] = set()
    wanted, found = dict[str, str](), dict[str, str]()
    for source, target, by_hand in PAIRS:
        for name in modules(source, by_hand):
            wanted[f"{target}/{name}"] = blocking_text(f"{source}/{name}", f"{target}/{name}", used)
        for name in modules(target, by_hand):
            found[f"{target}/{name}"] = (ROOT / target / name).read_text(encoding="utf-8")
    if unused := {row for row, _ in TEXTS}.union(NAMES) - used:
        sys.exit(f"TEXTS and NAMES have rows that match nothing; remove them: {sorted(unused)}")
    if "--check" in sys.argv:
        for name in sorted(wanted | found):
            committed, generated = (texts.get(name, "").splitlines(True) for texts in (found, wanted))
            sys.stdout.writelines(difflib.unified_diff(committed, generated, name, f"generated for {name}"))
        sys.exit(wanted != found)
    for name in found.keys() - wanted.keys():
        (ROOT / name).unlink()
    for name, text in wanted.items():
        (ROOT / name).write_text(text, encoding="utf-8")
