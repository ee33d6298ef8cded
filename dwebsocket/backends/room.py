"""How many WebSockets a process may hold."""

from __future__ import annotations

from dwebsocket.conf import conf
from dwebsocket.protocol.exceptions import InvalidHandshake

__all__ = ["TooManyConnections", "check_room"]


class TooManyConnections(InvalidHandshake):
    """This process holds ``WEBSOCKET_MAX_CONNECTIONS`` WebSockets."""

    status_code = 503


def check_room(count: int) -> None:
    """Raise ``TooManyConnections`` when this process, which holds ``count``, may hold no more."""
    limit = conf.MAX_CONNECTIONS
    if count >= limit:
        raise TooManyConnections(
            f"This process holds {limit} WebSockets and takes no more "
            "(WEBSOCKET_MAX_CONNECTIONS). Try again later."
        )
