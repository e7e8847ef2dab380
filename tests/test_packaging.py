"""The wheel contains the package and the right metadata, and runs the quickstart when installed alone."""

from __future__ import annotations

import email
import email.message
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lakefs_hl._version import __version__

ROOT = Path(__file__).resolve().parent.parent

# One worker builds the wheel and the environment, once; both take their time.
pytestmark = [pytest.mark.xdist_group("alone"), pytest.mark.timeout(600)]


def run(environ: dict[str, str], *argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in argv], env=environ, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(outer_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(outer_environ, sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(contents: dict[str, bytes]) -> email.message.Message:
    (name,) = (name for name in contents if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(contents[name])


@pytest.fixture(scope="module")
def scripts(wheel: Path, outer_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the executables of an environment that holds the wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    run(outer_environ, sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(outer_environ, scripts / "python", "-m", "pip", "install", "-q", wheel, cwd=folder)
    return scripts


def test_the_wheel_holds_the_package_and_nothing_else(contents: dict[str, bytes]) -> None:
    package = {name for name in contents if ".dist-info/" not in name}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "lakefs_hl").rglob("*.py")}
    assert package == there | {"lakefs_hl/py.typed"}


def test_the_licence_is_in_the_wheel(contents: dict[str, bytes], metadata: email.message.Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    (name,) = (name for name in contents if name.endswith("/LICENSE"))
    assert contents[name] == (ROOT / "LICENSE").read_bytes()


def test_the_metadata_is_right(metadata: email.message.Message) -> None:
    assert metadata["Name"] == "lakefs-hl"
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Framework :: Pytest" in metadata.get_all("Classifier", [])
    assert "pip install" in metadata.get_payload()  # the README is the long description


def test_the_dependencies_are_what_was_decided(metadata: email.message.Message) -> None:
    needed = [line.replace(" ", "") for line in metadata.get_all("Requires-Dist", []) if "extra" not in line]
    assert sorted(line.split(">")[0].split("<")[0] for line in needed) == [
        "apsw",
        "lakefs-sdk",
        "msgspec",
        "pyyaml",
        "urllib3",
        "xxhash",
    ]
    assert any(line.startswith("lakefs-sdk") and "<1.87" in line for line in needed)  # later ones: another licence


def test_the_entry_points_are_declared(contents: dict[str, bytes]) -> None:
    (name,) = (name for name in contents if name.endswith("/entry_points.txt"))
    text = contents[name].decode()
    assert "lakefs-hl = lakefs_hl.cli:main" in text
    assert "lakectl-hl = lakefs_hl.cli:main" in text
    assert "lakefs_hl = lakefs_hl.pytest_plugin" in text


def test_the_installed_package_is_typed_and_versioned(
    scripts: Path, outer_environ: dict[str, str], tmp_path: Path
) -> None:
    code = "import lakefs_hl, pathlib; print(lakefs_hl.__version__, pathlib.Path(lakefs_hl.__file__).parent)"
    version, folder = run(outer_environ, scripts / "python", "-I", "-c", code, cwd=tmp_path).strip().split(" ", 1)
    assert version == __version__
    assert Path(folder).is_relative_to(scripts.parent)
    assert (Path(folder) / "py.typed").exists()


def test_the_quickstart_runs_from_the_wheel(scripts: Path, outer_environ: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "quickstart.py"
    script.write_bytes((ROOT / "examples" / "quickstart.py").read_bytes())
    home = tmp_path / "home"
    home.mkdir()
    environ = {name: value for name, value in outer_environ.items() if not name.startswith(("LAKE", "AWS_"))}
    printed = run(environ | {"HOME": str(home)}, scripts / "python", "-I", script, cwd=tmp_path)
    assert "objects/s" in printed
    assert list(home.iterdir()) == []


def test_the_command_runs_from_the_wheel(scripts: Path, outer_environ: dict[str, str], tmp_path: Path) -> None:
    printed = run(outer_environ, scripts / "lakefs-hl", "--help", cwd=tmp_path)
    assert "serve" in printed
    assert "fsck" in printed
    assert "lakefs-hl[cli]" in printed, "the wheel alone has no click"
