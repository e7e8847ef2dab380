"""The connection of a client: its settings, and the transport that they name."""

from __future__ import annotations

import sys
import warnings
from urllib.parse import urlsplit

import msgspec

from lakefs_hl._build.lake import open_lake, private_name
from lakefs_hl._build.session import policy_of
from lakefs_hl._version import __version__
from lakefs_hl.config.endpoint import is_loopback
from lakefs_hl.config.options import ClientOptions
from lakefs_hl.config.settings import Settings, resolve
from lakefs_hl.spec.errors import InsecureConfigWarning, InsecureTransportWarning
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.offline import Offline

#: Concurrent requests to a server, unless something else was configured.
#: Threads of one operation: more only wait for each other's turn at the interpreter.
MAX_THREADS = 32
#: Requests of one operation on one thread.
MAX_ON_LANE = 128


def settle(options: ClientOptions, *, without_secret: bool) -> tuple[ClientOptions, Settings, bool]:
    """Look up what the options leave open.

    Args:
        options: The options of the client.
        without_secret: Whether they come from a pickle that left a secret out.

    Returns:
        The options, with the name of a lake in memory and the absolute path of a lake in a directory, so that they mean
        the same lake wherever they are unpickled; the settings; and whether a private lake in memory is still to be
        made.

    Raises:
        InvalidConfigError: A source holds something unusable.
        NoAuthenticationFound: No source holds credentials.
    """
    settings = resolve(options, without_secret=without_secret)
    new = settings.endpoint == "mem://"
    if new:
        settings = msgspec.structs.replace(settings, endpoint=private_name())
    if new or (settings.endpoint.startswith("local:") and options.host is not None):
        options = options.replace(host=settings.endpoint)
    return options, settings, new


def open_transport(settings: Settings, options: ClientOptions, *, new: bool, create: bool) -> Transport:
    """Return the transport that the settings name; no request is sent.

    Args:
        settings: The settings of the client.
        options: Its options.
        new: Whether a private lake in memory is made.
        create: Whether an embedded lake that does not exist is created.

    Raises:
        LakeError: The embedded lake cannot be opened, or does not exist.
    """
    if settings.offline and not settings.in_process:
        return Offline(settings.offline)
    if options.transport is not None:
        from lakefs_hl.transport.function import FunctionTransport

        return FunctionTransport(options.transport, fan_out=options.max_concurrency or 1)
    if settings.in_process:
        return open_lake(settings, new=new, create=create)
    from lakefs_hl.transport.http import Http  # urllib3 costs 100 ms: loaded by the first client that needs it

    most = options.max_concurrency or settings.max_concurrency
    policy = policy_of(options)
    return Http(
        settings.endpoint,
        fan_out=most or MAX_THREADS,
        width=most or MAX_ON_LANE,
        ca_cert=settings.ca_cert,
        verify_ssl=options.verify_ssl,
        proxies=settings.proxies,
        no_proxy=settings.no_proxy,
        allowed_storage_hosts=tuple(options.allowed_storage_hosts),
        user_agent=f"lakefs-hl/{__version__}",
        most=settings.most_in_process,
        repeats_overwrites=policy.retry_overwrites and policy.attempts > 1,
    )


def warn_of_exposed_secrets(settings: Settings, options: ClientOptions) -> None:
    """Warn of secrets that others may see; the warning names the line of the user's code."""
    parts = urlsplit(settings.endpoint)
    host = parts.hostname or ""
    level = _level_of_user()
    for text in settings.exposed:
        warnings.warn(text, InsecureConfigWarning, stacklevel=level)
    if options.transport is not None:
        return
    text = ""
    if parts.scheme == "http" and not is_loopback(host):
        text = f"{settings.endpoint}: credentials and data go over the network unencrypted; use https://"
    gateway = settings.gateway_endpoint or ""
    if gateway.startswith("http://") and not is_loopback(urlsplit(gateway).hostname or ""):
        warnings.warn(
            f"gateway_endpoint={gateway}: links that are signed for it go over the network unencrypted; use https://",
            InsecureTransportWarning,
            stacklevel=level,
        )
    if parts.scheme == "https" and not options.verify_ssl:
        text = (
            f"verify_ssl=False: any server that claims to be {host} gets the credentials; trust its CA with ca_cert= "
            "instead"
        )
    if text:
        warnings.warn(text, InsecureTransportWarning, stacklevel=level)


def _level_of_user() -> int:
    """Return the stack level of the first frame that is not this package's, as `warnings.warn` in the caller counts."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("lakefs_hl"):
        frame, level = frame.f_back, level + 1
    return level
