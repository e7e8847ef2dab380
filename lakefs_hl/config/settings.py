"""The settings of a client: its options, completed from the environment, lakectl's file and the system."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lakefs_hl.config import chain
from lakefs_hl.config.credentials import Credentials, describe
from lakefs_hl.config.endpoint import is_lake
from lakefs_hl.config.environment import Environment
from lakefs_hl.config.network import (
    find_ca_cert,
    find_gateway,
    find_max_concurrency,
    find_most_in_process,
    find_proxies,
)
from lakefs_hl.config.offline import find_cache_size, find_offline
from lakefs_hl.config.options import OPTIONS, ClientOptions
from lakefs_hl.config.sources import ARGUMENTS, SettingSource


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The resolved settings of a client.

    Attributes:
        endpoint: `http(s)://host[:port][/path]`, `local:/path`, `mem://name`, or `transport:NAME` of a function.
        credentials: Credentials of the caller.
        committer: Committer of an embedded lake; of a server, only what was given.
        proxies: Proxy URL by scheme.
        no_proxy: Hosts that are reached without one.
        ca_cert: File or directory of trusted certificate authorities.
        max_concurrency: Maximum number of concurrent requests, if it was set.
        sources: Source of each setting.
        gateway_endpoint: Endpoint of the S3 gateway, if it is not the server's.
        exposed: Files of secrets that others may read or change, each in a sentence.
        most_in_process: Maximum number of concurrent requests of all clients together, if the environment has it.
        offline: What makes the client offline, such as "LAKEFS_HL_OFFLINE=1"; "" if nothing does.
        cache_size: Size of the cache of snapshots in bytes, if it was set.
    """

    endpoint: str
    credentials: Credentials
    committer: str
    proxies: Mapping[str, str]
    no_proxy: tuple[str, ...]
    ca_cert: str | None
    max_concurrency: int | None
    sources: tuple[SettingSource, ...]
    gateway_endpoint: str | None = None
    exposed: tuple[str, ...] = ()
    most_in_process: int | None = None
    offline: str = ""
    cache_size: int | None = None

    @property
    def in_process(self) -> bool:
        """Whether the lake is an embedded one."""
        return is_lake(self.endpoint)


def resolve(
    options: ClientOptions, variables: Mapping[str, str] | None = None, *, without_secret: bool = False
) -> Settings:
    """Return the settings of a client.

    Args:
        options: The options that were given.
        variables: The environment; None means that of this process.
        without_secret: Whether the options come from a pickle that left a secret out. Other credentials are then used
            for their endpoint only if the configuration of this process names the same endpoint.

    Raises:
        InvalidConfigError: A source holds something unusable; the message names it.
        NoAuthenticationFound: No source holds credentials; the message lists what each one holds.
    """
    if options.transport is not None:
        return _settings_of_function(options)
    environment = Environment(variables)
    found = chain.look_up(options, environment, without_secret=without_secret)
    sources = [
        SettingSource("endpoint", found.endpoint, found.endpoint_source),
        SettingSource("credentials", describe(found.credentials), found.credentials_source),
    ]
    committer = options.committer or ""
    if is_lake(found.endpoint):  # looking up the operating system's user is slow
        committer, source = _find_committer(options, environment)
        sources.append(SettingSource("committer", committer, source))
    proxies, no_proxy = find_proxies(options, environment, sources)
    return Settings(
        endpoint=found.endpoint,
        credentials=found.credentials,
        committer=committer,
        proxies=proxies,
        no_proxy=no_proxy,
        ca_cert=find_ca_cert(options, environment, sources),
        max_concurrency=find_max_concurrency(options, environment, sources),
        gateway_endpoint=find_gateway(options, environment, sources),
        offline=find_offline(options, environment, sources),
        cache_size=find_cache_size(options, environment, sources),
        sources=tuple(sources),
        exposed=found.exposed,
        most_in_process=find_most_in_process(environment),
    )


def with_max_concurrency(settings: Settings, count: int) -> Settings:
    """Return the settings of a copy with another maximum of concurrent requests."""
    others = (one for one in settings.sources if one.setting != "max_concurrency")
    source = SettingSource("max_concurrency", str(count), ARGUMENTS)
    return msgspec.structs.replace(settings, max_concurrency=count, sources=(*others, source))


def _settings_of_function(options: ClientOptions) -> Settings:
    """Return settings for `transport=`. Only arguments count, so that a test does not depend on its machine."""
    found = chain.look_up_for_function(options)
    sources = [
        SettingSource("endpoint", found.endpoint, found.endpoint_source),
        SettingSource("credentials", describe(found.credentials), found.credentials_source),
    ]
    return Settings(
        endpoint=found.endpoint,
        credentials=found.credentials,
        committer=options.committer or "",
        proxies={},
        no_proxy=(),
        ca_cert=None,
        max_concurrency=options.max_concurrency,
        gateway_endpoint=options.gateway_endpoint,
        offline=find_offline(options, Environment({}), sources),
        cache_size=find_cache_size(options, Environment({}), sources),
        sources=tuple(sources),
    )


def _find_committer(options: ClientOptions, environment: Environment) -> tuple[str, str]:
    if options.committer:
        return options.committer, ARGUMENTS
    name = environment.first(OPTIONS["committer"].variables)
    if name is not None:
        return environment[name], name
    import getpass

    try:
        return getpass.getuser(), "the operating system's user"
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "lakefs_hl", "default: the user has no name"
