"""What the system knows of a connection, so that nobody else has to."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

__all__ = ["find_address", "read_traffic"]

#: ``tcpi_bytes_received``, ``tcpi_bytes_sent`` and ``tcpi_bytes_retrans`` in Linux's
#: ``struct tcp_info`` (from 4.19 on).
COUNTS = struct.Struct("=128xQ64xQQ")


def read_traffic(sock: Any) -> tuple[int, int] | None:
    """The bytes that have come, and those that were sent, since the connection was made: with the
    handshake, and with what TLS adds. ``None`` where nobody counts them.
    """
    if sys.platform != "linux":
        return None
    try:
        found: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, COUNTS.size)
        received, sent, again = COUNTS.unpack(found)
    except (OSError, struct.error):  # a Unix socket, one that is closed, an old system
        return None
    return received, sent - again


def find_address(sock: Any) -> str | None:
    """The address at the other end; ``None`` if there is none, as on a Unix socket."""
    try:
        name = sock.getpeername()
    except OSError:
        return None
    return str(name[0]) if isinstance(name, tuple) else None
