"""Options of uWSGI that keep WebSockets from working, or cut them later: said, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.conf import conf
from dwebsocket.exceptions import SocketTakeoverError

__all__ = ["check_server", "warn_once"]

logger = logging.getLogger("dwebsocket.handshake")

#: What this process has said already.
said: set[str] = set()

#: Seconds after which uWSGI's router cuts a silent connection, unless it is told another number.
HTTP_TIMEOUT = 60


def check_server(server: Server, environ: Mapping[str, Any]) -> None:
    """Refuse to work with options that keep WebSockets from working.

    Raises:
        SocketTakeoverError: says which option would help.
    """
    if server.is_routed(environ) and not server.router_is_raw:
        raise SocketTakeoverError(
            "WebSockets cannot work here: uWSGI's --http router keeps back what a client sends "
            "behind its handshake. Start uWSGI with --http-websockets, too."
        )
    if server.is_shared and not server.has_threads:
        raise SocketTakeoverError(
            "WebSockets cannot work here: with --async or --ugreen each view needs a thread of its "
            "own, and this uWSGI runs none. Add --enable-threads, or use --gevent N or --threads N."
        )


def warn_once(server: Server, environ: Mapping[str, Any]) -> None:
    """Log the options that do harm later, each once in a process."""
    for warning in find_warnings(server, environ):
        if warning not in said:
            said.add(warning)
            logger.warning("uWSGI: %s", warning)


def find_warnings(server: Server, environ: Mapping[str, Any]) -> Iterator[str]:
    """Options that cut connections, or keep us from looking after them."""
    has_turns = server.is_gevent or server.is_shared
    leaves = has_turns or (server.has_threads and conf.VIEW_THREADS > 0)
    harakiri = server.number("harakiri")
    if harakiri and not leaves:
        yield (
            f"--harakiri {harakiri} kills this worker, and every connection of it, when a "
            f"WebSocket has been open for {harakiri} seconds. Add --enable-threads, with which "
            "views leave the request, or use --gevent N."
        )
    timeout, interval = server.number("http-timeout", HTTP_TIMEOUT), conf.PING_INTERVAL
    if server.is_routed(environ) and (interval is None or timeout <= interval):
        yield (
            f"--http-timeout cuts a connection on which nothing was sent for {timeout} seconds, "
            f"and WEBSOCKET_PING_INTERVAL is {interval}. Set it to less, or --http-timeout to more."
        )
    limit = conf.MAX_CONNECTIONS
    if server.is_routed(environ) and limit is not None and limit > server.router_room:
        yield (
            f"WEBSOCKET_MAX_CONNECTIONS is {limit} for each worker process, and the --http router "
            f"has room for {server.router_room}: when it is full it answers nobody, plain HTTP "
            "neither. Set it to less, or raise --max-fd."
        )
    if not has_turns and not server.has_threads:
        yield (
            "without --enable-threads nobody sends Pings, or drops peers that do not answer, while "
            "no view runs. Add --enable-threads."
        )
