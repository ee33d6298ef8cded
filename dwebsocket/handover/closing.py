"""Connections that no process goes on with: a Close for each, behind what waits for its peer."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

from dwebsocket.protocol.frames import build_close

__all__ = ["close_connections"]

#: Seconds that peers have to read what waits for them, and to answer the Close.
GRACE = 1.0

#: Bytes that are read at a time, and thrown away.
CHUNK = 1 << 16


class Closing:
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
                self._send()
            # What is unread would make the end a reset, which overtakes the Close.
            if not self._sock.recv(CHUNK):
                return 0
        except BlockingIOError:
            pass
        except OSError:
            return 0
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._data else 0)

    def _send(self) -> None:
        with suppress(BlockingIOError):
            self._data = self._data[self._sock.send(self._data) :]

    def end(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def close_connections(left: Iterable[tuple[int, bytes]], code: int) -> None:
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
            go_on(selector, sock, Closing(sock, data + close))
        deadline = monotonic() + GRACE
        while selector.get_map() and (seconds := deadline - monotonic()) > 0:
            for key, _ in selector.select(seconds):
                selector.unregister(key.fileobj)
                go_on(selector, key.fileobj, key.data)
        for key in list(selector.get_map().values()):
            key.data.end()


def go_on(selector: selectors.BaseSelector, sock: object, closing: Closing) -> None:
    events = closing.go_on()
    if events:
        selector.register(sock, events, closing)  # type: ignore[arg-type]
    else:
        closing.end()
