"""Which libraries a test needs. Without one it is skipped with the reason, and fails in `.ci/ecosystem`."""

from __future__ import annotations

import importlib.util
import os

import pytest

#: Set by `.ci/ecosystem`: a library that is missing is a failure.
REQUIRED = "LAKEFS_HL_TEST_ECOSYSTEM"


def needs(*names: str) -> None:
    """Skip the module that calls this at its top if a package is missing.

    Args:
        names: Names that are imported, such as "sklearn".

    Raises:
        ModuleNotFoundError: A package is missing, and this is `.ci/ecosystem`.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing and os.environ.get(REQUIRED):
        msg = f"{', '.join(missing)} is not installed, and {REQUIRED} is set"
        raise ModuleNotFoundError(msg, name=missing[0])
    if missing:
        reason = f"needs {', '.join(missing)}: pip install -e '.[ecosystem]'; .ci/ecosystem has it"
        pytest.skip(reason, allow_module_level=True)
