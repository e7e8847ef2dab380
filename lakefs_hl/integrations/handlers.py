"""The handler between pyarrow and the file system. A module of its own, because the class needs pyarrow to be made."""

from __future__ import annotations

from typing import Any

from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler


class Handler(FSSpecHandler):  # type: ignore[misc]
    """A handler that opens an object without looking it up first: opening raises what a look-up would.

    It can be pickled, as the file system can.
    """

    def open_input_file(self, path: str) -> Any:
        """Open an object for reads at any position.

        Raises:
            FileNotFoundError: There is no such object.
        """
        return PythonFile(self.fs.open(path, mode="rb"), mode="r")

    def open_input_stream(self, path: str) -> Any:
        """Open an object for reading from its start.

        Raises:
            FileNotFoundError: There is no such object.
        """
        return self.open_input_file(path)
