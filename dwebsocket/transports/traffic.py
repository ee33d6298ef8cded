"""What the system knows of a connection, so that nobody else has to."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

__all__ = ["find_address", "read_traffic"]

#: ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` in Linux's ``struct tcp_info``.
COUNTS = struct.Struct("=120xQQ")


def read_traffic(sock: Any) -> tuple[int, int] | None:
    """The bytes that have come, and those that the peer's system has got, since the connection was
    made: with the handshake, and with what TLS adds. ``None`` where nobody counts them.
    """
    if sys.platform != "linux":
        return None
    try:
        found: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, COUNTS.size)
        acked, received = COUNTS.unpack(found)
    except (OSError, struct.error):  # a Unix socket, one that is closed, an old system
        return None
    return received, acked


def find_address(sock: Any) -> str | None:
    """The address at the other end; ``None`` if there is none, as on a Unix socket."""
    try:
        name = sock.getpeername()
    except OSError:
        return None
    return str(name[0]) if isinstance(name, tuple) else None
