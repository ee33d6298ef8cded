"""What is the same on every ASGI server whose connections we take, and what a server's file must
say.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from dwebsocket.backends.gunicorn_worker import find_stop_signal
from dwebsocket.protocol.frames import CloseCode

__all__ = ["ENDED", "AsgiTakeover", "EndedTransport", "Member", "find_owner", "is_a"]


class Member(Protocol):
    """A connection that has been taken."""

    def shutdown(self) -> bool:
        """The server ends: close it soon; whether that has been done, otherwise this is called
        again. In the loop; never waits, never raises.
        """
        ...


class AsgiTakeover:
    """Takes one connection from its server, before that has answered the handshake. Used in the
    server's event loop only, but for ``deregister`` and ``get_stop_code``.

    It is made when the server announces the connection, and dropped with the server's call if it
    is not used.

    Attributes:
        transport: asyncio's, or one that has its methods. Nothing has been written to it.
    """

    __slots__ = ()

    #: The server's name.
    title: ClassVar[str]

    transport: Any

    @classmethod
    def find(cls, receive: Any, send: Any) -> AsgiTakeover | None:
        """How to take the connection that these two callables of the server belong to; ``None``
        unless all is as it is known of this server. Must be quick: every connection is looked at.
        """
        raise NotImplementedError

    def hold(self) -> None:
        """Have the server read nothing more, until ``resume`` or the end: what comes is for us."""
        self.transport.pause_reading()

    def resume(self) -> None:
        """It stays the server's: undo ``hold``."""
        self.transport.resume_reading()

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed it, or is about to."""
        return bool(self.transport.is_closing())

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused the handshake itself, and calls the application all the
        same.
        """
        return False

    def find_extensions(self) -> str | None:
        """The extensions that the client offers, where the server has kept that out of the scope's
        headers.
        """
        return None

    def take_early_bytes(self) -> bytes:
        """What the server has read behind the handshake, as it came."""
        return b""

    def release(self) -> None:
        """Tell the server's own object that its connection has ended, so that it reads, writes,
        logs and counts nothing any more, and has no timer. Its call of the application returns
        soon, and must be able to. The transport has another protocol by then. Called once; the
        server's object is to be forgotten, for this one may last as long as the connection.
        """
        raise NotImplementedError

    def drop_transport(self) -> None:
        """Have the transport close its descriptor, of which there is a copy: nothing is sent."""
        self.transport.abort()

    def register(self, member: Member) -> None:
        """Have the server count the connection as open, and wait for it when it ends, as it does
        for its own; its ``shutdown`` is called then.
        """

    def deregister(self, member: Member) -> None:
        """It has ended. Idempotent. From any thread."""

    def keep_task(self, task: Any) -> None:
        """Have the server wait for this task when it ends, as for those that call applications."""

    def get_stop_code(self) -> int:
        """The close code for the end of the server. From any thread."""
        find = find_stop_signal()
        return (find and find()) or CloseCode.SERVICE_RESTART


class EndedTransport:
    """What a server's object finds in the place of the transport that has been taken."""

    def write(self, data: bytes) -> None:
        """Nobody gets it; nor does anything else happen."""

    def writelines(self, parts: Any) -> None:
        """See ``write``."""

    def write_eof(self) -> None:
        """See ``write``."""

    def close(self) -> None:
        """See ``write``."""

    def abort(self) -> None:
        """See ``write``."""

    def pause_reading(self) -> None:
        """See ``write``."""

    def resume_reading(self) -> None:
        """See ``write``."""

    def is_closing(self) -> bool:
        """It has ended."""
        return True

    def can_write_eof(self) -> bool:
        """It has ended."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known."""
        return default


ENDED = EndedTransport()


def find_owner(receive: Any, send: Any, module: str) -> Any:
    """The object whose methods both callables are, if its class is one of this module."""
    owner = getattr(receive, "__self__", None)
    if owner is None or getattr(send, "__self__", None) is not owner:
        return None
    return owner if type(owner).__module__ == module else None


def is_a(instance: Any, module: str, name: str) -> bool:
    """Whether its class is the one of this name in this module."""
    kind = type(instance)
    return kind.__name__ == name and kind.__module__ == module
