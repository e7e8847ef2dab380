"""Identity of clients: comparison, `repr`, and pickling."""

from __future__ import annotations

from collections.abc import Mapping
from lakefs_hl._html import escape
from typing import Any

from lakefs_hl import _html
from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.settings import Settings
from lakefs_hl.spec.secret import reveal


def key(settings: Settings, options: ClientOptions) -> tuple[Any, ...]:
    """Return a value that is equal for two clients of the same lake, with the same credentials and options."""
    rest = tuple(getattr(options, name) for name, option in OPTIONS.items() if option.identifies)
    return settings.endpoint, settings.credentials, settings.committer, rest


def describe(options: ClientOptions, settings: Settings | None) -> str:
    """Return the `repr` of a client: endpoint and caller, no secret.

    Args:
        options: Its options.
        settings: Its settings; None if it was unpickled and has not read any configuration yet.
    """
    if settings is None:
        return f"<Client {options.host or 'of the configuration'}, unpickled and not used yet>"
    caller = ""
    if not settings.in_process:
        caller = f" as {next(one.value for one in settings.sources if one.setting == 'credentials')}"
    scope = f", scope {options.scope!r}" if options.scope else ""
    return f"<Client {settings.endpoint}{caller}{scope}>"


def describe_html(options: ClientOptions, settings: Settings | None) -> str:
    """Return a client for notebooks: a table of its settings with their sources, secrets masked."""
    if settings is None:
        return f"<code>{escape(describe(options, settings))}</code>"
    rows = [(one.setting, one.value, one.source) for one in settings.sources]
    return _html.listing("Client", "", ("setting", "value", "source"), rows)


# -- pickling ----------------------------------------------------------------------------------------------------------


def pickle_options(options: ClientOptions, endpoint: str | None, *, without_secret: bool) -> tuple[dict[str, Any], bool]:
    """Return the options that a pickle of the client contains, and whether a secret was left out of them.

    The endpoint of a secret is always in the pickle, whether the secret is or not. Where the headers of a login by AWS
    role are left out, all options of the role are.

    Args:
        options: Its options.
        endpoint: Its endpoint; None if it was itself unpickled and never used: its options are pickled unchanged.
        without_secret: Whether a secret was left out when the client itself was unpickled.

    Raises:
        TypeError: Its transport is a function.
    """
    given = options.given()
    if "transport" in given:
        msg = (
            "cannot pickle a client with transport=: its function stays in this process; make the client in the process "
            "that uses it"
        )
        raise TypeError(msg)
    if endpoint is None:
        return _reveal_all(given), without_secret
    secrets = [name for name in given if OPTIONS[name].is_secret]
    if secrets:
        given.setdefault("host", endpoint)
    if options.pickle_secrets:
        return _reveal_all(given), False
    groups = {"credentials", *(OPTIONS[name].group for name in secrets)} if secrets else set()
    kept = {name: value for name, value in given.items() if OPTIONS[name].group not in groups}
    proxy = kept.get("proxy")
    if proxy is not None and "@" in proxy:
        scheme, _, rest = reveal(proxy).partition("://")
        kept["proxy"] = f"{scheme}://{rest.rpartition('@')[2]}"
    return kept, bool(secrets) or without_secret


def _reveal_all(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with secrets as plain text, for a pickle that may contain them."""
    plain: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, str):
            plain[name] = reveal(value)
        elif OPTIONS[name].is_secret:
            plain[name] = {header: reveal(text) for header, text in value.items()}
        else:
            plain[name] = value
    return plain
