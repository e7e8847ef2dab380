"""Facades, loaded when a method that returns one is called."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def load(colour: str, module: str) -> ModuleType:
    """Return a module of `lakefs_hl.facades` in a colour.

    Args:
        colour: "aio" or "_sync"; or the `__name__` of a module of that colour, such as `lakefs_hl.aio.refs`.
        module: Name of the module, such as "files".

    Examples:
        >>> load("lakefs_hl._sync.refs", "stores").__name__
        'lakefs_hl.facades._sync.stores'
    """
    parts = colour.split(".")
    return import_module(f"lakefs_hl.facades.{parts[1] if len(parts) > 1 else colour}.{module}")
