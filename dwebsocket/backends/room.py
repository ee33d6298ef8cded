"""What a process has room for: how many WebSockets, and what each of them takes of the system."""

from __future__ import annotations

import sys
from time import monotonic
from typing import ClassVar

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidHandshake
from dwebsocket.transports import descriptors

__all__ = [
    "NoRoom",
    "Shortage",
    "TooFewDescriptors",
    "TooManyConnections",
    "check_descriptors",
    "check_room",
    "default_max_connections",
]

#: Seconds in which a shortage is told to the log once.
QUIET = 10.0


class NoRoom(InvalidHandshake):
    """This process takes no further WebSocket now.

    Attributes:
        detail: what the log is told besides, and clients are not.
    """

    status_code = 503
    detail = ""


class Shortage(NoRoom):
    """The system gives this process nothing more."""

    #: ``time.monotonic()``, of each class for itself.
    _quiet_until: ClassVar[float] = 0.0

    def is_news(self) -> bool:
        """Whether the log has not been told so just before: many clients may come at once."""
        now = monotonic()
        if now < self._quiet_until:
            return False
        type(self)._quiet_until = now + QUIET
        return True


class TooManyConnections(NoRoom):
    """This process holds ``WEBSOCKET_MAX_CONNECTIONS`` WebSockets."""


class TooFewDescriptors(Shortage):
    """Nearly all descriptors that this process may open are in use."""

    def __init__(self) -> None:
        super().__init__(
            f"This process may open {descriptors.find_limit() or 'no more'} descriptors, for "
            "connections and files, and needs those that are left. It takes no more WebSockets. "
            "Raise the limit "
            "(ulimit -n, LimitNOFILE= in systemd, --max-fd of uWSGI). Try again later."
        )


def check_room(count: int, default: int | None = None) -> None:
    """See to it that this process, which holds ``count`` WebSockets, may hold another one.

    Args:
        default: how many it may hold where the setting does not say.

    Raises:
        TooManyConnections: it holds as many as it may.
        TooFewDescriptors: it has as many descriptors open.
    """
    limit, descriptor_limit = conf.MAX_CONNECTIONS, descriptors.find_limit()
    if limit is None:
        limit = most_of(descriptor_limit) if default is None else default
    if count >= limit:
        raise TooManyConnections(
            f"This process holds {limit} WebSockets and takes no more "
            "(WEBSOCKET_MAX_CONNECTIONS). Try again later."
        )
    check_below(descriptor_limit)


def check_descriptors() -> None:
    """See to it that a WebSocket leaves descriptors for others.

    Raises:
        TooFewDescriptors: it would not.
    """
    check_below(descriptors.find_limit())


def check_below(limit: int | None) -> None:
    try:
        descriptors.check_room(limit)
    except OSError as error:
        raise TooFewDescriptors from error


def default_max_connections() -> int:
    """90 % of the descriptors that the process may open."""
    return most_of(descriptors.find_limit())


def most_of(limit: int | None) -> int:
    return sys.maxsize if limit is None else limit * 9 // 10
