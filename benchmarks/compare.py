"""Two checkouts of this package side by side: `python benchmarks/compare.py ../before [--runs 9] [--objects 1000000]`.

The benchmarks of this checkout run in turn with the package of the other checkout and with that of this one. Each row
is the ratio of the times (this one to the other): the median over the pairs and its 95 % interval, by bootstrap. An
interval that lies above 1 means that this checkout is slower.

Both packages run on the dependencies of this Python. What another checkout does not have cannot be measured there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Benchmarks and their arguments. Each prints JSON: seconds by row.
COMMANDS = {
    "calls": ["calls.py", "--json"],
    "engine": ["engine.py", "--json"],
    "imports": ["imports.py", "--json"],
}
SAMPLES = 10_000


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="directory of the other checkout")
    parser.add_argument("--runs", type=int, default=9, help="pairs of runs (9)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="what measures the engine")
    parser.add_argument("--objects", default="100000", help="sizes of the engine's lakes, separated by commas (100000)")
    parser.add_argument("--only", choices=COMMANDS, action="append", help="run only this benchmark")
    chosen = parser.parse_args()
    before, after = chosen.other.resolve(), HERE.parent
    for name in chosen.only or COMMANDS:
        command = [
            *COMMANDS[name],
            *(["--clock", chosen.clock, "--objects", chosen.objects] if name == "engine" else []),
        ]
        pairs: dict[str, list[tuple[float, float]]] = {}
        for number in range(chosen.runs):
            # Every second pair the other way round, so that a drift of the machine favors nobody.
            turn = (before, after) if number % 2 else (after, before)
            seen = {checkout: seconds(command, checkout) for checkout in turn}
            for row in seen[after].keys() & seen[before].keys():
                pairs.setdefault(row, []).append((seen[before][row], seen[after][row]))
        for line in lines(name, pairs):
            print(line, flush=True)


def seconds(command: list[str], checkout: Path) -> dict[str, float]:
    """Return the seconds of each row with the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    script, *arguments = command
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{script} failed with the package of {checkout}:\n{done.stderr}"
        raise SystemExit(message)
    printed = json.loads(done.stdout)
    if not Path(printed["package"]).is_relative_to(checkout):
        message = f"{script} measured {printed['package']}, not the package of {checkout}"
        raise SystemExit(message)
    return {row: float(value) for row, value in printed["seconds"].items()}


def lines(name: str, pairs: dict[str, list[tuple[float, float]]]) -> Iterator[str]:
    """Yield the rows of the table: medians in ms, the ratio and its interval."""
    dice = random.Random(0)
    for row, runs in sorted(pairs.items()):
        ratios = [after / before for before, after in runs]
        medians = sorted(statistics.median(dice.choices(ratios, k=len(ratios))) for _ in range(SAMPLES))
        low, high = medians[SAMPLES // 40], medians[-SAMPLES // 40]
        old, new = (statistics.median(run[side] for run in runs) * 1e3 for side in (0, 1))
        yield (
            f"{name:8}{row:38}{old:10.4f}{new:10.4f} ms   ratio {statistics.median(ratios):.3f} "
            f"[{low:.3f}, {high:.3f}] of {len(runs)}"
        )


if __name__ == "__main__":
    main()
