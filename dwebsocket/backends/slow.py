"""A reader for whom more than WEBSOCKET_MAX_SEND_BUFFER bytes wait: closed, logged and counted."""

from __future__ import annotations

import logging

from dwebsocket import groups
from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode

__all__ = ["TOO_SLOW", "count_slow"]

logger = logging.getLogger("dwebsocket.connection")

#: The Close that such a reader gets.
TOO_SLOW = CloseCode.TRY_AGAIN_LATER, "the peer reads too slowly"


def count_slow() -> None:
    """Count and log a reader that is being closed because too much waits for it."""
    groups.count_slow()
    logger.info(
        "WebSocket closed with 1013: more than %d bytes wait for a peer that reads too slowly "
        "(WEBSOCKET_MAX_SEND_BUFFER)",
        conf.MAX_SEND_BUFFER,
    )
