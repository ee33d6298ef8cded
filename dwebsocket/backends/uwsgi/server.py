"""What the uWSGI that runs us was told: which connections it carries, and how requests take turns.

Options are read from ``uwsgi.opt``: names are ``str``, values ``bytes``, ``True``, or a list of
them when an option was given more than once.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from dwebsocket.backends.room import default_max_connections

__all__ = ["Server"]

#: Options that start uWSGI's own HTTP router in front of the workers.
ROUTERS = ("http", "httprouter", "https", "https2", "http-to-https")

#: Options with which the router passes on what a client sends behind its handshake.
RAW_ROUTERS = ("http-websockets", "http-raw-body")

#: Options of listening sockets whose TLS ends in the worker.
TLS_SOCKETS = ("https-socket", "ssl-socket", "suwsgi-socket")


class Server:
    """The running uWSGI, seen through its ``uwsgi`` module."""

    def __init__(self, uwsgi: Any) -> None:
        self.uwsgi = uwsgi

    def has(self, *options: str) -> bool:
        """Whether one of the options is set."""
        return any(option in self.uwsgi.opt for option in options)

    def values(self, option: str) -> Iterator[str]:
        """Every value that an option was given."""
        value = self.uwsgi.opt.get(option, [])
        for item in value if isinstance(value, list) else [value]:
            yield item.decode() if isinstance(item, bytes) else str(item)

    def number(self, option: str, default: int = 0) -> int:
        """The last value of an option whose values are whole numbers."""
        given = [int(value) for value in self.values(option) if value.isdigit()]
        return given[-1] if given else default

    @property
    def has_threads(self) -> bool:
        """Whether threads of Python run: uWSGI once had to be asked by ``--enable-threads``."""
        return bool(getattr(self.uwsgi, "has_threads", 1))

    @property
    def is_gevent(self) -> bool:
        """Whether each request is a greenlet of gevent's."""
        return bool(self.uwsgi.loop == b"gevent")

    @property
    def is_shared(self) -> bool:
        """Whether requests take turns on one thread, and one that blocks it blocks all of them:
        ``--async``, with ``--ugreen`` or without.
        """
        return not self.is_gevent and (self.number("async") > 1 or self.uwsgi.loop is not None)

    def current(self) -> Any:
        """What tells the running thread or greenlet from others."""
        if not self.is_gevent:
            return threading.get_ident()
        from gevent import getcurrent

        return getcurrent()

    def is_routed(self, environ: Mapping[str, Any]) -> bool:
        """Whether the request came through the HTTP router of this uWSGI."""
        return environ.get("UWSGI_ROUTER") == "http" and self.has(*ROUTERS)

    @property
    def router_is_raw(self) -> bool:
        """Whether the router passes on what comes behind a handshake."""
        return self.has(*RAW_ROUTERS)

    @property
    def router_room(self) -> int:
        """WebSockets for which each worker process has room in the router: each takes two of its
        descriptors, one towards the client and one towards the worker.
        """
        routers, workers = self.number("http-processes", 1), getattr(self.uwsgi, "numproc", 1)
        return max(1, routers * default_max_connections() // (2 * workers))

    def ends_tls(self, fd: int) -> bool:
        """Whether the worker itself ends the TLS of this connection."""
        if not self.has(*TLS_SOCKETS):
            return False
        with socket.socket(fileno=fd) as sock:
            try:
                name = sock.getsockname()
            finally:
                sock.detach()
        here = str(name[1]) if isinstance(name, tuple) else name
        given = [value.split(",")[0] for option in TLS_SOCKETS for value in self.values(option)]
        ports = [address if "/" in address else address.rpartition(":")[2] for address in given]
        return here in ports or "0" in ports
