"""waitress; the way to its socket leads over attributes that it does not document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dwebsocket.exceptions import SocketTakeoverError

from .base import SocketTakeover

__all__ = ["WaitressTakeover"]


class WaitressTakeover(SocketTakeover):
    """The documented ``waitress.client_disconnected`` is a method of the channel, which has the
    socket. While a request runs waitress does not read from it, unless it looks ahead.
    """

    title: ClassVar[str] = "waitress"
    few_threads: ClassVar[bool] = True
    writes_at_once: ClassVar[bool] = False  # another thread does, later

    @classmethod
    def matches(cls, environ: Mapping[str, Any]) -> bool:
        channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
        return hasattr(channel, "socket")

    @property
    def channel(self) -> Any:
        """The channel that serves this connection."""
        return self.environ["waitress.client_disconnected"].__self__

    def get_socket(self) -> Any:
        return self.channel.socket

    def take_early_bytes(self) -> bytes:
        channel = self.channel
        if channel.adj.channel_request_lookahead:
            raise SocketTakeoverError(
                "WebSockets cannot work here: waitress reads ahead while a request runs. Start it "
                "with channel_request_lookahead=0, its default."
            )
        if len(channel.requests) > 1 or channel.request is not None:
            raise SocketTakeoverError(
                "waitress took what the client sent behind its handshake for another request; a "
                "client must wait for the 101 first."
            )
        return b""

    def expect_refusal(self) -> None:
        # What it has read ahead are further requests to it. It throws them away, and closes, behind
        # the answer to a client that asked for that.
        self.channel.requests[0].headers["CONNECTION"] = "close"

    def finish_response(self) -> None:
        self.channel.socket.settimeout(0)  # its loop expects that
