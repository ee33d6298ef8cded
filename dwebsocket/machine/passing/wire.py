"""One packet: a step, a name, bytes, and descriptors (``SCM_RIGHTS``), which ride on its first
byte.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import IntEnum
from time import monotonic
from typing import NamedTuple

from dwebsocket.machine.frames import MAX_NAME, MAX_SIZE, InvalidFrame

__all__ = [
    "MAX_DESCRIPTORS",
    "Gate",
    "Packet",
    "Step",
    "close_all",
    "receive_packet",
    "send_packet",
]

#: Version, step, descriptors, bytes of the name, bytes of the body.
HEADER = struct.Struct("!BBHHI")
VERSION = 1

#: Descriptors that a packet may carry: the system takes 253.
MAX_DESCRIPTORS = 250

#: Bytes that are read at a time, at most.
CHUNK = 1 << 18

SPACE = socket.CMSG_SPACE(253 * array.array("i").itemsize)
CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Step(IntEnum):
    """What a packet is in the conversation."""

    HELLO = 1
    OFFER = 2
    ACCEPTED = 3
    REFUSED = 4
    COMMIT = 5
    BEGUN = 6
    ASK = 7


class Packet(NamedTuple):
    """One of them.

    Attributes:
        lost: descriptors that were sent, and that the system did not give: there was no room.
    """

    step: int
    name: str = ""
    body: bytes = b""
    descriptors: Sequence[int] = ()
    lost: int = 0


def send_packet(connection: socket.socket, packet: Packet) -> None:
    """Send it. The descriptors are the sender's to close, before and afterwards.

    Raises:
        InvalidFrame: it is too long, or has too many descriptors.
        OSError: the connection is broken, or the system has too many descriptors on their way.
    """
    name = packet.name.encode()
    count, size = len(packet.descriptors), len(packet.body)
    if count > MAX_DESCRIPTORS or len(name) > MAX_NAME or size > MAX_SIZE:
        raise InvalidFrame(
            f"{count} descriptors (at most {MAX_DESCRIPTORS}), {len(name)} bytes of a name (at "
            f"most {MAX_NAME}), {size} bytes (at most {MAX_SIZE})"
        )
    data = HEADER.pack(VERSION, packet.step, count, len(name), size) + name
    if count:
        rights = array.array("i", packet.descriptors)
        sent = connection.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        data = data[sent:]
    connection.sendall(data + packet.body)


def receive_packet(
    connection: socket.socket, deadline: float | None, gate: Gate | None = None
) -> Packet | None:
    """The next one; ``None``: the other side has ended the connection. The descriptors, which no
    child process inherits, are the caller's to close.

    Args:
        deadline: ``time.monotonic()``; ``None``: it may take for ever.
        gate: lets descriptors in, if not all may come.

    Raises:
        InvalidFrame: it is none of ours.
        TimeoutError: the time is over.
        OSError: the connection is broken.
    """
    wait(connection, deadline)
    # Only where something is here: not all sockets of greenlets have a recvmsg() that waits.
    seen = connection.recv(HEADER.size, socket.MSG_PEEK)
    if not seen:
        return None
    if gate is None:
        start, ancillary, flags = receive_start(connection, SPACE)
    else:
        count = HEADER.unpack(seen)[2] if len(seen) == HEADER.size else MAX_DESCRIPTORS
        start, ancillary, flags = gate.receive(connection, count)
    descriptors = take_descriptors(ancillary)
    try:
        return complete(connection, start, descriptors, flags, deadline)
    except BaseException:
        close_all(descriptors)
        raise


Start = tuple[bytes, list[tuple[int, int, bytes]], int]


def receive_start(connection: socket.socket, space: int) -> Start:
    """A header, or the first bytes of one, with what comes beside it, and flags."""
    return connection.recvmsg(HEADER.size, space, CLOEXEC)[:3]


class Gate:
    """Lets the descriptors of a packet come where there is room for all of them. Otherwise they are
    lost before they do: others need what is left.

    Args:
        has_room: whether so many may come; any that is open helps to find out.
    """

    def __init__(self, has_room: Callable[[int, int], bool]) -> None:
        self._has_room = has_room
        self._lock = threading.Lock()  # held while they come

    def receive(self, connection: socket.socket, count: int) -> Start:
        """See ``receive_start``."""
        with self._lock:
            has_room = self._has_room(count, connection.fileno())
            return receive_start(connection, SPACE if has_room else 0)


def complete(
    connection: socket.socket,
    start: bytes,
    descriptors: list[int],
    flags: int,
    deadline: float | None,
) -> Packet:
    """The packet that has begun to come."""
    if len(start) < HEADER.size:
        start += receive_exactly(connection, HEADER.size - len(start), deadline)
    version, step, count, name_size, size = HEADER.unpack(start)
    if version != VERSION:
        raise InvalidFrame(f"version {version}, this process understands {VERSION}")
    if step not in tuple(Step) or size > MAX_SIZE or count < len(descriptors):
        raise InvalidFrame(f"step {step}, {size} bytes, {len(descriptors)} of {count} descriptors")
    content = receive_exactly(connection, name_size + size, deadline)
    lost = count - len(descriptors)
    if lost or flags & socket.MSG_CTRUNC:
        close_all(descriptors)
        lost = max(lost, 1)
    try:
        name = content[:name_size].decode()
    except UnicodeDecodeError as error:
        raise InvalidFrame("a name that is no text") from error
    return Packet(step, name, content[name_size:], [] if lost else descriptors, lost)


def take_descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    found: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            found += numbers
    if not CLOEXEC:
        for one in found:
            os.set_inheritable(one, False)
    return found


def receive_exactly(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    """So many bytes, as they come: nothing is reserved for what was only announced."""
    data = bytearray()
    while len(data) < size:
        wait(connection, deadline)
        piece = connection.recv(min(CHUNK, size - len(data)))
        if not piece:
            raise ConnectionResetError("the other side has ended it in the middle of a packet")
        data += piece
    return bytes(data)


def wait(connection: socket.socket, deadline: float | None) -> None:
    """Have the next call wait no longer than that."""
    connection.settimeout(None if deadline is None else max(0.001, deadline - monotonic()))


def close_all(descriptors: Iterable[int]) -> None:
    """Close them; those of sockets that are broken, too."""
    for one in descriptors:
        with suppress(OSError):
            socket.close(one)  # gevent's os.close() waits for the next round of its loop
