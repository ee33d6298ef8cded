"""How much is taken in for a view that does not read; the rest is left to the system, and by it to
the client.
"""

from __future__ import annotations

__all__ = ["has_room"]

#: Counted for each message, besides its bytes.
MESSAGE_COST = 256

#: What may be unread besides one message of WEBSOCKET_MAX_MESSAGE_SIZE.
MAX_COST = 64 * MESSAGE_COST


def has_room(count: int, size: int, max_size: int) -> bool:
    """Whether more is taken in behind ``count`` unread messages of ``size`` bytes in all.

    Args:
        max_size: that of one message. Small ones may be many: behind those that a page sends as a
            sign of life wait the Pongs, and the end.
    """
    return size + count * MESSAGE_COST <= max_size + MAX_COST
