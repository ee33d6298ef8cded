"""The way to one other process: what is sent leaves at once, or waits, and nobody waits for it."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from dwebsocket.supervisor import try_start

__all__ = ["Gone", "Peer", "is_own_user"]

#: Bytes that may wait for a process that does not read.
MAX_WAITING = 16 << 20

#: Seconds in which it must take something.
PATIENCE = 10.0

#: Bytes that are written at a time.
BATCH = 1 << 18


class Gone(Exception):
    """Nobody listens there any more."""


class Peer:
    """A connection that is made when it is needed, and made anew when it breaks.

    Args:
        address: of the socket at which the other process listens.

    Attributes:
        lost: messages that it could not be given.
    """

    def __init__(self, address: str) -> None:
        self.lost = 0
        self._address = address
        self._lock = threading.Lock()  # guards what follows; never held across a wait
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0  # bytes of those
        self._writing = False

    def send(self, frame: bytes) -> None:
        """Send the frame behind those before it. Never waits.

        Raises:
            Gone: nobody listens there.
        """
        with self._lock:
            if self._writing:
                self._wait_in_line(frame)
                return
            self._connect()
            if self._socket is None:
                self.lost += 1
                return
            sent = self._try_to_send(self._socket, frame)
            if sent < len(frame):
                self._line_up(frame[sent:])

    def _connect(self) -> None:
        if self._socket is not None:
            return
        new = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            new.setblocking(False)
            new.connect(self._address)
            if not is_own_user(new):
                raise Gone(f"{self._address} is another user's")
        except BlockingIOError:  # it lives, and takes nobody in just now
            new.close()
            return
        except OSError as error:
            new.close()
            raise Gone(str(error)) from error
        except BaseException:
            new.close()
            raise
        self._socket = new

    def _try_to_send(self, connection: socket.socket, frame: bytes) -> int:
        """How much of it has left."""
        try:
            return connection.send(frame)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._hang_up()
            raise Gone(str(error)) from error

    def _wait_in_line(self, frame: bytes) -> None:
        if self._size + len(frame) > MAX_WAITING and self._size:
            self._give_up()
            self.lost += 1
            return
        self._waiting.append(frame)
        self._size += len(frame)

    def _line_up(self, rest: bytes) -> None:
        self._waiting.append(rest)
        self._size += len(rest)
        self._writing = try_start(self._write, "dwebsocket-machine") is not None
        if not self._writing:  # no thread: half a frame may have left
            self._give_up()

    def _give_up(self) -> None:
        """What waits is lost; half a frame may have left, so the connection is of no use."""
        self.lost += len(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes who writes
            self._socket.close()
            self._socket = None

    # In a thread of its own, while something waits

    def _write(self) -> None:
        patient: Any = None
        try:
            with self._lock:
                if self._socket is not None:
                    patient = self._socket.dup()
                    patient.settimeout(PATIENCE)
            while (batch := self._take()) is not None:
                patient.sendall(batch)
        except OSError:  # it is gone, or takes nothing
            with self._lock:
                self._writing = False
                self._give_up()
        finally:
            if patient is not None:
                patient.close()

    def _take(self) -> bytes | None:
        with self._lock:
            if not self._waiting or self._socket is None:
                self._writing = False
                return None
            batch = [self._waiting.popleft()]
            size = len(batch[0])
            while self._waiting and size < BATCH:
                batch.append(self._waiting.popleft())
                size += len(batch[-1])
            self._size -= size
            return b"".join(batch)

    def close(self) -> None:
        """Send nothing any more."""
        with self._lock:
            self._waiting.clear()
            self._size = 0
            self._hang_up()

    def abandon(self) -> None:
        """In a forked child: the connection is the parent's."""
        if self._socket is not None:
            self._socket.close()


def is_own_user(sock: socket.socket) -> bool:
    """Whether the process at the other end runs as the user of this one, as far as the system
    tells.
    """
    if not hasattr(socket, "SO_PEERCRED"):  # the directory is 0700
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.getuid())
