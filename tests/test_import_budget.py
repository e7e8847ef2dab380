"""What importing costs: the package loads lazily what a script uses.

Times are compared within one run, interleaved with a bare interpreter (or with msgspec, which every record needs),
and the smallest of many: noise only ever adds.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import lakefs_hl

HEAVY = (
    "urllib3",
    "yaml",
    "lakefs_sdk",
    "pydantic",
    "boto3",
    "botocore",
    "apsw",
    "pycurl",
    "fsspec",
    "click",
    "msgspec",
    "asyncio",
    "uvicorn",
)
IMPORT_MS, ATTRIBUTE_MS = 15.0, 30.0
ROUNDS = 15

pytestmark = pytest.mark.xdist_group("alone")  # with the other tests that want a core for themselves

TIMED = "import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


def smallest(*codes: str) -> list[float]:
    """Milliseconds of each code in fresh interpreters, taken in turns; the smallest of each."""
    best = [float("inf")] * len(codes)
    for _ in range(ROUNDS):
        for index, code in enumerate(codes):
            best[index] = min(best[index], 1000 * float(run(TIMED.format(code=code))))
    return best


def loaded(code: str) -> list[str]:
    return run(f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])").split()


def test_a_breach_of_the_budget_is_found() -> None:
    assert loaded("import yaml, asyncio") == ["yaml", "asyncio"]


@pytest.mark.parametrize("module", ["lakefs_hl", "lakefs_hl.pytest_plugin", "lakefs_hl.exceptions", "lakefs_hl.types"])
def test_nothing_heavy_is_loaded_by_the_import(module: str) -> None:
    allowed = {"msgspec"} if module in ("lakefs_hl.exceptions", "lakefs_hl.types") else set()
    assert set(loaded(f"import {module}")) <= allowed


def test_the_plugin_of_pytest_loads_itself_only() -> None:
    """It is loaded in every run of pytest on the user's machine, also in those that do not use it."""
    code = "import sys, pytest\nbefore = set(sys.modules)\nimport lakefs_hl.pytest_plugin\n"
    assert set(run(f"{code}print(*set(sys.modules) - before)").split()) <= {
        "lakefs_hl",
        "lakefs_hl._version",
        "lakefs_hl.pytest_plugin",
    }


def test_a_lake_in_process_needs_no_http_stack() -> None:
    code = "import lakefs_hl\nlakefs_hl.Client('mem://').close()"
    assert not {"urllib3", "lakefs_sdk", "pydantic", "boto3", "uvicorn"} & set(loaded(code))


def test_a_client_of_a_server_loads_what_it_uses() -> None:
    """No file of lakectl, no page of a notebook, no error response: the first client pays for none of them."""
    code = "import os, sys, lakefs_hl\nos.environ['HOME'] = '/nonexistent'\n"
    code += "from lakefs_hl.spec import kinds\n"
    code += "lakefs_hl.Client('http://127.0.0.1:1', 'key', 'secret')\n"
    assert run(f"{code}print(*sys.modules.keys() & {{'yaml', 'html'}}, kinds._matcher.cache_info().currsize)") == "0\n"


def test_listing_the_public_names_loads_nothing() -> None:
    assert loaded("import lakefs_hl\nassert 'repository' in dir(lakefs_hl)") == []


@pytest.mark.parametrize("module", [lakefs_hl, lakefs_hl.aio, lakefs_hl.types])
def test_what_an_editor_completes_are_the_public_names(module: Any) -> None:
    assert module.__all__[0] in dir(module)
    getattr(module, module.__all__[0])
    assert [name for name in dir(module) if name not in module.__all__ and not name.startswith("__")] == []


def test_the_import_is_within_its_budget() -> None:
    bare, ours = smallest("pass", "import lakefs_hl")
    assert ours - bare <= IMPORT_MS, f"import lakefs_hl takes {ours - bare:.1f} ms"


def test_first_attribute_takes_little_more_than_msgspec() -> None:
    msgspec, ours = smallest("import msgspec", "import lakefs_hl; lakefs_hl.repository")
    assert ours - msgspec <= ATTRIBUTE_MS, f"lakefs_hl.repository takes {ours - msgspec:.1f} ms over msgspec"
