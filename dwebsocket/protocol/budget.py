"""How much of what a peer has sent may be held for whoever has not taken it yet.

One connection has one budget: a message of the greatest size that is taken, and a reserve for small
ones. Whoever receives stops there, and leaves the rest to the system, and by it to the peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import getsizeof

__all__ = ["BYTE_COST", "MESSAGE_COST", "RESERVE", "cost_of"]

#: Bytes counted for each message, besides the memory that it takes itself.
MESSAGE_COST = 256

#: What a received byte may cost at most: that of a frame of six bytes, which is an empty message.
BYTE_COST = 64

#: Bytes that may be held besides one message of the greatest size.
RESERVE = 65536


def cost_of(messages: Sequence[str | bytes]) -> int:
    """What these messages cost, in bytes; text may take up to four times its length on the wire."""
    return sum(map(getsizeof, messages)) + MESSAGE_COST * len(messages)
