"""The way to one other process: what is sent leaves at once, or waits, and nobody waits for it."""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from dwebsocket.supervisor import try_start

__all__ = ["Gone", "Peer", "connect", "is_own_user", "is_refusal"]

logger = logging.getLogger("dwebsocket.groups")

#: Bytes that may wait for a process that does not read. One message may be longer.
MAX_WAITING = 16 << 20

#: Seconds for which a process that lives may take no connection: it starts, its files are made
#: anew, too many wait there, or no descriptor is left here.
PATIENCE = 10.0

#: Seconds between two tries.
RETRY = 0.02

#: Bytes that are written at a time.
BATCH = 1 << 18

LOST = (
    "The process %s of this site does not take what is sent to it: messages to groups are lost to "
    "its members (%s). (Said once for each process.)"
)


class Gone(Exception):
    """The process does not live any more."""


class Peer:
    """A connection that is made when it is needed, and made anew when the other side breaks it.

    There is one at a time, and only the other side ends it: so its reader has read all of it before
    another one begins, and nothing comes out of order.

    Args:
        name: of the other process.
        address: of the socket at which it listens.
        is_alive: whether it lives.

    Attributes:
        lost: messages that it could not be given.
        name: of the other process.
    """

    def __init__(self, name: str, address: str, is_alive: Callable[[], bool]) -> None:
        self.lost = 0
        self.name = name
        self._address = address
        self._is_alive = is_alive
        self._lock = threading.Lock()  # guards what follows; never held across a wait
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque()  # the first one may have left in part
        self._size = 0  # bytes of those
        self._writing = False  # by a thread, and then by nobody else
        self._closed = self._told = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    @property
    def is_busy(self) -> bool:
        """Whether something waits."""
        return self._writing or bool(self._waiting)

    def send(self, frame: bytes) -> None:
        """Send the frame behind those before it. Never waits.

        Raises:
            Gone: nobody can be sent it.
        """
        with self._lock:
            if self._closed:
                raise Gone(self.name)
            if not self.is_busy and self._is_ready():
                frame = self._begin(frame)
            if not frame:
                return
            if self._size + len(frame) > MAX_WAITING and self._waiting:
                self._lose(1, f"{self._size} bytes wait already")
                return
            self._waiting.append(frame)
            self._size += len(frame)
            if not self._writing:  # if there is no thread, the next message tries again
                self._writing = try_start(self._write, "dwebsocket-machine") is not None

    def _lose(self, count: int, why: object) -> None:
        self.lost += count
        if count and not self._told:
            self._told = True
            logger.warning(LOST, self.name.partition(".")[0], why)

    # The connection

    def _is_ready(self) -> bool:
        """Whether there is a connection; one is made if that can be done at once."""
        if self._socket is None:
            try:
                self._socket = connect(self._address)
            except OSError as error:
                if is_refusal(error) and not self._is_alive():
                    raise Gone(self.name) from error
        return self._socket is not None

    def _begin(self, frame: bytes) -> bytes:
        """Send what can be sent at once; the rest of it."""
        for _ in range(2):
            if self._socket is None:
                break
            try:
                return frame[self._socket.send(frame) :]
            except BlockingIOError:
                break
            except OSError:  # the other side has ended it, and may live
                self._hang_up()
                self._is_ready()
        return frame

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # In a thread of its own, while something waits

    def _write(self) -> None:
        count = 0  # messages that have begun to leave
        try:
            self._connect_patiently()
            while (taken := self._take()) is not None:
                connection, batch, count = taken
                send_all(connection, batch)
                count = 0
        except Exception as error:  # nobody else would write
            self._fail(error, count)

    def _connect_patiently(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._socket is None:
            try:
                new = connect(self._address)
            except OSError as error:
                if self._closed or (is_refusal(error) and not self._is_alive()):
                    raise Gone(self.name) from error
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY)
            else:
                with self._lock:
                    self._socket = new

    def _take(self) -> tuple[socket.socket, bytes, int] | None:
        """What is to be written next, and how many messages that is. ``None``: nothing waits."""
        with self._lock:
            connection = self._socket
            if not self._writing or connection is None or not self._waiting or self._closed:
                self._writing = False
                if connection is not None:
                    connection.setblocking(False)
                    if self._closed:
                        self._hang_up()
                return None
            connection.settimeout(PATIENCE)
            batch = [self._waiting.popleft()]
            size = len(batch[0])
            while self._waiting and size < BATCH:
                batch.append(self._waiting.popleft())
                size += len(batch[-1])
            self._size -= size
            return connection, b"".join(batch) if len(batch) > 1 else batch[0], len(batch)

    def _fail(self, error: Exception, count: int) -> None:
        """The connection is of no use any more, and what waits for it is lost."""
        is_alive = not self._closed and self._is_alive()
        with self._lock:
            if is_alive:  # to one that is dead nothing is lost
                self._lose(count + len(self._waiting), error)
            self._waiting.clear()
            self._size = 0
            self._writing = False
            self._hang_up()

    def close(self) -> None:
        """Send nothing any more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._size = 0
            if not self._writing:
                self._hang_up()
            elif self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)  # wakes who writes, and hangs up

    def abandon(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()


def connect(address: str) -> socket.socket:
    """A connection that never waits.

    Raises:
        OSError: there is none now.
    """
    new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        new.setblocking(False)
        new.connect(address)
        if not is_own_user(new):
            raise PermissionError(f"{address} is another user's")
    except BaseException:
        new.close()
        raise
    return new


def is_refusal(error: OSError) -> bool:
    """Whether nobody listens there."""
    return isinstance(error, (ConnectionError, FileNotFoundError))


def send_all(connection: socket.socket, data: bytes) -> None:
    """Send all of it, however long the other side takes."""
    view = memoryview(data)
    while view:
        try:
            view = view[connection.send(view) :]
        except TimeoutError:
            pass  # it lives: the connection of one that does not would be broken


def is_own_user(sock: socket.socket) -> bool:
    """Whether the process at the other end runs as the user of this one, as far as the system
    tells.
    """
    if not hasattr(socket, "SO_PEERCRED"):  # the directory is 0700
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())
