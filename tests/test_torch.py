"""What `lakefs_hl.torch` says without PyTorch. tests/ecosystem/test_torch.py has its data sets."""

from __future__ import annotations

import importlib
import sys

import pytest


def test_without_pytorch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lakefs_hl.torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lakefs-hl\[torch\]'") as raised:
        importlib.import_module("lakefs_hl.torch")
    assert raised.value.name == "torch"
