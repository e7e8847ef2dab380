"""Make `docs/explanation/performance.md` from the result files: `python -m benchmarks.report [--charts]`.

The page has no figure that is not in a file of `benchmarks/results/`. `--charts` also draws its charts, with
matplotlib, which nothing else needs. `tests/test_benchmarks.py` compares the page with what this makes.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._shared import MIB, RESULTS, Cell, Result, Run, read_result

DOCS = Path(__file__).resolve().parent.parent / "docs" / "explanation"
PAGE = DOCS / "performance.md"
CHARTS = DOCS / "performance"
OURS = "lakefs_hl"
#: Not clients: what the same bytes cost without one.
BOUNDS = ("urllib3", "md5")

#: Why a rival is faster or smaller, by benchmark, row and rival. A row without one is shown as not examined yet.
REASONS: dict[tuple[str, str, str], str] = {
    ("clients", "import", "lakectl"): "a compiled program starts without an interpreter",
    ("clients", "import", "curl"): "a compiled program starts without an interpreter",
    ("clients", "stat serial", "curl"): "curl decodes no response and has no interpreter",
    ("clients", "stat bulk", "curl"): "curl decodes no response and has no interpreter",
    ("versioning", "small, time", "git"): "git syncs nothing here; a lake syncs before a call returns",
    ("versioning", "small, read", "git"): "almost all of it is time of the kernel, for both",
    (
        "versioning",
        "small, read",
        "dvc",
    ): "almost all of it is time of the kernel, and dvc needs less: why was not found",
    ("versioning", "small, read", "oxen"): "almost all of it is time of the kernel, here on several threads",
    ("versioning", "large, time", "oxen"): "oxen hashes with xxHash; a lake hashes with MD5, as lakeFS does",
    ("versioning", "library, time", "git"): "git syncs nothing here, and has no interpreter to start",
    ("versioning", "library, read", "git"): "git has no interpreter to start",
    ("versioning", "library, read", "git, core.fsync=all"): "git has no interpreter to start",
    (
        "versioning",
        "table, read",
        "git",
    ): "no interpreter to start; a lake also compares checksums of what it reads",
}
for _row in ("small", "library", "table"):
    for _git in ("git", "git, core.fsync=all"):
        REASONS["versioning", f"{_row}, space", _git] = "git compresses every file; a lake stores content as it is"
for _kind in ("1 KiB", "64 KiB", "tree", "1 GiB"):
    REASONS["clients", f"up {_kind}", "curl"] = "curl verifies nothing of what it moves"
    REASONS["clients", f"down {_kind}", "curl"] = "curl lists nothing, and verifies nothing of what it moves"
for _who in ("lakefs", "lakefs-spec", "s3fs", "lakectl"):
    REASONS["clients", "down 1 GiB", _who] = "computes no checksum of what it reads"
UNKNOWN = "not examined yet"
#: Why a target is missed, by its text.
MISSED: dict[str, str] = {
    "1 KiB down, to `lakectl`": "1.497, the middle one of 1.45, 1.50 and 2.00; the medians of the times are 1.87 apart",
}

HEAD = """\
<!-- Made by `python -m benchmarks.report` from benchmarks/results/. Do not edit. -->
# Performance

All figures are medians of runs on one machine, on the day that each section names. The clients of a row ran in turn in
one go, so their ratios mean more than the figures themselves: another machine has other figures. What is slower or
larger here than elsewhere is in a table of its own, with its reason.

The programs are in `benchmarks/`, the results with every single run in `benchmarks/results/`.
"""

CLIENTS_TEXT = """\
Every run of every client is a process of its own. Files are in memory on the client's side. Uploads are counted and
downloads measured afterwards; every run uploads other content. `lakefs`, `lakectl` and `curl` ran with the number of
threads or connections that is fastest of 8, 16, 32, 64 and 128, found before for each column. Slow clients moved a part
of the objects only: `lakefs` 30 %, `s3fs` 10 %, `lakefs-spec` 2 %; one that had taken some seconds in a column got no
further run. Commands are measured from their start to their end. `curl` gets the paths of all objects beforehand, and
lists nothing. `urllib3` is not a client: it is a bare loop in 32 threads that verifies nothing, for comparison. The
figures in parentheses are ratios: *5 ×* means that `lakefs_hl` was five times as fast in the same run.
"""

VERSIONING_TEXT = """\
Every step is a process of its own, measured from its start to its end: for `lakefs_hl` and `oxen` a script in Python,
for `git` and `dvc` their commands. *In* is from a changed directory to a commit of it, *out* from an empty directory to
all files of a commit, which are then compared with what they were. Ten versions are ten commits, of which the sixth is
read back. Space is what the store takes on disk without the directory itself. [The embedded lake](lake.md) describes
how it stores content.
"""

SYNCS_TEXT = """\
Every step has a start in it, which is how long a process takes that does nothing. What is safe after a loss of power
differs: the embedded lake has synced everything when a call returns, git as it comes syncs little, and
`git, core.fsync=all` syncs everything. The calls are those of a commit of 200 small files.
"""

SCALE_TEXT = """\
The objects are records without content, loaded in one import. Everything else is a call of the public API in a new
process. Every commit, diff and merge is of 1,000 changes that are spread over all objects.
"""


class Target(NamedTuple):
    """A target and what was measured.

    Attributes:
        text: What is compared.
        target: The target, as text.
        measured: What was measured, as text.
        met: Whether it is met. None if something was not measured.
    """

    text: str
    target: str
    measured: str
    met: bool | None


# -- figures -----------------------------------------------------------------------------------------------------------


def rate(run: Run) -> float:
    """Return units per second."""
    return run.units / run.seconds


def median(cell: Cell | None, figure: Callable[[Run], float | None]) -> float | None:
    """Return the median of a figure over the runs of a cell. None if there is none."""
    values = [value for run in (cell.runs if cell else ()) if (value := figure(run)) is not None]
    return statistics.median(values) if values else None


def ratio(ours: Cell | None, theirs: Cell | None, figure: Callable[[Run], float | None] = rate) -> float | None:
    """Return the median of the ratios of runs that followed each other, ours to theirs."""
    pairs = zip(ours.runs if ours else (), theirs.runs if theirs else (), strict=False)
    found = [(figure(mine), figure(other)) for mine, other in pairs]
    ratios = [mine / other for mine, other in found if mine is not None and other]
    return statistics.median(ratios) if ratios else None


def number(value: float) -> str:
    """Return a figure with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def seconds(value: float) -> str:
    """Return a time in a unit that fits."""
    if value >= 1:
        return f"{number(value)} s"
    return f"{number(value * 1e3)} ms" if value >= 1e-3 else f"{value * 1e6:.0f} µs"


def size(value: float) -> str:
    """Return bytes in a unit that fits."""
    return f"{number(value / MIB)} MiB" if value < 1024 * MIB else f"{number(value / 1024 / MIB)} GiB"


def times(value: float) -> str:
    """Return a ratio."""
    return f"{number(value)} ×"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = ()) -> Iterator[str]:
    """Yield the lines of a table, whose columns of words, from the left, are not aligned like numbers."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" if column in (0, *words) else "---:" for column in range(len(head))) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def described(result: Result) -> str:
    """Return the day, the machine and the versions of a result, as a sentence each."""
    machine = result.machine
    text = (
        f"Measured on {result.date} on {machine['processor']}, {machine['cores']} cores, {machine['memory']} of "
        f"memory, {machine['kernel']}, file system {machine['file system']}, Python {machine['Python']}."
    )
    if "server" in result.settings:
        text += f" Server: {result.settings['server']}, on the same machine."
    versions = ", ".join(f"`{name}` {version}" for name, version in result.versions.items())
    text = " ".join(filter(None, [f"{text} Versions: {versions}.", result.settings.get("note")]))
    if result.scale != 1:
        text = f"**Not a result: only {result.scale:.0%} of the work, to try the programs.** {text}"
    return text


# -- clients -----------------------------------------------------------------------------------------------------------

MANY = {
    "up 1 KiB": "1 KiB up",
    "down 1 KiB": "1 KiB down",
    "up 64 KiB": "64 KiB up",
    "down 64 KiB": "64 KiB down",
    "up tree": "standard library up",
    "down tree": "standard library down",
    "stat bulk": "stat, at once",
}
LARGE = {"up 1 GiB": "1 GiB up", "down 1 GiB": "1 GiB down"}
SERIAL = {
    "stat serial": "stat",
    "read serial": "read 1 KiB",
    "write serial": "write 1 KiB",
}
MEMORY = {"up 1 KiB": "1 KiB up", "down 1 KiB": "1 KiB down", **LARGE, "list": "list"}


def cells_of(
    result: Result, columns: dict[str, str], shown: Callable[[Cell, Cell | None], str | None]
) -> Iterator[Sequence[str]]:
    """Yield a line for each client that has a figure in one of the columns."""
    names = {who: None for row in columns for who in result.rows.get(row, {})}
    for who in names:
        line, found = [f"`{who}`"], False
        for row in columns:
            cells = result.rows.get(row, {})
            cell = cells.get(who, Cell(missing="–"))
            text = shown(cell, cells.get(OURS)) if cell.runs else None
            found = found or text is not None
            line.append(text or "–")
        if found:
            yield line


def with_ratio(text: str, cell: Cell, ours: Cell | None) -> str:
    """Return a figure and, for a rival, how many times as fast ours is."""
    found = ratio(ours, cell)
    return text if cell is ours or found is None else f"{text} ({times(found)})"


def rate_shown(cell: Cell, ours: Cell | None) -> str | None:
    """Return units per second."""
    found = median(cell, rate)
    return None if found is None else with_ratio(number(found), cell, ours)


def speed_shown(cell: Cell, ours: Cell | None) -> str | None:
    """Return megabytes per second."""
    found = median(cell, rate)
    return None if found is None else with_ratio(f"{number(found / 1e6)} MB/s", cell, ours)


def each_shown(cell: Cell, ours: Cell | None) -> str | None:
    """Return the time of one unit."""
    found = median(cell, lambda run: 1 / rate(run))
    return None if found is None else with_ratio(seconds(found), cell, ours)


def whole_shown(cell: Cell, ours: Cell | None) -> str | None:
    """Return the time of all of it."""
    found = median(cell, lambda run: run.seconds)
    return None if found is None else with_ratio(seconds(max(found, 1e-6)), cell, ours)


def cpu_shown(cell: Cell, _: Cell | None) -> str | None:
    """Return the processor time of one unit."""
    found = median(cell, lambda run: None if run.cpu is None else run.cpu / run.units)
    return None if found is None else number(found * 1e3)


def cpu_whole_shown(cell: Cell, _: Cell | None) -> str | None:
    """Return the processor time of all of it."""
    found = median(cell, lambda run: run.cpu)
    return None if found is None else seconds(max(found, 1e-6))


def peak_shown(cell: Cell, _: Cell | None) -> str | None:
    """Return the largest resident memory."""
    found = median(cell, lambda run: run.peak)
    return None if found is None else number(found / MIB)


def clients(result: Result) -> Iterator[str]:
    """Yield the section about clients."""
    yield "## Clients of a lakeFS server\n"
    yield described(result) + "\n"
    yield CLIENTS_TEXT
    yield from chart("clients", "Objects per second of each client")
    yield "### Many objects, per second\n"
    yield from table(["", *MANY.values()], list(cells_of(result, MANY, rate_shown)))
    yield "### Processor time of the client for one object, in ms\n"
    yield from table(["", *MANY.values()], list(cells_of(result, MANY, cpu_shown)))
    yield "### One large object\n"
    speeds = {line[0]: line for line in cells_of(result, LARGE, speed_shown)}
    costs = {line[0]: line for line in cells_of(result, LARGE, cpu_whole_shown)}
    lines = [[*line, *costs[who][1:]] for who, line in speeds.items()]
    yield from table(["", *LARGE.values(), "processor time up", "down"], lines)
    yield "`md5` is not a client: it is how fast the checksum alone is, of a file in memory.\n"
    yield "### One request at a time\n"
    yield from table(["", *SERIAL.values()], list(cells_of(result, SERIAL, each_shown)))
    yield "### Lists and starts\n"
    starts = {"list": "list 100,000 objects", "import": "import and first client, or start of the command"}
    yield from table(["", *starts.values()], list(cells_of(result, starts, whole_shown)))
    yield "### Largest resident memory, in MiB\n"
    yield from table(["", *MEMORY.values()], list(cells_of(result, MEMORY, peak_shown)))
    yield "### Numbers of threads and connections\n"
    yield from table(["", *MANY.values()], list(cells_of(result, MANY, lambda cell, _: cell.note or None)), range(8))
    missing = sorted(
        {
            f"`{who}`: {cell.missing}"
            for cells in result.rows.values()
            for who, cell in cells.items()
            if cell.missing and "part of this row" not in cell.missing and "no such call" not in cell.missing
        }
    )
    if missing:
        yield "Not measured: " + "; ".join(missing) + ".\n"
    yield "### Targets\n"
    lines = [
        [*each[:3], "not measured" if each.met is None else "met" if each.met else missed(each)]
        for each in targets(result)
    ]
    yield from table(["", "target", "measured", ""], lines, (3,))
    yield from lost("clients", list(lost_clients(result)))


def missed(target: Target) -> str:
    """Return that a target is missed, with the reason."""
    return f"**missed**: {MISSED.get(target.text, UNKNOWN)}"


def targets(result: Result) -> Iterator[Target]:
    """Yield the targets that were set before."""

    def cell(row: str, who: str) -> Cell | None:
        return result.rows.get(row, {}).get(who)

    def least(text: str, target: float, found: float | None, unit: str = " ×") -> Target:
        met = None if found is None else found >= target
        return Target(text, f"≥ {target:g}{unit}", "–" if found is None else f"{number(found)}{unit}", met)

    def most(text: str, target: float, found: float | None, unit: str = " ×") -> Target:
        met = None if found is None else found <= target
        return Target(text, f"≤ {target:g}{unit}", "–" if found is None else f"{number(found)}{unit}", met)

    def inverse(row: str, who: str, other: str) -> float | None:
        found = ratio(cell(row, who), cell(row, other))
        return None if found is None else 1 / found

    for row, wanted in (("up 1 KiB", 1.15), ("down 1 KiB", 1.5)):
        ours, text = cell(row, OURS), MANY[row]
        yield least(f"{text}, to `lakectl`", wanted, ratio(ours, cell(row, "lakectl")))
        yield least(f"{text}, to `lakefs`", 3.5, ratio(ours, cell(row, "lakefs")))
        cpu = median(ours, lambda run: None if run.cpu is None else run.cpu / run.units * 1e3)
        yield most(f"{text}, processor time of an object", 0.12, cpu, " ms")
        yield least(f"{text}, asyncio to blocking", 0.8, ratio(cell(row, f"{OURS}, aio"), ours))
        bare = ratio(cell(row, f"{OURS}, threads"), cell(row, "urllib3"))
        yield least(f"{text}, without `fast` to `urllib3`", 0.85, bare)
    for row, text in SERIAL.items():
        yield most(f"{text}, time to that of `urllib3`", 1.03, inverse(row, OURS, "urllib3"))
    for row, text in LARGE.items():
        bounds = [median(cell(row, who), lambda run: run.seconds) for who in ("curl", "md5")]
        known = [bound for bound in bounds if bound is not None]
        mine = median(cell(row, OURS), lambda run: run.seconds)
        found = mine / max(known) if mine is not None and len(known) == len(bounds) else None
        yield most(f"{text}, time to the longer of `curl` and `md5`", 1.1, found)
        yield most(f"{text}, `verify=False` to `curl`", 1.05, inverse(row, f"{OURS}, verify=False", "curl"))
        grown = median(cell(row, OURS), lambda run: None if run.base is None else ((run.peak or 0) - run.base) / MIB)
        yield most(f"{text}, memory more than before", 64, grown, " MiB")
    yield most("list 100,000, time to that of `urllib3`", 1.1, inverse("list", OURS, "urllib3"))


def lost_clients(result: Result) -> Iterator[tuple[str, str, float, str]]:
    """Yield the rows in which a rival is faster: row, rival, ratio of the times and how to say it."""
    for row, cells in result.rows.items():
        for who, cell in cells.items():
            if who.startswith(OURS) or who in BOUNDS:
                continue
            found = ratio(cells.get(OURS), cell)
            if found is not None and found < 1:
                yield row, who, 1 / found, (MANY | LARGE | SERIAL).get(row, row)


def lost(benchmark: str, rows: Sequence[tuple[str, str, float, str]]) -> Iterator[str]:
    """Yield the table of what is slower or larger than a rival."""
    yield "### Where others are better\n"
    if not rows:
        yield "Nowhere in these rows.\n"
        return
    lines = [
        [f"{text}: `{who}`", times(found), REASONS.get((benchmark, row, who), UNKNOWN)]
        for row, who, found, text in rows
    ]
    yield from table(["better", f"`{OURS}` to it", "reason"], lines, (2,))


# -- versions ----------------------------------------------------------------------------------------------------------

VERSIONED = {
    "small": "50,000 files of 120 B",
    "library": "the standard library",
    "large": "a file of 2 GiB, random",
    "table": "10 versions of a table of 200 MB, 1 % changed",
}
#: What is measured of each: name, row and figure.
SIDES: dict[str, tuple[str, Callable[[Run], float | None], Callable[[float], str]]] = {
    "time": ("", lambda run: run.seconds, seconds),
    "read": (" read", lambda run: run.seconds, seconds),
    "space": ("", lambda run: run.disk, size),
}


def versioning(result: Result) -> Iterator[str]:
    """Yield the section about versions of local data."""
    yield "## Versions of local data\n"
    yield described(result) + "\n"
    yield VERSIONING_TEXT
    yield from chart("versioning", "Time to commit and to read back, and space")
    losses = list[tuple[str, str, float, str]]()
    for row, text in VERSIONED.items():
        yield f"### {text[0].upper()}{text[1:]}\n"
        systems = {who: None for end in ("", " read") for who in result.rows.get(row + end, {})}
        lines = []
        for who in systems:
            line = [f"`{who}`"]
            for side, (end, figure, shown) in SIDES.items():
                cells = result.rows.get(row + end, {})
                cell, ours = cells.get(who), cells.get(OURS)
                found, compared = median(cell, figure), ratio(cell, ours, figure)
                if found is None:
                    line.append(cell.missing if cell and cell.missing else "–")
                    continue
                line.append(shown(found) if who == OURS or compared is None else f"{shown(found)} ({times(compared)})")
                if who != OURS and compared is not None and compared < 1:
                    losses.append((f"{row}, {side}", who, 1 / compared, f"{text}: {side}"))
            lines.append(line)
        yield from table(["", "in", "out", "space"], lines)
    yield "The figures in parentheses are ratios to `lakefs_hl`: *5 ×* is five times as slow or as large.\n"
    yield "### Starts and syncs\n"
    yield SYNCS_TEXT
    starts, syncs = result.facts.get("starts", {}), result.facts.get("syncs", {})
    lines = [
        [f"`{who}`", "–" if found is None else seconds(found), syncs.get(who, "–")] for who, found in starts.items()
    ]
    yield from table(["", "start", "calls that sync"], lines, (2,))
    yield from lost("versioning", losses)


# -- scale -------------------------------------------------------------------------------------------------------------

SCALED = {
    "load": "load, with commit",
    "open": "open the lake and look up one object, in a new process",
    "stat": "stat",
    "page": "list one page of 1,000",
    "list": "list 100,000",
    "branch": "create a branch",
    "stage": "upload 1,000 objects of 20 B, spread",
    "commit": "commit 1,000 changes",
    "diff": "diff of 1,000 changes",
    "merge": "merge 1,000 and 1,000 changes",
}


def scale(result: Result) -> Iterator[str]:
    """Yield the section about very many objects."""
    yield "## Millions of objects\n"
    yield described(result) + "\n"
    yield SCALE_TEXT
    yield from chart("scale", "Time of each operation with 1,000,000 and 10,000,000 objects")
    sizes = {who: None for cells in result.rows.values() for who in cells}
    lines = []
    for row, text in SCALED.items():
        cells = result.rows.get(row, {})
        line = [text]
        for each in sizes:
            found = median(cells.get(each), lambda run: run.seconds)
            line.append("–" if found is None else seconds(found))
        lines.append(line)
    loads = result.rows.get("load", {})
    totals: list[tuple[str, Callable[[Run], float | None], Callable[[float], str]]] = [
        ("objects loaded per second", rate, number),
        ("space on disk", lambda run: run.disk, size),
        ("largest resident memory while loading", lambda run: run.peak, size),
    ]
    for text, figure, shown in totals:
        values = [median(loads.get(each), figure) for each in sizes]
        lines.append([text, *["–" if value is None else shown(value) for value in values]])
    line = ["largest resident memory of all other rows"]
    for each in sizes:
        cells_of_size = [result.rows.get(row, {}).get(each, Cell()) for row in SCALED if row != "load"]
        peaks = [run.peak for cell in cells_of_size for run in cell.runs if run.peak]
        line.append(size(max(peaks)) if peaks else "–")
    yield from table(["", *sizes], [*lines, line])


# -- the page ----------------------------------------------------------------------------------------------------------

SECTIONS: dict[str, Callable[[Result], Iterator[str]]] = {"clients": clients, "versioning": versioning, "scale": scale}
TITLES = {
    "clients": "Clients of a lakeFS server",
    "versioning": "Versions of local data",
    "scale": "Millions of objects",
}


def chart(name: str, text: str) -> Iterator[str]:
    """Yield a chart, if it was drawn."""
    if (CHARTS / f"{name}.png").exists():
        yield f"![{text}](performance/{name}.png)\n"


def render(folder: Path = RESULTS) -> str:
    """Return the page of the results of a directory."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.exists():
            parts.extend(section(read_result(path)))
        else:
            parts.append(f"## {TITLES[name]}\n\nNot measured yet: `python -m benchmarks.{name}` does it.\n")
    return "\n".join(parts).rstrip("\n") + "\n"


# -- charts ------------------------------------------------------------------------------------------------------------

#: Readable on white and on the dark theme: no background, and a gray of enough contrast with both.
INK, LINE, MINE, THEIRS = "#76808c", "#76808c55", "#00897b", "#8b98a8"


def draw(folder: Path, target: Path) -> None:
    """Draw the charts of the results of a directory."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    colors = {f"{part}.color": INK for part in ("text", "xtick", "ytick")}
    pyplot.rcParams.update({**colors, "axes.labelcolor": INK, "font.size": 9, "axes.titlesize": 10})
    target.mkdir(exist_ok=True)
    for name, panels in (("clients", client_panels), ("versioning", version_panels), ("scale", scale_panels)):
        path = folder / f"{name}.json"
        if not path.exists():
            continue
        found = list(panels(read_result(path)))
        columns = 2 if name == "clients" else 3  # up and down, in and out and space
        rows = -(-len(found) // columns)
        height = sum(
            max(len(each[1]) for each in found[row * columns : row * columns + columns]) * 0.24 + 0.7
            for row in range(rows)
        )
        figure, axes = pyplot.subplots(rows, columns, figsize=(4.4 * columns, height), squeeze=False)
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        for axis, (title, bars, shown) in zip(axes.flat, found, strict=False):
            draw_bars(axis, title, bars, shown)
        figure.tight_layout(w_pad=2, h_pad=1.4)
        figure.savefig(
            target / f"{name}.png", dpi=110, transparent=True, bbox_inches="tight", metadata={"Software": None}
        )
        pyplot.close(figure)


def draw_bars(axis: Any, title: str, bars: dict[str, float], shown: Callable[[float], str]) -> None:
    """Draw horizontal bars with their figures."""
    names = list(bars)[::-1]
    values = [bars[name] for name in names]
    colors = [MINE if name.startswith(OURS) or "objects" in name else THEIRS for name in names]
    axis.barh(names, values, color=colors, height=0.72)
    for position, value in enumerate(values):
        axis.text(value, position, f" {shown(value)}", va="center", ha="left", fontsize=8)
    axis.set_title(title, loc="left", color=INK)
    axis.set_xlim(0, max(values) * 1.35)
    axis.set_xticks([])
    axis.tick_params(length=0)
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
    axis.spines["left"].set_color(LINE)


#: Titles of panels that are shorter than those of tables.
SHORT = {
    "small": "50,000 files",
    "library": "standard library",
    "large": "file of 2 GiB",
    "table": "10 versions of a table",
    "page": "list 1,000",
    "merge": "merge of 1,000 and 1,000 changes",
}
Panel = tuple[str, dict[str, float], Callable[[float], str]]


def medians(
    cells: dict[str, Cell], figure: Callable[[Run], float | None], left_out: Sequence[str] = ()
) -> dict[str, float]:
    """Return the median of each client that has one."""
    found = {who: median(cell, figure) for who, cell in cells.items() if who not in left_out}
    return {who: value for who, value in found.items() if value is not None}


def client_panels(result: Result) -> Iterator[Panel]:
    """Yield the panels about clients: objects or megabytes per second."""
    for row in ("up 1 KiB", "down 1 KiB", "up 64 KiB", "down 64 KiB"):
        if bars := medians(result.rows.get(row, {}), rate, BOUNDS):
            yield f"{MANY[row]}: objects per second", bars, number
    for row, text in LARGE.items():
        if bars := medians(result.rows.get(row, {}), lambda run: rate(run) / 1e6, BOUNDS):
            yield f"{text}: MB per second", bars, number


def version_panels(result: Result) -> Iterator[Panel]:
    """Yield the panels about versions: in, out and space of each kind of data."""
    for row, text in VERSIONED.items():
        for side, (end, figure, shown) in SIDES.items():
            if bars := medians(result.rows.get(row + end, {}), figure):
                name = {"time": "in", "read": "out", "space": "space"}[side]
                yield f"{SHORT.get(row, text)}: {name}", bars, shown


def scale_panels(result: Result) -> Iterator[Panel]:
    """Yield the panels about very many objects: the time of each operation."""
    for row in ("load", "stat", "page", "commit", "diff", "merge"):
        if bars := medians(result.rows.get(row, {}), lambda run: run.seconds):
            yield SHORT.get(row, SCALED[row]), bars, seconds


def main() -> None:
    """Write the page, and draw the charts if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--charts", action="store_true", help="draw the charts too (needs matplotlib)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory of the result files")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page; charts go to a directory beside it")
    chosen = parser.parse_args()
    if chosen.charts:
        draw(chosen.results, chosen.output.with_suffix(""))
    chosen.output.write_text(render(chosen.results), encoding="utf-8")


if __name__ == "__main__":
    main()
