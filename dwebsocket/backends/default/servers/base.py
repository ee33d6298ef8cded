"""What is the same on every server, and what a server's file must say."""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found]
import io
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dwebsocket.backends.frames import find_running
from dwebsocket.backends.sockets.takeover import Takeover
from dwebsocket.transports import Transport, create_transport, waits_in_greenlets

__all__ = ["STAYS", "BufferedTakeover", "SocketTakeover", "as_reader", "name_of"]

#: In the environ of a server that wants the connection to last no longer than its request: the test
#: client, which waits for the end, and shares the test's database with the thread of the request.
STAYS = "dwebsocket.stays"


class SocketTakeover(Takeover):
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

    @classmethod
    def find_input(cls, environ: Mapping[str, Any]) -> Any:
        """What this server has put into ``wsgi.input``, if it runs the request: WSGI middleware
        that counts bodies, or logs them, has put something else there.
        """
        return None

    @property
    def http_version(self) -> str:
        """The version of HTTP that the client speaks."""
        version: str = self.environ.get("SERVER_PROTOCOL", "")
        return version

    @property
    def lets_go(self) -> bool:
        return not self.environ.get(STAYS)

    @property
    def waits_in_greenlets(self) -> bool:
        return waits_in_greenlets(self.get_socket())

    def take_transport(self) -> tuple[Transport, bytes]:
        early = self.take_early_bytes()
        return create_transport(self.get_socket()), early

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

    def find_request_log(self) -> Callable[[str, int, str], None] | None:
        """A function that shows a line as the server shows its requests, if it does so for people
        at a terminal: called with a path, a status for its colour, and a text.
        """
        return None


class BufferedTakeover(SocketTakeover):
    """A server that reads requests through an ``io.BufferedReader`` over its socket."""

    #: Module and class of the object with which it runs a request, and the attribute of that which
    #: is the environ; nothing for a server that has another way to its reader.
    runner: ClassVar[tuple[str, str, str] | None] = None

    _reader: io.BufferedReader | None = None  # once it has been found

    @classmethod
    def find_reader(cls, environ: Mapping[str, Any]) -> io.BufferedReader | None:
        """The reader, from what the server puts into ``wsgi.input``."""
        raise NotImplementedError

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        return has_socket(cls.find_reader(environ))

    @classmethod
    def find_input(cls, environ: Mapping[str, Any]) -> Any:
        if cls.runner is None:
            return None
        module, name, attribute = cls.runner
        runner = find_running(module, name, lambda one: getattr(one, attribute, None) is environ)
        reader = None if runner is None else as_reader(cls.get_reader(runner))
        return reader if has_socket(reader) else None

    @classmethod
    def get_reader(cls, runner: Any) -> Any:
        """The reader that the server's own object has."""
        return runner.rfile

    @property
    def reader(self) -> io.BufferedReader:
        """The reader of this request."""
        reader = self._reader
        if reader is None:
            reader = self._reader = self.find_reader(self.environ)
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


def name_of(stream: object) -> str:
    """What something is, for whoever has put it there."""
    return f"{type(stream).__module__}.{type(stream).__qualname__}"


def has_socket(reader: io.BufferedReader | None) -> bool:
    return reader is not None and hasattr(reader.raw, "_sock")


def drain(reader: io.BufferedReader, sock: Any) -> bytes:
    """Everything in the reader's buffer, and what ``peek`` adds to it without waiting."""
    raw: Any = reader.raw
    timeout = sock.gettimeout()
    sock.settimeout(0)
    chunks = []
    # SocketIO then raises at once: a call that finds nothing costs more than all that is here.
    raw._timeout_occurred = True
    try:
        while count := len(reader.peek(1)):
            chunks.append(reader.read(count))
    except OSError:  # nothing more is here
        pass
    finally:
        raw._timeout_occurred = False
        sock.settimeout(timeout)
    return b"".join(chunks)


def as_reader(stream: Any) -> io.BufferedReader | None:
    """``stream`` if it is a buffered reader over something; cheroot derives from Python's own."""
    return stream if isinstance(stream, (io.BufferedReader, _pyio.BufferedReader)) else None
