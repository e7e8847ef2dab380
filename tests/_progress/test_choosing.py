"""What the argument `progress=` means, and where an automatic bar is shown."""

from __future__ import annotations

import functools
import io
import subprocess
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._handles.transfers import TransferEvent
from lakefs_hl._progress import choosing, progress_of
from lakefs_hl._progress.choosing import SILENT
from lakefs_hl._progress.events import ListenerProgress, Progress
from lakefs_hl._progress.updates import DisplayProgress
from lakefs_hl.config.display import VARIABLES
from tests._progress.test_displays import Recorder, terminal
from tests._progress.test_events import whole_transfer


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing switches progress off, and no kernel runs."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    Recorder.made = []
    choosing._tqdm.cache_clear()
    yield
    choosing._tqdm.cache_clear()


@pytest.fixture
def no_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


def start_kernel(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    """A fake kernel of IPython."""
    module: Any = types.ModuleType("IPython")
    module.get_ipython = lambda: types.SimpleNamespace(config=config)
    monkeypatch.setitem(sys.modules, "IPython", module)


def shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch, argument: object, **options: Any) -> str:
    with terminal() as (stream, read):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress_of(argument, title="Uploading", **options) as progress:
            whole_transfer(progress)
        return cast("str", read())


# -- automatic ---------------------------------------------------------------------------------------------------------


def test_a_terminal_shows_a_bar_of_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm", reason="tqdm is in the extra progress")
    threads = set(threading.enumerate())
    shown = shown_on_a_terminal(monkeypatch, None, total=1)
    assert "Uploading: 100%|" in shown
    assert "4/4 [" in shown
    assert "1 skipped, 1 failed" in shown
    assert set(threading.enumerate()) == threads  # tqdm starts one to look after its bars


def test_a_terminal_without_tqdm_shows_a_line(monkeypatch: pytest.MonkeyPatch, no_tqdm: None) -> None:
    shown = shown_on_a_terminal(monkeypatch, None)
    assert shown.startswith("\rUploading: 100% 4/4 objects (")
    assert shown.endswith("s\r\n")


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_environment_switches_it_off(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    assert shown_on_a_terminal(monkeypatch, None) == ""


@pytest.mark.parametrize("argument", [None, False])
def test_nobody_watches_a_pipe(argument: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert progress_of(argument, total=3) is SILENT


class Raising(io.StringIO):
    def isatty(self) -> bool:
        raise ValueError("I/O operation on closed file")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Raising(), object()], ids=["None", "closed", "raises", "odd"])
def test_stderr_that_is_none_or_closed_is_silence(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert progress_of(None) is SILENT
    with progress_of(True) as progress:
        whole_transfer(progress)


def test_stderr_may_be_closed_meanwhile(monkeypatch: pytest.MonkeyPatch, no_tqdm: None) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_of(True) as progress:
        stream.close()
        whole_transfer(progress)


def test_a_notebook_shows_a_bar(monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    mocker.patch.object(choosing, "_tqdm", return_value=Recorder)
    start_kernel(monkeypatch, {"IPKernelApp": {}})
    with progress_of(None, title="Uploading") as progress:
        whole_transfer(progress)
    assert [(bar.n, bar.closed) for bar in Recorder.made] == [(4, 1)]


def test_a_notebook_without_tqdm_shows_a_line(monkeypatch: pytest.MonkeyPatch, no_tqdm: None) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    start_kernel(monkeypatch, {"IPKernelApp": {}})
    with progress_of(None, title="Uploading") as progress:
        whole_transfer(progress)
    assert stream.getvalue().startswith("\rUploading: 100% 4/4")


@pytest.mark.parametrize("config", [{}, {"TerminalIPythonApp": {}}])
def test_ipython_in_a_pipe_is_no_notebook(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    start_kernel(monkeypatch, config)
    assert progress_of(None) is SILENT


def test_a_notebook_without_widgets_is_not_warned_of() -> None:
    """In an interpreter of its own: tqdm decides while it is imported."""
    pytest.importorskip("tqdm", reason="tqdm is in the extra progress")
    code = """
import sys, types, warnings
warnings.simplefilter("error")
sys.modules["ipywidgets"] = sys.modules["IPython.html.widgets"] = None
kernel = types.ModuleType("IPython")
kernel.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = kernel
for name in ("IPython.display",):
    module = sys.modules[name] = types.ModuleType(name)
    module.display = print
from lakefs_hl._progress import progress_of
with progress_of(None, total=2, title="Uploading") as progress:
    progress.complete("a", 1)
    progress.complete("b", 1)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "Uploading: 100%" in done.stderr
    assert "IProgress" not in done.stderr
    assert done.stdout == ""


def test_the_package_does_not_load_tqdm_or_ipython_to_find_out() -> None:
    code = """
import sys
from lakefs_hl._progress import progress_of
with progress_of(None) as progress:
    progress.complete("a", 1)
assert not {"tqdm", "IPython", "fsspec"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=60, check=True)


# -- chosen ------------------------------------------------------------------------------------------------------------


def test_true_shows_a_bar_wherever_stderr_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm", reason="tqdm is in the extra progress")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    for name in VARIABLES:  # the argument wins over the environment
        monkeypatch.setenv(name, "1")
    with progress_of(True, title="Uploading") as progress:
        whole_transfer(progress)
    assert "Uploading: 100%|" in stream.getvalue()


def test_true_without_tqdm_is_a_line_in_a_log(monkeypatch: pytest.MonkeyPatch, no_tqdm: None) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_of(True, title="Uploading") as progress:
        whole_transfer(progress)
    assert stream.getvalue().startswith("Uploading: 100% 4/4 objects (")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("make", [Recorder, functools.partial(Recorder, colour="green")], ids=["class", "partial"])
def test_a_class_makes_the_bar(make: Any) -> None:
    with progress_of(make, title="Uploading", total=1) as progress:
        whole_transfer(progress)
    (bar,) = Recorder.made
    assert (bar.options["desc"], bar.n, bar.closed) == ("Uploading", 4, 1)


def test_the_classes_of_tqdm_make_bars() -> None:
    tqdm = pytest.importorskip("tqdm", reason="tqdm is in the extra progress").tqdm
    stream = io.StringIO()
    with progress_of(functools.partial(tqdm, file=stream), title="Uploading") as progress:
        whole_transfer(progress)
    assert "Uploading: 100%|" in stream.getvalue()
    with tqdm(total=4, file=stream) as bar, progress_of(bar) as progress:
        whole_transfer(progress)
        progress.close()
        assert bar.n == 4
        assert not bar.disable


class Listener:
    def __init__(self) -> None:
        self.seen = list[str]()

    def on_event(self, event: TransferEvent) -> None:
        self.seen.append(event.kind)


def test_listeners_and_callables_are_told_events() -> None:
    listener, seen = Listener(), list[TransferEvent]()
    for argument in (listener, seen.append, functools.partial(list.append, seen)):
        with progress_of(argument) as progress:
            whole_transfer(progress)
    assert listener.seen == ["enter", "start", "progress", "complete", "skip", "fail", "leave", "delete"]
    assert [event.kind for event in seen] == listener.seen * 2


def test_a_mock_is_a_listener(mocker: MockerFixture) -> None:
    listener = mocker.Mock()
    with progress_of(listener) as progress:
        progress.complete("a", 1)
    listener.on_event.assert_called_once_with(TransferEvent("complete", "a", 1, 1))


async def coroutine(event: TransferEvent) -> None:
    raise NotImplementedError


class Asynchronous:
    async def on_event(self, event: TransferEvent) -> None:
        raise NotImplementedError


class AsynchronousCall:
    async def __call__(self, event: TransferEvent) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("argument", [coroutine, Asynchronous(), AsynchronousCall()])
def test_coroutine_functions_are_refused(argument: object) -> None:
    with pytest.raises(TypeError, match="is a coroutine function; pass a plain one"):
        progress_of(argument)


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        (1, "an object of class int"),
        ("tqdm", "an object of class str"),
        ([], "an object of class list"),
        (Listener, "the class Listener"),
        (object(), "an object of class object"),
    ],
)
def test_anything_else_is_refused(argument: object, name: str) -> None:
    with pytest.raises(TypeError, match=f"progress must be None, True, False, a callable, .*, not {name}$"):
        progress_of(argument)


def test_totals_are_passed_on(mocker: MockerFixture) -> None:
    progress = progress_of(Recorder, total=3)
    progress.expect(objects=1)
    progress.close()
    assert Recorder.made[0].options["total"] == 4
    assert isinstance(progress, DisplayProgress)
    assert isinstance(progress_of(print), ListenerProgress)


# -- cost --------------------------------------------------------------------------------------------------------------


def microseconds(progress: Progress) -> float:
    """Processor time per small object, the best of five."""
    paths = [f"data/{number}" for number in range(4_000)]
    found = list[float]()
    for _ in range(5):
        start = time.process_time()
        for path in paths:
            progress.start(path, 120)
            progress.complete(path, 120)
        found.append((time.process_time() - start) / len(paths) * 1e6)
    return min(found)


def test_progress_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = microseconds(progress_of(False))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_of(True, total=100_000) as bar:
        with_bar = microseconds(bar)
    assert silent <= 1.0
    assert with_bar <= 3.0


def test_no_warning_is_left_out_of_the_callers_filters() -> None:
    """The import of tqdm hides its warnings, and restores the filters."""
    before = list(warnings.filters)
    choosing._tqdm()
    assert list(warnings.filters) == before
