"""Hears what the other processes send to groups."""

from __future__ import annotations

import socket
import threading
import time
from typing import Protocol

from .frames import Frame, parse_frames

__all__ = ["FrameReader", "Receiver"]

#: Bytes that are read at a time.
CHUNK = 1 << 16

#: Seconds for which a flood is handed on before others get a turn, and how long that is: greenlets
#: change places only where one waits.
TURN, PAUSE = 0.005, 0.0005


class Receiver(Protocol):
    """Who gets what the others send, in whatever thread."""

    def receive_frame(self, frame: Frame) -> None:
        """One of them has sent this. Must not raise."""

    def look_again(self) -> None:
        """One of them has gone, and may have been about to say something. Must not raise."""


class FrameReader:
    """Hands on the frames of each connection: the ``Reader`` of a listener.

    Args:
        receiver: gets them.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._lock = threading.Lock()  # held for an instant
        self._reading = 0  # connections

    def read(self, connection: socket.socket) -> None:
        """See ``Reader``."""
        buffer = bytearray()
        turn = time.monotonic() + TURN
        while data := connection.recv(CHUNK):
            buffer += data
            self._count(1)
            try:
                for frame in parse_frames(buffer):
                    self._receiver.receive_frame(frame)
                    if time.monotonic() > turn:
                        time.sleep(PAUSE)
                        turn = time.monotonic() + TURN
            finally:
                self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._reading += change

    def is_reading(self) -> bool:
        """See ``Reader``."""
        return self._reading > 0

    def look_again(self) -> None:
        """See ``Reader``."""
        self._receiver.look_again()
