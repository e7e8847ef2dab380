"""The recorded contract, replayed over a socket and in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.engine import Engine
from tests.contract import replay
from tests.serving import running

EXCEPTIONS = replay.listed(Path(__file__).parent / "exceptions.md")
RECORDINGS = replay.recordings()
pytestmark = pytest.mark.xdist_group("contract")


@pytest.fixture(scope="module")
def over_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[replay.Server]:
    folder = tmp_path_factory.mktemp("served")  # the recorded server imports files
    with running(folder / "lake", arguments=["--import-root", str(folder)]) as served:
        with replay.over_http(served.url, served.key, served.secret) as server:
            yield server


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[replay.Server]:
    engine = Engine.open(tmp_path_factory.mktemp("local") / "lake", sync=False)
    yield replay.InProcess(App(engine), "admin")
    engine.close()


@pytest.fixture(scope="module")
def totals(request: pytest.FixtureRequest) -> Iterator[dict[str, replay.Outcome]]:
    """Counts, and prints the closing lines past pytest's capture (a worker of xdist has no terminal of its own)."""
    found = {"over HTTP": replay.Outcome(), "in process": replay.Outcome()}
    yield found
    plugins = request.config.pluginmanager
    capture, terminal = plugins.get_plugin("capturemanager"), plugins.get_plugin("terminalreporter")
    if capture is None or terminal is None:
        return
    with capture.global_and_fixture_disabled():
        terminal.ensure_newline()
        for way, outcome in found.items():
            excepted = f", {len(EXCEPTIONS)} of them as listed in exceptions.md"
            for line in (f"contract {way}: {outcome}{excepted}", *outcome.left_out):
                terminal.write_line(line)


def replayed(path: Path, server: replay.Server) -> replay.Outcome:
    """Replays a recording; `repositories` a second time if it fails.

    It wants two repositories to have one first commit, which lakeFS gives to those that it makes within one second: a
    second's edge may lie between them, and does not twice in a row.
    """
    outcome = replay.replay(path, server, EXCEPTIONS)
    if outcome.failed and path.stem == "repositories":
        outcome = replay.replay(path, server, EXCEPTIONS)
    return outcome


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_recordings_are_reproduced_over_http(
    path: Path, over_http: replay.Server, totals: dict[str, replay.Outcome]
) -> None:
    outcome = replayed(path, over_http)
    totals["over HTTP"].add(outcome)
    assert not outcome.left_out
    assert not outcome.failed, "\n".join([*outcome.failed, str(outcome)])


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_recordings_are_reproduced_in_process(
    path: Path, in_process: replay.Server, totals: dict[str, replay.Outcome]
) -> None:
    outcome = replayed(path, in_process)
    totals["in process"].add(outcome)
    assert len(outcome.left_out) <= (2 if path.stem == "service" else 0)
    assert not outcome.failed, "\n".join([*outcome.failed, str(outcome)])


def test_the_list_names_recorded_exchanges() -> None:
    stems = {path.stem for path in RECORDINGS}
    assert all(name.partition("[")[0] in stems for name in EXCEPTIONS)


def test_a_difference_is_found(in_process: replay.Server) -> None:
    def other(request: dict[str, object]) -> dict[str, object]:
        answer = in_process(request)
        return {**answer, "status": answer["status"] + 1} if request["method"] == "DELETE" else answer

    path = next(path for path in RECORDINGS if path.stem == "tags")
    assert replay.replay(path, other, {}).failed
