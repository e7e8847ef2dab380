"""Delegated clients: a token in place of the credentials, which the pickles of the client contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.settings import Settings
from lakefs_hl.spec.secret import reveal

#: The options that name credentials, or where they are looked up.
_LOOKED_UP: Final = tuple(
    name for name, option in OPTIONS.items() if option.group in ("credentials", "aws_role") or name == "profile"
)


class Delegation(msgspec.Struct, frozen=True):
    """What is known of the token of a delegated client.

    Attributes:
        expires: When it expires, in Unix seconds. None if the server does not say so.
    """

    expires: float | None

    @property
    def source(self) -> str:
        """Where the token comes from, as `explain_auth` names it."""
        return f"client.delegate(){self._until()}"

    @property
    def advice(self) -> str:
        """What to do when the server does not accept the token."""
        return (
            f"this client has the token of client.delegate(){self._until()}; tokens are not renewed: call delegate() "
            "again where the access key is, and send the new client to the workers"
        )

    def _until(self) -> str:
        return "" if self.expires is None else f", valid until {datetime.fromtimestamp(int(self.expires), UTC)}"


def delegated_options(options: ClientOptions, endpoint: str, token: str) -> ClientOptions:
    """Return the options of a client with a token, which looks up neither an endpoint nor credentials.

    Args:
        options: The options of the client that delegates.
        endpoint: Its endpoint.
        token: The token, as a `Secret`.
    """
    nothing: dict[str, Any] = dict.fromkeys(_LOOKED_UP)
    host = {} if options.transport is not None else {"host": endpoint}
    return options.replace(**{**nothing, "pickle_secrets": False, "access_token": token, **host})


def with_token(kept: dict[str, Any], options: ClientOptions) -> dict[str, Any]:
    """Return the options that a pickle of a delegated client contains: those without secrets, and its token."""
    return {**kept, "access_token": reveal(options.access_token or "")}


def with_source(settings: Settings, delegation: Delegation) -> Settings:
    """Return the settings of a delegated client, which name the source of its token."""
    sources = tuple(
        one._replace(source=delegation.source) if one.setting == "credentials" else one for one in settings.sources
    )
    return msgspec.structs.replace(settings, sources=sources)
