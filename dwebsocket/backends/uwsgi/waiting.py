"""Waiting beside uWSGI's own calls, as the server that runs us waits: in a thread or a greenlet."""

from __future__ import annotations

from functools import cache
from typing import Any

from dwebsocket.backends.uwsgi.descriptor import copy_socket
from dwebsocket.transports import poll
from dwebsocket.transports.base import Lock, Transport

__all__ = ["create_poller", "create_waiter", "get_receiving_lock"]


def create_waiter(fd: int, *, gevent: bool) -> Transport:
    """A transport over a copy of the descriptor, which stays as it is: never blocking."""
    sock = copy_socket(fd, gevent=gevent)
    if gevent:
        from dwebsocket.transports.gevent import TLSTransport as GeventTransport

        return GeventTransport(sock)
    from dwebsocket.transports.threads import TLSTransport

    return TLSTransport(sock)


def create_poller(*, gevent: bool) -> Any:
    """What waits for several descriptors, with the methods of ``select.poll``."""
    if gevent:
        from gevent.select import poll as gevent_poll

        return gevent_poll()
    return poll.unpatched("poll")()


@cache
def get_receiving_lock(create_lock: Any) -> Lock:
    """The lock under which uWSGI receives: one for all connections of this process, whose fragments
    uWSGI collects in one place.
    """
    return create_lock()
