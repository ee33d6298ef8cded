"""The receiving side of one connection after the opening handshake, without any I/O."""

from __future__ import annotations

from .assembler import FrameAssembler
from .deflate import PerMessageDeflate
from .exceptions import ProtocolError
from .frames import Close, Opcode, build_frame_header, parse_close
from .whole_frames import parse_whole_frames

__all__ = ["ServerConnection"]

#: Pongs kept for one read; beyond it only the latest is (RFC 6455, 5.5.3 allows that).
MAX_PONGS = 256


class ServerConnection:
    """Turns received bytes into messages, and into the control frames that answer them.

    Attributes:
        max_size: the longest message taken, in bytes.
        replies: Pong frames to be sent; the caller takes them out.
        close: the Close frame received, once there is one. Bytes behind it are ignored
            (RFC 6455, 5.5.1).
        failure: what the peer did wrong, once it has. Bytes behind it are ignored (7.1.7).
        finished: whether no further message will come: there is a ``close`` or a ``failure``.
    """

    __slots__ = ("_assembler", "_deflate", "close", "failure", "finished", "max_size", "replies")

    def __init__(self, max_size: int, deflate: PerMessageDeflate | None = None) -> None:
        self.max_size = max_size
        self._deflate = deflate
        self.replies: list[bytes] = []
        self.finished = False
        self.close: Close | None = None
        self.failure: ProtocolError | None = None
        # Held only while something is unfinished: an idle connection costs nothing here.
        self._assembler: FrameAssembler | None = None

    def receive_data(self, buffer: bytes | bytearray, end: int) -> list[str | bytes]:
        """The messages completed by the first ``end`` bytes of ``buffer``, in order.

        Never raises: a breach of the protocol is put into ``failure`` so that the good messages
        that came before it are not lost.
        """
        messages: list[str | bytes] = []
        if self.finished:
            return messages
        position = 0
        if self._assembler is None:
            position = parse_whole_frames(buffer, 0, end, self.max_size, messages)
        if position < end:
            try:
                self._receive_slowly(buffer, position, end, messages)
            except ProtocolError as failure:
                self.failure = failure
                self.finished = True
                self._assembler = None
        return messages

    def _receive_slowly(
        self, buffer: bytes | bytearray, position: int, end: int, messages: list[str | bytes]
    ) -> None:
        assembler = self._assembler or FrameAssembler(self.max_size, self._deflate)
        while position < end and self.close is None:
            position, outcome = assembler.receive_piece(buffer, position, end)
            if outcome is not None:
                opcode, content = outcome
                if opcode >= Opcode.CLOSE:
                    self._receive_control(opcode, content)  # type: ignore[arg-type]
                else:
                    messages.append(content)
            if assembler.is_idle and self.close is None:
                position = parse_whole_frames(buffer, position, end, self.max_size, messages)
        self._assembler = None if assembler.is_idle or self.close else assembler

    def _receive_control(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.PING:  # 5.5.2: a Pong with the same payload
            if len(self.replies) >= MAX_PONGS:
                self.replies.clear()
            self.replies.append(build_frame_header(Opcode.PONG, len(payload)) + payload)
        elif opcode == Opcode.CLOSE:
            self.close = parse_close(payload)
            self.finished = True
