"""Connections of libcurl on which nothing is asked: what comes on one belongs to no request."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from typing import Any, Final

import pycurl

_READ: Final = select.POLLIN if hasattr(select, "POLLIN") else 1


class IdleConnections:
    """The idle connections of a multi, which libcurl looks at once a second only."""

    def __init__(self) -> None:
        self._ports: dict[int, int] = {}  # our own, by descriptor
        self._poll: Any = select.poll()  # changed for each exchange, which takes no call of the system

    def __len__(self) -> int:
        return len(self._ports)

    def add(self, fd: int, port: int) -> None:
        """Watch a connection from a port of ours on which nothing is asked; -1 is none."""
        if fd >= 0:
            self._poll.register(fd, _READ)
            self._ports[fd] = port

    def discard(self, fd: int) -> None:
        """Watch a connection no more, which is in use again."""
        if fd in self._ports:
            del self._ports[fd]
            self._poll.unregister(fd)

    def discard_closed(self) -> None:
        """Watch those no more that libcurl has closed."""
        for fd, port in list(self._ports.items()):
            with suppress(OSError), _socket_of(fd) as conn:
                if _port_of(conn) == port:
                    continue
            self.discard(fd)

    def end_strange(self) -> None:
        """End the connections on which something came. libcurl cannot send on them, and takes others."""
        for fd, _ in self._poll.poll(0):
            port = self._ports[fd]
            self.discard(fd)
            with suppress(OSError), _socket_of(fd) as conn:  # closed, or of another kind
                if _port_of(conn) == port and conn.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    conn.shutdown(socket.SHUT_RDWR)


def _socket_of(fd: int) -> socket.socket:
    """Return a socket of its own for a descriptor of libcurl, which may have closed it.

    Raises:
        OSError: It is closed, or no socket.
    """
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except BaseException:
        os.close(copy)
        raise


def _port_of(conn: socket.socket) -> int:
    """Return our port of a connection; -1 if it has none."""
    return int(conn.getsockname()[1]) if conn.family in (socket.AF_INET, socket.AF_INET6) else -1


def end_connection(fd: int) -> None:
    """Shut a connection down under libcurl, which then makes another one; -1 is none."""
    if fd >= 0:
        with suppress(OSError), _socket_of(fd) as conn:
            conn.shutdown(socket.SHUT_RDWR)


def close_idle(multi: Any, most: int) -> None:
    """Close the connections of a multi on which nothing is asked, but for `most`, the oldest ones first.

    libcurl has no call for that. It closes what exceeds a limit of all connections when it opens another one, so one is
    opened that is refused at once, by the system and without a network.
    """
    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.URL, "http://localhost/")
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.UNIX_SOCKET_PATH, "/dev/null/none")
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, most + 1)
        multi.add_handle(curl)
        try:
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        finally:
            multi.remove_handle(curl)
    finally:
        multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, 0)
        curl.close()
