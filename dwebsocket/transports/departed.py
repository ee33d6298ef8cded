"""Taking a TLS connection away from its server while the server's request ends.

OpenSSL's object is bound to the number of its descriptor and to the socket object over that, so
neither can be given to anybody else: both become ours, and the server gets something dead instead.
Of a library whose socket *is* that object its face changes: to the server it is a socket whose
client has left.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from _socket import socket as RawSocket  # noqa: N812
from functools import cache
from typing import Any, NoReturn

from .descriptors import find_dead

__all__ = ["DepartedSocket", "RawSocket", "TLSStream", "break_off", "depart"]


class TLSStream:
    """A TLS connection that is ours, at timeout 0. All but ``close`` raise what ``ssl`` raises.

    Args:
        plain: the socket object that OpenSSL's object is bound to; whatever class it is of, only
            the methods of the innermost one are called.
        tls: OpenSSL's object.
    """

    __slots__ = ("_sock", "_tls")

    def __init__(self, plain: Any, tls: Any) -> None:
        self._sock = plain
        self._tls = tls

    def fileno(self) -> int:
        return RawSocket.fileno(self._sock)

    def getsockopt(self, *arguments: Any) -> Any:
        return RawSocket.getsockopt(self._sock, *arguments)

    def getpeername(self) -> Any:
        return RawSocket.getpeername(self._sock)

    def recv(self, size: int) -> bytes:
        tls = self._tls
        if tls is None:  # it is over, and what still comes is thrown away
            return RawSocket.recv(self._sock, size)
        data: bytes = tls.read(size)
        return data

    def send(self, data: bytes | memoryview) -> int:
        tls = self._tls
        if tls is None:
            fail_to_write()
        sent: int = tls.write(data)
        return sent

    def pending(self) -> int:
        """Bytes that OpenSSL has of a record that was read in part."""
        tls = self._tls
        return 0 if tls is None else tls.pending()

    def shutdown(self, how: int) -> None:
        """End TLS, telling the peer so if that goes without waiting, and then the connection."""
        tls, self._tls = self._tls, None
        if tls is not None:
            try:
                tls.shutdown()
            except (OSError, ValueError):  # it waits for the peer's word, or nobody is there
                pass
        RawSocket.shutdown(self._sock, how)

    def close(self) -> None:
        """Close the descriptor. Idempotent: it is closed once, whoever has its number then."""
        self._tls = None
        RawSocket.close(self._sock)


class DepartedSocket:
    """What the server sees of a socket object that is ours now: its client has left. Nothing that
    it does reaches the connection, and its ``close`` does not close it.
    """

    __slots__ = ()

    def recv(self, *arguments: Any) -> bytes:
        return b""

    def recv_into(self, *arguments: Any) -> int:
        return 0

    def read(self, len: int = 1024, buffer: Any = None) -> bytes | int:
        return b"" if buffer is None else 0

    def send(self, *arguments: Any, **named: Any) -> NoReturn:
        fail_to_write()

    # Writes that were swallowed would have a server keep the connection for further requests.
    sendall = sendfile = sendmsg = sendto = write = send

    def fileno(self) -> int:
        return find_dead()

    def pending(self) -> int:
        return 0

    def ignore(self, *arguments: Any) -> None:
        """Nothing is left to be done."""

    do_handshake = settimeout = setblocking = shutdown = _real_close = ignore

    def unwrap(self) -> Any:
        return self


def break_off(sock: Any) -> None:
    """End the connection of a library's socket or a stream, under a call that does not return."""
    try:
        RawSocket.shutdown(getattr(sock, "_sock", sock), socket.SHUT_RDWR)
    except OSError:
        pass


def fail_to_write() -> NoReturn:
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def depart(sock: ssl.SSLSocket) -> TLSStream:
    """Take a connection whose socket object OpenSSL's object is bound to."""
    stream = TLSStream(sock, sock._sslobj)  # type: ignore[attr-defined]
    sock._sslobj = None  # type: ignore[attr-defined]
    kind: Any = type(sock)
    sock.__class__ = make_departed(kind)
    return stream


@cache
def make_departed(kind: Any) -> Any:
    """The class that a socket of this class changes to."""
    # Whoever asks which library a socket is of has the same answer as before.
    namespace = {"__slots__": (), "__module__": kind.__module__}
    return type("DepartedSocket", (DepartedSocket, kind), namespace)
