"""What importing the package costs: `python benchmarks/imports.py [--runs 15]`.

Each figure is the time of a fresh interpreter with the import less that of one without it, in turn.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time

ROWS = {
    "import lakefs_hl": "import lakefs_hl",
    "first client, in memory": "import lakefs_hl; lakefs_hl.Client('mem://')",
    "first client of a server": "import lakefs_hl; lakefs_hl.Client('http://127.0.0.1:1', 'key', 'secret')",
}


def main() -> None:
    """Run the interpreters and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="runs per row (15)")
    parser.add_argument("--json", action="store_true", help="print seconds as JSON")
    chosen = parser.parse_args()
    times: dict[str, list[float]] = {row: [] for row in ROWS}
    for _ in range(chosen.runs):
        for row, code in ROWS.items():
            times[row].append(started(code) - started("pass"))
    medians = {row: statistics.median(runs) for row, runs in times.items()}
    if chosen.json:
        found = importlib.util.find_spec("lakefs_hl")
        print(json.dumps({"package": found and found.origin, "seconds": medians}, indent=2))
        return
    for row, figure in medians.items():
        print(f"{row:28}{figure * 1e3:8.1f} ms")


def started(code: str) -> float:
    """Return the seconds of an interpreter that runs a line."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
