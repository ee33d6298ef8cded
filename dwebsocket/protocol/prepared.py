"""A message for many receivers: framed once, and once more compressed if some of them agreed on
permessage-deflate.
"""

from __future__ import annotations

from typing import Any

from .deflate import PerMessageDeflate
from .frames import RSV1, Opcode, build_frame_header

__all__ = ["PreparedMessage"]


class PreparedMessage:
    """A whole message, ready to be written to any number of connections.

    Attributes:
        encoded: what a backend has made of it, once for all its connections; ``None`` at first.
        event: the message as an ASGI event, for servers that frame by themselves (ASGI
            specification, "Send").
        frame: the message as an uncompressed frame.
        identity: what no other message has, if it has one.
        size: bytes of the payload.
    """

    __slots__ = (
        "_compressed",
        "_opcode",
        "_payload",
        "encoded",
        "event",
        "frame",
        "identity",
        "size",
    )

    def __init__(self, message: str | bytes, identity: str | None = None) -> None:
        self.identity = identity
        if isinstance(message, str):
            self._opcode, self._payload = int(Opcode.TEXT), message.encode()
        else:
            self._opcode, self._payload = int(Opcode.BINARY), message
        kind = "text" if isinstance(message, str) else "bytes"
        self.event: dict[str, Any] = {"type": "websocket.send", kind: message}
        self.size = len(self._payload)
        self.frame = build_frame_header(self._opcode, self.size) + self._payload
        self.encoded: Any = None
        self._compressed: dict[int, bytes] = {}

    def compress(self, deflate: PerMessageDeflate) -> bytes:
        """The message as a compressed frame, for a connection with this extension: one frame for
        all connections that agreed on the same window and keep no context.
        """
        if deflate.keeps_context:
            return self._build_compressed(deflate)
        frame = self._compressed.get(deflate.local_bits)
        if frame is None:
            frame = self._compressed[deflate.local_bits] = self._build_compressed(deflate)
        return frame

    def _build_compressed(self, deflate: PerMessageDeflate) -> bytes:
        compressed = deflate.compress(self._payload)
        return build_frame_header(self._opcode | RSV1, len(compressed)) + compressed

    def as_text(self) -> PreparedMessage:
        """This message as text; itself if it is text already, or bytes that are not UTF-8."""
        if self._opcode == Opcode.BINARY:
            try:
                return PreparedMessage(self._payload.decode())
            except UnicodeDecodeError:
                pass
        return self
