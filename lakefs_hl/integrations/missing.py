"""Libraries that are not installed: an error that names the extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def explain_missing(call: str, package: str, *, extra: str) -> Iterator[None]:
    """Turn the error of an import of a library that is not installed into one that says how to install it.

    Args:
        call: What needs the library.
        package: Name that is imported.
        extra: The extra of this package that installs it.

    Raises:
        ModuleNotFoundError: The library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != package:
            raise  # another module is missing: a damaged installation of the library
        msg = f"{call} needs {package}: pip install 'lakefs-hl[{extra}]'"
        raise ModuleNotFoundError(msg, name=exc.name) from None
