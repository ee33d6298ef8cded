"""What a WebSocket over a transport asks of the server whose connection it is."""

from __future__ import annotations

from collections.abc import Callable

from dwebsocket.transports import Transport

__all__ = ["Takeover"]


class Takeover:
    """Takes one request's connection from its server. The WebSocket forgets it as soon as the
    server's request ends.
    """

    @property
    def max_connections(self) -> int | None:
        """How many WebSockets this process may hold where the setting does not say and its own
        descriptors are not what counts.
        """
        return None

    @property
    def others(self) -> int:
        """How many WebSockets of this process are open that have no transport."""
        return 0

    def take_transport(self) -> tuple[Transport, bytes]:
        """The connection, and the bytes that the server had already read of it.

        Raises:
            SocketTakeoverError: the server does not let go of it.
        """
        raise NotImplementedError

    @property
    def lets_go(self) -> bool:
        """Whether the request may end before the connection."""
        return True

    @property
    def waits_in_greenlets(self) -> bool:
        """Whether all that wait for connections run in one thread."""
        return False

    def leave(self) -> None:
        """The transport is ready, and has a descriptor of its own if the request is going to end:
        have nothing reach the peer of what the server writes from now on.
        """

    def find_stop_signal(self) -> Callable[[], int | None] | None:
        """A function that gives a close code once the server has been told to end, if there is a
        way to know.
        """
        return None

    def finish_response(self) -> None:
        """What the server wants besides the hang-up so that it writes and logs nothing."""
