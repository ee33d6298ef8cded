"""What is the same on every server, and what a server's file must say."""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found]
import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

__all__ = ["STAYS", "BufferedTakeover", "SocketTakeover", "as_reader"]

#: In the environ of a server that wants the connection to last no longer than its request: the test
#: client, which waits for the end, and shares the test's database with the thread of the request.
STAYS = "dwebsocket.stays"


class SocketTakeover:
    """Takes one request's connection from its server.

    The rule for the end holds everywhere: when the session is over both directions of the socket
    are shut down but the socket is left open. Whatever the server then writes goes nowhere, it
    takes that for a client that has left, and closes the socket itself.
    """

    #: The server's name, in the list of those that let go of their socket.
    title: ClassVar[str]

    #: Whether a response has left when the server calls its ``close()``.
    writes_at_once: ClassVar[bool] = True

    #: Whether views should not keep the server's thread: it has few of them.
    few_threads: ClassVar[bool] = False

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.environ = environ

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        """Whether this is the server that made the environ."""
        raise NotImplementedError

    @property
    def http_version(self) -> str:
        """The version of HTTP that the client speaks."""
        version: str = self.environ.get("SERVER_PROTOCOL", "")
        return version

    @property
    def lets_go(self) -> bool:
        """Whether the request may end before the connection."""
        return not self.environ.get(STAYS)

    def get_socket(self) -> Any:
        """The server's own socket object, untouched."""
        raise NotImplementedError

    def take_early_bytes(self) -> bytes:
        """What the server has read of the connection behind the request; afterwards it is ours.

        The server's read buffer is given back where that can be done.
        """
        raise NotImplementedError

    def expect_refusal(self) -> None:
        """Have the server say ``Connection: close`` in the response that it is going to write."""

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        """A function that gives a close code once the server has been told to end, if there is a
        way to know.
        """
        return None

    def finish_response(self) -> None:
        """What the server wants besides the hang-up so that it writes and logs nothing."""


class BufferedTakeover(SocketTakeover):
    """A server that reads requests through an ``io.BufferedReader`` over its socket."""

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        """The reader, from what the server puts into ``wsgi.input``."""
        raise NotImplementedError

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        reader = cls.find_reader(environ)
        return reader is not None and hasattr(reader.raw, "_sock")

    @property
    def reader(self) -> io.BufferedReader:
        """The reader of this request."""
        reader = self.find_reader(self.environ)
        assert reader is not None  # matches() said so
        return reader

    def get_socket(self) -> Any:
        return self.reader.raw._sock  # type: ignore[attr-defined]

    def take_early_bytes(self) -> bytes:
        reader = self.reader
        early = drain(reader, self.get_socket())
        if isinstance(reader, io.BufferedReader):
            # A buffer of one byte instead of the server's 8 KiB, as long as the connection lives.
            io.BufferedReader.__init__(reader, reader.raw, 1)
        return early


def drain(reader: io.BufferedReader, sock: Any) -> bytes:
    """Everything in the reader's buffer, and what ``peek`` adds to it without waiting."""
    timeout = sock.gettimeout()
    sock.settimeout(0)
    chunks = []
    try:
        while count := len(reader.peek(1)):
            chunks.append(reader.read(count))
    except TimeoutError:  # eventlet's TLS: nothing more is here, and SocketIO will not read again
        reader.raw._timeout_occurred = False  # type: ignore[attr-defined]
    except OSError:  # nothing more is here: BlockingIOError, SSLWantReadError
        pass
    finally:
        sock.settimeout(timeout)
    return b"".join(chunks)


def as_reader(stream: Any) -> io.BufferedReader | None:
    """``stream`` if it is a buffered reader over something; cheroot derives from Python's own."""
    return stream if isinstance(stream, (io.BufferedReader, _pyio.BufferedReader)) else None
