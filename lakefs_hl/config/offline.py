"""Settings of work without a server: whether requests are refused, and the size of the cache of snapshots."""

from __future__ import annotations

from lakefs_hl.config.environment import Environment
from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.sources import ARGUMENTS, SettingSource
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.sizes import byte_count

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


def find_offline(options: ClientOptions, environment: Environment, sources: list[SettingSource]) -> str:
    """Return what makes a client offline, such as "LAKEFS_HL_OFFLINE=1"; "" if nothing does.

    Raises:
        InvalidConfigError: The variable is neither true nor false.
    """
    name = environment.first(OPTIONS["offline"].variables)
    if options.offline is not None:
        found, source, text = options.offline, ARGUMENTS, "offline=True"
    elif name is not None:
        source, text = name, f"{name}={environment[name]}"
        value = environment[name].strip().lower()
        if value not in _YES | _NO:
            raise InvalidConfigError(f"{name}={environment[name]!r:.80}: must be 1 or 0")
        found = value in _YES
    else:
        return ""
    sources.append(SettingSource("offline", str(found), source))
    return text if found else ""


def find_cache_size(options: ClientOptions, environment: Environment, sources: list[SettingSource]) -> int | None:
    """Return the size of the cache of snapshots in bytes; None means the default.

    Raises:
        InvalidConfigError: The variable is not a size.
    """
    value, source = options.cache_size, ARGUMENTS
    name = environment.first(OPTIONS["cache_size"].variables)
    if value is None and name is not None:
        try:
            value, source = byte_count(environment[name], name), name
        except ValueError as exc:
            raise InvalidConfigError(str(exc)) from None
    if value is None:
        return None
    size = byte_count(value, "cache_size")
    sources.append(SettingSource("cache_size", str(size), source))
    return size
