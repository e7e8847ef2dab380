"""What both file systems say of names, of themselves and of their options."""

from __future__ import annotations

import json
from typing import Any

from fsspec.spec import AbstractFileSystem

from lakefs_hl.filesystem.names import SCHEME, without_protocol
from lakefs_hl.filesystem.options import SECRETS, check_plain


class Named(AbstractFileSystem):  # type: ignore[misc]
    """The part that has the names `repository/reference/path`, and shows no secret of the options."""

    protocol = SCHEME
    root_marker = ""
    _given: Any = None  # also while an instance is made: reports of errors print it

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {'the default client' if self._given is None else repr(self._given)}>"

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """Return the options as a dictionary that JSON can have, from which `from_dict` makes the file system again.

        Args:
            include_password: Whether secrets are included: keys, tokens, and a proxy, which may have a login.

        Raises:
            TypeError: A client was handed in, which is not an option that JSON can have.
        """
        check_plain(self.storage_options)
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        return found if include_password else {key: found[key] for key in found.keys() - SECRETS}

    def to_json(self, *, include_password: bool = True) -> str:
        """Return `to_dict` as JSON, from which `from_json` makes the file system again."""
        return json.dumps(self.to_dict(include_password=include_password))

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return without_protocol(path).rstrip("/")

    @classmethod
    def _parent(cls, path: Any) -> str:
        parent: str = cls._strip_protocol(path).rpartition("/")[0]
        return parent

    def unstrip_protocol(self, name: str) -> str:
        """Return the URL of a name."""
        return name if name.startswith(f"{SCHEME}://") else f"{SCHEME}://{name.lstrip('/')}"
