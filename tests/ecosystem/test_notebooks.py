"""Notebooks: what a kernel shows of everything, the magics, `await`, progress, and the notebooks of `examples/`."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import types
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs
from tests.faces.test_handles import made
from tests.test_html import CLASSES, PLAIN, RECORDS, check, record_of

needs("IPython", "ipykernel", "nbclient", "nbformat")

import nbformat
from IPython.core.formatters import DisplayFormatter
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
pytestmark = [
    pytest.mark.timeout(120),
    # jupyter_client, zmq and nbformat warn about their own future
    pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:zmq"),
    pytest.mark.filterwarnings("ignore:Proactor event loop:RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kernels import this package, and leave nothing in the home directory."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        directory = tmp_path / name.lower()
        directory.mkdir()
        monkeypatch.setenv(name, str(directory))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    for name in [name for name in os.environ if name.startswith(("LAKECTL_", "LAKEFS_HL_"))]:
        if not name.startswith("LAKEFS_HL_TEST_"):
            monkeypatch.delenv(name)


def execute(notebook: Any, directory: Path, *, allow_errors: bool = False) -> Any:
    client = NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute()
    return notebook


def run(directory: Path, *cells: str) -> list[list[Any]]:
    """Run cells in a new kernel, and return the outputs of each."""
    make: Any = nbformat.v4
    notebook = make.new_notebook(cells=[make.new_code_cell(cell) for cell in cells])
    return [cell.outputs for cell in execute(notebook, directory, allow_errors=True).cells]


def text(outputs: list[Any], name: str = "stdout") -> str:
    return "".join(each.text for each in outputs if each.output_type == "stream" and each.name == name)


def test_ipython_shows_html_of_everything_that_a_cell_can_end_with() -> None:
    formatter: Any = DisplayFormatter()
    shown = [*made(lakefs_hl.Client("mem://")), *(record_of(kind) for kind in RECORDS.values())]
    for each in shown:
        data, _ = formatter.format(each)
        check(data["text/html"])
        assert data["text/plain"]
    assert {type(each).__name__ for each in shown} | set(PLAIN) >= {
        kind.__name__ for kind in CLASSES.values() if kind.__module__ == types.__name__ and hasattr(kind, "_fields")
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_a_network(path: Path, tmp_path: Path) -> None:
    if "training" in path.stem:
        needs("sklearn", "pandas", "joblib")
    read: Any = nbformat.read
    notebook = read(path, 4)
    for cell in execute(notebook, tmp_path).cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            page = output.get("data", {}).get("text/html", "")
            if "lakefs" in page:
                check(page)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_there_are_four_notebooks() -> None:
    assert len(NOTEBOOKS) == 4


def test_commands_transactions_and_await(tmp_path: Path) -> None:
    cells = {
        "start": "import lakefs_hl as lakefs\n"
        "lakefs.init('local:./lake', create=True)\n"
        "main = lakefs.repository('example').create().branch('main')\n"
        "main.upload('grün', 'a.txt'); main.commit_changes('first'); tx = 'mine'",
        "load": "%load_ext lakefs_hl",
        "cat": "%lakefs fs cat lakefs://example/main/a.txt",
        "log": "%lakefs log --json lakefs://{main.repository_id}/main",
        "missing": "try:\n    get_ipython().run_line_magic('lakefs', 'fs cat lakefs://example/main/missing')\n"
        "except Exception as exc:\n    print(type(exc).__name__, exc.exit_code, exc)",
        "tx": "%%lakefs_transaction example main -m 'in a cell'\ntx.upload(b'1', 'b.txt')\nlen(main['a.txt'])",
        "after": "print(tx, main['b.txt'])",
        "failing": "%%lakefs_transaction example main -m 'fails' --name other\nother.upload(b'1', 'c.txt')\n1 / 0",
        "usage": "%%lakefs_transaction example\n1",
        "nothing": "print(main.exists('c.txt'), 'other' in globals())",
        "await": "from lakefs_hl import aio\n"
        "async with aio.Client('local:./lake') as client:\n"
        "    there = aio.repository('example', client=client)\n"
        "    rows, graph = await there.branch('main').list_objects().to_list(), await there.graph()\n"
        "rows",
        "graph": "graph",
        "keys": "print(main._ipython_key_completions_(), main.stat('a.txt')._ipython_key_completions_()[0])",
        "unload": "%unload_ext lakefs_hl\nprint('lakefs' in get_ipython().magics_manager.magics['line'])",
    }
    outputs = dict(zip(cells, run(tmp_path, *cells.values()), strict=True))
    assert text(outputs["cat"]) == "grün"
    assert json.loads(text(outputs["log"]))[0]["message"] == "first"
    assert text(outputs["missing"]).startswith("MagicError 3 lakefs fs cat lakefs://example/main/missing: exit code 3")
    assert "missing" in text(outputs["missing"], "stderr")
    assert outputs["tx"][-1].data["text/plain"] == "5"
    assert text(outputs["after"]) == "mine b'1'\n"
    (failed,) = (each for each in outputs["failing"] if each.output_type == "error")
    assert failed.ename == "TransactionException"
    assert "ZeroDivisionError" in "".join(failed.traceback)
    (refused,) = (each for each in outputs["usage"] if each.output_type == "error")
    assert refused.traceback[0].startswith("MagicError: %%lakefs_transaction: a repository, a branch and a message are")
    assert text(outputs["nothing"]) == "False False\n"
    assert "a.txt" in outputs["await"][-1].data["text/html"]
    check(outputs["await"][-1].data["text/html"])
    assert "<svg" in outputs["graph"][-1].data["text/html"]
    assert text(outputs["unload"]) == "False\n"
    assert text(outputs["keys"]) == "['a.txt', 'b.txt'] path\n"


def test_a_transfer_shows_a_bar_or_a_line_and_no_warning(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / "data" / f"{number}.txt").write_text("x")
    start = (
        "import lakefs_hl as lakefs\n"
        "lakefs.init('mem://')\n"
        "main = lakefs.repository('example').create().branch('main')\n"
    )
    upload = "report = main.upload_dir('data')"
    with_bar, without = (
        run(tmp_path, "import sys\n" + hide + start, upload)[1]
        for hide in ("", "sys.modules['ipywidgets'] = None\n")  # as where it is not installed
    )
    assert "IProgress" not in json.dumps(with_bar) + json.dumps(without)
    assert any("application/vnd.jupyter.widget-view+json" in each.get("data", {}) for each in with_bar)
    assert "Uploading" in text(without, "stderr")


def test_a_graph_and_previews_on_every_lake(lake: Lake) -> None:
    needs("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    main = lake.branch
    repository = lakefs_hl.repository(main.repository_id, client=lake.client)
    out = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "name": ["<b>", "grün"]}), out)
    main.upload(out.getvalue(), "t.parquet")
    main.upload("id,price\n1,10\n" * 100_000, "t.csv")
    first = main.commit_changes("first")
    side = repository.branch("side").create("main")
    side.upload(b"x", "x")
    second = side.commit_changes("<script>second</script>")
    repository.tag("v1").create(first)
    side.merge_into("main")

    graph = repository.graph()
    assert graph.labels == {main.head().id: ("main",), second.id: ("side",), first.id: ("v1",)}
    assert [commit.message for commit in graph.commits][1:] == [second.message, "first", "Repository created"]
    check(graph._repr_html_())
    assert main.stat("t.parquet").preview().rows == (("1", "<b>"), ("2", "grün"))
    table = main.stat("t.csv").preview()
    assert (table.columns, len(table.rows)) == (("id", "price"), 20)
    page = first.diff(main).head()._repr_html_()  # type: ignore[attr-defined]
    assert "<b>Changes</b> <i>1</i>" in page
    check(page)
