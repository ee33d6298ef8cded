"""Connections that no process goes on with: a Close for each, behind what waits for its peer."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

from dwebsocket.protocol.frames import build_close

__all__ = ["say_farewell"]

#: Seconds that peers have to read what waits for them, and to answer the Close.
GRACE = 1.0

#: Bytes that are read at a time, and thrown away.
CHUNK = 1 << 16


class Farewell:
    """One of them.

    Args:
        sock: does not wait.
        data: what is left to be sent.
    """

    def __init__(self, sock: socket.socket, data: bytes) -> None:
        self._sock = sock
        self._data = data

    def go_on(self) -> int:
        """Do what can be done; the events that are waited for, 0: it is over."""
        try:
            if self._data:
                self._data = self._data[self._sock.send(self._data) :]
            # What is unread would make the end a reset, which overtakes the Close.
            while chunk := self._sock.recv(CHUNK):
                del chunk
        except BlockingIOError:
            writing = selectors.EVENT_WRITE if self._data else 0
            return selectors.EVENT_READ | writing
        except OSError:
            pass
        return 0

    def end(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def say_farewell(left: Iterable[tuple[int, bytes]], code: int) -> None:
    """Close connections, all at once.

    Args:
        left: descriptors, which are ours, and what their peers have yet to be sent.
        code: the close code.
    """
    close = build_close(code)
    with selectors.DefaultSelector() as selector:
        for descriptor, data in left:
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            go_on(selector, sock, Farewell(sock, data + close))
        deadline = monotonic() + GRACE
        while selector.get_map() and (seconds := deadline - monotonic()) > 0:
            for key, _ in selector.select(seconds):
                selector.unregister(key.fileobj)
                go_on(selector, key.fileobj, key.data)
        for key in list(selector.get_map().values()):
            key.data.end()


def go_on(selector: selectors.BaseSelector, sock: object, farewell: Farewell) -> None:
    events = farewell.go_on()
    if events:
        selector.register(sock, events, farewell)  # type: ignore[arg-type]
    else:
        farewell.end()
