"""The command in a process of its own: exit codes, pipes, Ctrl-C, terminals, what it loads and how fast it starts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import cli
from tests import serving
from tests.lakes import served_lake as served_lake
from tests.processes import ending

COMMAND = [sys.executable, "-m", "lakefs_hl"]
START_MS, START_RATIO, ROUNDS = 250.0, 5.0, 5


def run(*arguments: str, lake: Path | None = None, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    command = [*COMMAND, *(["--lake", f"local:{lake}"] if lake else []), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **(environ or {})}
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a repository `example` that has some objects."""
    place = tmp_path_factory.mktemp("commands") / "lake"
    with lakefs_hl.Client(f"local:{place}") as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        branch.upload(b"x" * 1_000_000, "big")
        lakefs_hl.repository("example", client=client).branch("dev").create("main")
        branch.upload(b"1", "odd\x1b[31m\nname")
    return place


MAIN = "lakefs://example/main"


def test_exit_codes(lake: Path) -> None:
    for code, arguments in (
        (0, ("fs", "stat", f"{MAIN}/big")),
        (3, ("fs", "stat", f"{MAIN}/none\x1b[31m")),
        (8, ("diff", MAIN, "--exit-code")),
    ):
        found, _, errors = run(*arguments, lake=lake)
        assert (found, "\x1b" in errors) == (code, False), errors


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (1, ("commit", "lakefs://example/dev", "-m", "nothing")),
        (2, ("fs", "stat", MAIN)),
        (2, ("fs", "nothing")),
        (4, ("branch", "delete", MAIN, "--yes")),
        (5, ("repo", "create", "lakefs://example")),
    ],
)
def test_exit_codes_of_main(
    lake: Path, code: int, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--lake", f"local:{lake}", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err


def test_exit_codes_of_a_server(
    served_lake: serving.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["repo", "list"]) == 4
    assert "lakectl config" in capsys.readouterr().err
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", served_lake.key)
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "mistaken")
    assert cli.main(["--lake", served_lake.url, "repo", "list"]) == 4
    assert "mistaken" not in capsys.readouterr().err
    assert cli.main(["--lake", "http://127.0.0.1:9", "repo", "list"]) == 7


def test_a_configuration_file_and_a_profile(
    served_lake: serving.Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = served_lake.folder / "lakectl.yaml"
    assert cli.main(["repo", "list", "--config", str(file)]) == 0
    assert cli.main(["-c", str(file), "repo", "list"]) == 0
    assert "LAKECTL_CONFIG_FILE" not in os.environ
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".lakectl.work.yaml").write_bytes(file.read_bytes())
    (tmp_path / ".lakectl.work.yaml").chmod(0o600)
    assert cli.main(["repo", "list", "--profile", "work"]) == 0
    capsys.readouterr()
    assert cli.main(["repo", "list", "--profile", "work", "--config", str(file)]) == 2
    assert "--profile" in capsys.readouterr().err
    assert cli.main(["repo", "list", "--config", str(tmp_path / "none.yaml")]) == 2


def test_a_missing_lake_is_not_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--lake", f"local:{tmp_path}/none", "repo", "list"]) == 2
    assert "no lake here" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert cli.main(["--lake", f"local:{tmp_path}/new", "repo", "create", "lakefs://example"]) == 0


def test_a_closed_pipe_is_silent(lake: Path) -> None:
    processes = [
        subprocess.Popen(
            [*COMMAND, "--lake", f"local:{lake}", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for arguments in (("fs", "cat", f"{MAIN}/big"), ("fs", "ls", MAIN))
    ]
    with ending(*processes):
        for process in processes:
            assert process.stdout is not None
            process.stdout.close()
        for process in processes:
            assert process.stderr is not None
            assert process.stderr.read() == b""
            assert process.wait(timeout=60) == cli.CLOSED_PIPE


def test_ctrl_c_ends_a_transfer_without_traceback(lake: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--lake", f"local:{lake}", "fs", "cp", "-", f"{MAIN}/streamed"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with ending(process):
        assert process.stdin is not None
        process.stdin.write(b"x" * 4_000_000)  # more than a pipe holds: it is reading
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert errors.decode() == "lakefs-hl fs cp: interrupted\n"
    assert run("fs", "stat", f"{MAIN}/streamed", lake=lake)[0] == 3


def in_terminal(lake: Path, *arguments: str, **environ: str) -> bytes:
    """Run the command with standard output on a terminal, and return what is shown."""
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    process = subprocess.Popen(
        [*COMMAND, "--lake", f"local:{lake}", *arguments], stdout=theirs, env={"TERM": "xterm", **variables, **environ}
    )
    os.close(theirs)
    with ending(process):
        shown = b"".join(_read(ours))
        os.close(ours)
        assert process.wait(timeout=60) == 0
    return shown


def _read(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # EIO: the other side was closed
            return
        if not part:
            return
        yield part


def test_a_terminal_has_colours_and_escaped_names(lake: Path) -> None:
    shown = in_terminal(lake, "diff", MAIN)
    assert b"\x1b[32m+ added odd\\x1b[31m\\nname\x1b[0m\r\n" in shown


def test_a_pipe_receives_names_as_they_are(lake: Path) -> None:
    assert "odd\x1b[31m\nname\n" in run("fs", "ls", MAIN, "-q", lake=lake)[1]


# -- what is loaded ----------------------------------------------------------------------------------------------------


def loaded(*arguments: str, names: tuple[str, ...]) -> set[str]:
    """Return which of some modules a command loads."""
    code = (
        "import sys\nfrom lakefs_hl.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\n"
        f"print(*[name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_no_lake_and_no_client() -> None:
    heavy = ("lakefs_hl.local", "lakefs_hl._sync.client", "msgspec", "urllib3", "apsw", "yaml", "asyncio")
    assert loaded("--help", names=heavy) == set()
    assert loaded("fs", "cp", "--help", names=heavy) == set()


def test_a_server_needs_no_lake(served_lake: serving.Served) -> None:
    names = ("lakefs_hl.local", "apsw", "click")
    assert loaded("repo", "list", "-q", "--config", str(served_lake.folder / "lakectl.yaml"), names=names) == {"click"}


def test_the_commands_of_a_lake_need_no_click(tmp_path: Path) -> None:
    assert loaded("fsck", str(tmp_path), names=("click",)) == set()


def without_click(*arguments: str) -> tuple[int, str, str]:
    code = (
        f"import sys\nsys.modules['click'] = None\nfrom lakefs_hl.cli import main\nsys.exit(main({list(arguments)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_without_click_the_other_commands_say_what_to_install() -> None:
    code, out, errors = without_click("fs", "ls", MAIN)
    assert (code, out) == (2, "")
    assert errors == "lakefs-hl fs: needs click: pip install 'lakefs-hl[cli]'\n"


def test_without_click_help_and_the_commands_of_a_lake_work(tmp_path: Path) -> None:
    code, out, _ = without_click("--help")
    assert code == 0
    assert "lakefs-hl[cli]" in out
    assert all(name in out for name in ("serve", "fsck", "configure", "exit codes"))
    assert without_click()[0] == 2
    assert "no lake here" in without_click("fsck", str(tmp_path))[2]


def test_the_shell_completes() -> None:
    environ = {"_LAKEFS_HL_COMPLETE": "bash_complete", "COMP_WORDS": "lakefs-hl fs v", "COMP_CWORD": "2"}
    code = "import sys\nsys.argv[0] = 'lakefs-hl'\nfrom lakefs_hl.cli import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.stdout == "plain,verify\n"


def test_lakectl_runs_it_as_a_plugin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/lakectl-hl", "fs", "ls"])
    assert cli.main() == 2
    assert "Usage: lakectl hl fs ls" in capsys.readouterr().err


# -- how fast it starts ------------------------------------------------------------------------------------------------


@pytest.mark.xdist_group("alone")
def test_it_starts_fast() -> None:
    """As a multiple of loading click in a bare interpreter, in turns, the smallest of each; and within the bound."""
    commands = ([*COMMAND, "--help"], [sys.executable, "-c", "import click"])
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for index, command in enumerate(commands):
            best[index] = min(best[index], 1000 * _seconds(command))
    ours, click = best
    assert ours <= START_RATIO * click, f"{ours:.0f} ms, and click alone takes {click:.0f} ms"
    assert ours <= max(START_MS, START_RATIO * click), f"{ours:.0f} ms"


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - began
