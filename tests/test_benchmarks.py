"""The benchmarks that compare with other tools: they run, and their page says what their result files say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import clients, report, scale, versioning
from benchmarks._shared import Cell, Result, Run, read_result

ROOT = Path(__file__).resolve().parent.parent
MACHINE = dict.fromkeys(("processor", "cores", "memory", "kernel", "file system", "Python"), "some")


def test_the_page_is_made_from_the_committed_results() -> None:
    """Edit nothing by hand: `python -m benchmarks.report` makes the page."""
    assert report.PAGE.read_text(encoding="utf-8") == report.render()


def make_result(folder: Path, runs: dict[str, list[Run]], scale: float = 1.0) -> Result:
    result = Result(
        "clients", scale, {"lakefs": "0.16.0"}, {"server": "lakeFS 1.84", "note": "A note."}, machine=MACHINE
    )
    for who, found in runs.items():
        result.cell("up 1 KiB", who).runs = found
    result.cell("up 1 KiB", "s3fs").missing = "not installed (s3fs)"
    result.write(folder / "clients.json")
    return result


def test_a_row_that_is_lost_stays_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {
        "lakefs_hl": [Run(2.0, 0.5, units=5000), Run(1.0, 0.5, units=5000)],
        "lakectl": [Run(1.0, 0.5, units=5000), Run(1.25, 0.5, units=5000)],
        "lakefs": [Run(4.0, 4.0, units=1500)],  # a share of the objects, and fewer runs
        "urllib3": [Run(0.5, 0.5, units=5000)],
    }
    result = make_result(tmp_path, runs)
    assert read_result(tmp_path / "clients.json") == result
    page = report.render(tmp_path)
    # 5,000/s and 2,500/s; the rates of the rival are 5,000/s and 4,000/s, and the ratio is that of pairs: 0.5 and 1.25
    assert "| `lakefs_hl` | 3,750 | – |" in page
    assert "| `lakectl` | 4,500 (0.88 ×) |" in page
    assert "| `lakefs` | 375 (6.67 ×) |" in page
    assert "| 1 KiB up, to `lakectl` | ≥ 1.15 × | 0.88 × | **missed**: not examined yet |" in page
    assert "| 1 KiB up, to `lakefs` | ≥ 3.5 × | 6.67 × | met |" in page
    assert "| 1 KiB down, to `lakefs` | ≥ 3.5 × | – | not measured |" in page
    assert "| 1 KiB up: `lakectl` | 1.14 × | not examined yet |" in page
    assert "`s3fs`: not installed (s3fs)" in page
    assert "| 1 KiB up | `urllib3` |" not in page  # not a client
    assert page.count("Not measured yet") == 2
    assert "A note." in page
    assert "Not a result" not in page
    monkeypatch.setitem(report.REASONS, ("clients", "up 1 KiB", "lakectl"), "the reason")
    assert "| 1 KiB up: `lakectl` | 1.14 × | the reason |" in report.render(tmp_path)


def test_a_run_of_less_than_all_is_no_result(tmp_path: Path) -> None:
    make_result(tmp_path, {"lakefs_hl": [Run(1.0)]}, scale=0.1)
    assert "**Not a result: only 10% of the work, to try the programs.**" in report.render(tmp_path)


def test_versions_and_sizes_are_on_the_page(tmp_path: Path) -> None:
    lines = {"lakefs_hl": Cell([Run(1.0, disk=2 << 20)]), "git": Cell([Run(3.0, disk=1 << 20)])}
    facts = {"starts": {"git": 0.004}, "syncs": {"git": "none"}}
    rows = {"small": lines, "small read": {"lakefs_hl": Cell([Run(1.0)]), "git": Cell(missing="failed: x")}}
    Result("versioning", 1.0, {}, {}, rows, facts, MACHINE).write(tmp_path / "versioning.json")
    cells = {"10 objects": Cell([Run(0.5, units=10, peak=1 << 20, disk=1 << 20)])}
    scaled = dict.fromkeys(report.SCALED, cells)
    Result("scale", 1.0, {}, {}, scaled, {}, MACHINE).write(tmp_path / "scale.json")
    page = report.render(tmp_path)
    assert "| `git` | 3.00 s (3.00 ×) | failed: x | 1.00 MiB (0.50 ×) |" in page
    assert "| 50,000 files of 120 B: space: `git` | 2.00 × | git compresses every file" in page
    assert "| `git` | 4.00 ms | none |" in page
    assert "| objects loaded per second | 20.0 |" in page


def test_versions_come_back_and_very_many_objects_are_measured(tmp_path: Path) -> None:
    versioning.make_small(tmp_path / "source", 0)
    result = Result("versioning", 0.0, {}, {})
    versioning.measure(versioning.Ours(tmp_path / "place", sys.executable), "small", tmp_path / "source", result)
    assert all(result.rows[row]["lakefs_hl"].runs for row in ("small", "small read"))
    (run,) = scale.load(tmp_path / "many", 50)["load"]
    assert run.units == 50
    work = scale.Work(tmp_path / "many", 50, runs=1)
    work.reads()
    work.writes()
    work.client.close()
    assert {"load", *work.rows} == set(scale.ROWS) == set(report.SCALED)


def test_each_benchmark_has_a_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--help"])
    for module in (clients, versioning, scale, report):
        with pytest.raises(SystemExit, match="0"):
            module.main()
        assert capsys.readouterr().out.startswith(f"usage: python -m {module.__name__} ")


def test_clients_are_measured_on_a_served_lake(tmp_path: Path) -> None:
    """Each in a process of its own. No key is in what is written or printed."""
    output = tmp_path / "clients.json"
    chosen = [f"--only={name}" for name in ("lakefs_hl, threads", "up 1 KiB", "down 1 KiB")]
    words = ["--scale=0.001", "--runs=1", f"--output={output}", f"--folder={tmp_path}", *chosen]
    command = [sys.executable, "-m", "benchmarks.clients", *words]
    keys = {"LAKEFS_HL_SERVE_ACCESS_KEY_ID": "key-of-bench", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY": "secret-of-bench"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env={**os.environ, **keys}
    )
    assert done.returncode == 0, done.stderr
    found = read_result(output)
    assert found.scale == 0.001
    for row in ("up 1 KiB", "down 1 KiB"):
        (run,) = found.rows[row]["lakefs_hl, threads"].runs
        assert run.units == 5
        assert run.cpu
        assert run.peak
    assert "of-bench" not in done.stdout + done.stderr + output.read_text()
