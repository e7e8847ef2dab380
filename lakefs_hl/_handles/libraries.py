"""What references hand to libraries of others, loaded when a method that needs it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def token(reference: Any) -> object:
    """Return the token of a reference for Dask."""
    return reference.__dask_tokenize__()


def load(module: str) -> Any:
    """Return a module of `lakefs_hl.integrations`.

    Args:
        module: Name of the module, such as "options".

    Examples:
        >>> load("options").__name__
        'lakefs_hl.integrations.options'
    """
    return import_module(f"lakefs_hl.integrations.{module}")
