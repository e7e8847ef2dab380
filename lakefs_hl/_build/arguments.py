"""Secret arguments of `Client` and `init`: hidden by the first line of the call, before anything can fail."""

from __future__ import annotations

from typing import Any, NamedTuple

from lakefs_hl.spec.secret import hide, hide_login, hide_values


class Hidden(NamedTuple):
    """The arguments that are secrets, or URLs that may contain one, hidden."""

    host: Any
    endpoint: Any
    proxy: Any
    password: Any
    secret_access_key: Any
    access_token: Any
    jwt_token: Any
    token_request_headers: Any


def hidden(
    host: Any,
    endpoint: Any,
    proxy: Any,
    password: Any,
    secret_access_key: Any,
    access_token: Any,
    jwt_token: Any,
    token_request_headers: Any,
) -> Hidden:
    """Return secret arguments hidden; the caller assigns them to its own parameters, which its frame keeps.

    The parameters are those options, and their aliases, whose metadata has a `hide`; a test compares them. They are
    listed one by one, because a mapping of them would keep the secrets in one more frame.
    """
    return Hidden(
        hide_login(host),
        hide_login(endpoint),
        hide_login(proxy),
        hide(password),
        hide(secret_access_key),
        hide(access_token),
        hide(jwt_token),
        hide_values(token_request_headers),
    )
