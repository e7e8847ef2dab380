"""Settings of the network: proxies, certificate authorities, the S3 gateway, and the number of concurrent requests."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from lakefs_hl.config.environment import Environment
from lakefs_hl.config.options import OPTIONS, ClientOptions, count, gateway
from lakefs_hl.config.sources import ARGUMENTS, SettingSource
from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.hosts import proxy_fault
from lakefs_hl.spec.secret import hide_login, reveal

#: Scheme -> the variables of its proxy.
_PROXY_VARIABLES: Final = {
    scheme: tuple(name for name in OPTIONS["proxy"].variables if name.lower() == f"{scheme}_proxy")
    for scheme in ("https", "http", "all")
}
#: Hosts that are never reached through a proxy of the environment, as in lakectl.
_LOOPBACK: Final = ("localhost", "127.0.0.0/8", "::1")


def find_proxies(
    options: ClientOptions, environment: Environment, sources: list[SettingSource]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return proxy URLs by scheme, and the hosts that are reached without one.

    Raises:
        InvalidConfigError: `proxy` is not the URL of a proxy.
    """
    if options.proxy is not None:
        if not options.proxy:
            return {}, ()
        sources.append(SettingSource("proxy", _without_login(options.proxy), ARGUMENTS))
        return {"all": hide_login(_check_proxy(options.proxy))}, ()
    found: dict[str, str] = {}
    for scheme in _PROXY_VARIABLES:
        names = _PROXY_VARIABLES[scheme]
        if "REQUEST_METHOD" in environment:
            # In a CGI script HTTP_PROXY is a header of the request ("httpoxy", CVE-2016-5385).
            names = tuple(name for name in names if name != "HTTP_PROXY")
        name = environment.first(names)
        if name is not None:
            value = environment[name]
            found[scheme] = hide_login(value if "://" in value else "http://" + value)
            sources.append(SettingSource(f"proxy for {scheme}", _without_login(found[scheme]), name))
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return found, (*(one.strip() for one in listed.split(",") if one.strip()), *_LOOPBACK)


def _check_proxy(value: str) -> str:
    why = proxy_fault(value)
    if why:
        raise InvalidConfigError(f"proxy={_without_login(value)!r} is not a proxy: {why}")
    return value


def _without_login(url: str) -> str:
    before, at, after = reveal(url).rpartition("@")
    scheme, mark, _ = before.partition("://")
    return f"{scheme if mark else ''}{mark}…@{after}" if at else url


def find_ca_cert(options: ClientOptions, environment: Environment, sources: list[SettingSource]) -> str | None:
    """Return the file or directory of the certificate authorities to trust; None means those of the system.

    Raises:
        InvalidConfigError: It does not exist, or is neither a file nor a directory.
    """
    name = environment.first(OPTIONS["ca_cert"].variables)
    if options.ca_cert:
        setting, source, value = "ca_cert", ARGUMENTS, str(options.ca_cert)
    elif name is not None:
        setting, source, value = name, name, environment[name]
    else:
        return None
    try:
        path = Path(value).expanduser()
        mode = path.stat().st_mode
    except (OSError, RuntimeError, ValueError) as exc:  # the last two: an unknown home directory, a zero byte
        why = f"cannot be read: {getattr(exc, 'strerror', None) or str(exc).rstrip('.')}"
        why = "does not exist" if isinstance(exc, FileNotFoundError) else why
        raise InvalidConfigError(f"{setting}={value!r} {why}: must be a file of certificates") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading a FIFO would wait for its writer
        from lakefs_hl.config.lakectl import kind_of_file

        raise InvalidConfigError(f"{setting}={value!r} is {kind_of_file(mode)}: must be a file of certificates")
    sources.append(SettingSource("ca_cert", str(path), source))
    return str(path)


def find_most_in_process(environment: Environment) -> int | None:
    """Return the maximum number of concurrent requests of all clients of this process; None means any.

    Raises:
        InvalidConfigError: The variable is not an integer of at least 1.
    """
    name = environment.first(OPTIONS["max_concurrency"].variables)
    return None if name is None else _count_of(environment, name)


def _count_of(environment: Environment, name: str) -> int:
    text = environment[name].strip()
    if not text.isdecimal():
        raise InvalidConfigError(f"{name}={text!r}: must be an integer >= 1")
    return count(int(text), name)


def find_max_concurrency(options: ClientOptions, environment: Environment, sources: list[SettingSource]) -> int | None:
    """Return the maximum number of concurrent requests; None means the transport's default.

    Raises:
        InvalidConfigError: The variable is not an integer of at least 1.
    """
    value, source = options.max_concurrency, ARGUMENTS
    name = environment.first(OPTIONS["max_concurrency"].variables)
    if value is None and name is not None:
        value, source = _count_of(environment, name), name
    if value is not None:
        sources.append(SettingSource("max_concurrency", str(value), source))
    return value


def find_gateway(options: ClientOptions, environment: Environment, sources: list[SettingSource]) -> str | None:
    """Return the endpoint of the S3 gateway; None means that of the server.

    Raises:
        InvalidConfigError: The variable is not an endpoint.
    """
    value, source = options.gateway_endpoint, ARGUMENTS
    name = environment.first(OPTIONS["gateway_endpoint"].variables)
    if value is None and name is not None:
        value, source = gateway(reveal(environment[name]), name), name
    if value is not None:
        sources.append(SettingSource("gateway_endpoint", value, source))
    return value
