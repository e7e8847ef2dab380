"""Brings the recorded data up to date: `python tests/data/update.py SOURCE`.

SOURCE holds the recordings (`contract/`), lakeFS's description (`reference/`) and the project's seed texts (`seeds/`).
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent


def pairs(source: Path) -> Iterator[tuple[Path, Path]]:
    """(original, our copy) of every file that is kept."""
    for folder in ("golden", "presign"):
        for path in sorted((source / "contract" / folder).glob("*.json")):
            yield path, HERE / "contract" / folder / path.name
    yield source / "contract" / "contract.py", HERE / "contract" / "contract.py"
    yield source / "reference" / "lakefs-api.yml", HERE / "lakefs-api.yml"
    for seed in ("000", "001", "002", "003", "004"):
        for path in sorted((source / "seeds").glob(f"{seed}*.txt")):
            yield path, HERE / "seeds" / f"{seed}.md"


def main() -> None:
    """Copies what differs and removes recordings that are gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    found = list(pairs(parser.parse_args().source))
    kept = {copy for _, copy in found}
    for original, copy in found:
        if not copy.exists() or copy.read_bytes() != original.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, copy)
            print(f"updated {copy.relative_to(HERE)}")  # noqa: T201
    for stale in set((HERE / "contract").rglob("*.json")) - kept:
        stale.unlink()
        print(f"removed {stale.relative_to(HERE)}")  # noqa: T201


if __name__ == "__main__":
    main()
