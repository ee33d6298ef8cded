"""The receiving side of one connection after the opening handshake, without any I/O."""

from __future__ import annotations

from .assembler import FrameAssembler
from .budget import BYTE_COST, RESERVE, cost_of
from .deflate import PerMessageDeflate
from .exceptions import ProtocolError
from .frames import Close, Opcode, build_close, build_frame_header, parse_close
from .whole_frames import MAX_SINGLE, parse_single_frame, parse_whole_frames

__all__ = ["ServerConnection"]

#: Bytes in which there cannot be more messages than any budget allows.
SMALL = RESERVE // BYTE_COST

#: Pongs kept for one read; beyond it only the latest is (RFC 6455, 5.5.3 allows that).
MAX_PONGS = 256


class ServerConnection:
    """Turns received bytes into messages, and into the control frames that answer them.

    Attributes:
        budget: what the messages that nobody has taken yet may cost, in bytes (``budget``).
        max_size: the longest message taken, in bytes.
        received: how many messages there were.
        replies: Pong frames to be sent; the caller takes them out.
        close: the Close frame received, once there is one. Bytes behind it are ignored
            (RFC 6455, 5.5.1).
        failure: what the peer did wrong, once it has. Bytes behind it are ignored (7.1.7).
        finished: whether no further message will come: there is a ``close`` or a ``failure``.
        rest: received bytes whose messages were more than the budget allows. They are the next:
            call ``receive_rest`` until there is none, before ``receive_data``.
    """

    __slots__ = (
        "_assembler",
        "_deflate",
        "budget",
        "close",
        "failure",
        "finished",
        "max_size",
        "received",
        "replies",
        "rest",
    )

    def __init__(self, max_size: int, deflate: PerMessageDeflate | None = None) -> None:
        self.max_size = max_size
        self.budget = max_size + RESERVE
        self._deflate = deflate
        self.received = 0
        self.replies: list[bytes] = []
        self.rest = b""
        self.finished = False
        self.close: Close | None = None
        self.failure: ProtocolError | None = None
        # Held only while something is unfinished: an idle connection costs nothing here.
        self._assembler: FrameAssembler | None = None

    def receive_data(
        self, buffer: bytes | bytearray, end: int, spent: int = 0, most: int = 0
    ) -> list[str | bytes]:
        """The messages completed by the first ``end`` bytes of ``buffer``, in order; at least one
        if there is one, and the others as far as the budget goes. What is behind them is ``rest``.

        Never raises: a breach of the protocol is put into ``failure`` so that the good messages
        that came before it are not lost.

        Args:
            spent: what messages of earlier calls cost that nobody has taken yet (``cost_of``). With
                more than 0 there may be no message though one is here.
            most: bytes after which all else is ``rest``; 0: no bound.
        """
        if 0 < most < end:
            found = self.receive_data(buffer, most, spent)
            if not self.finished:
                self.rest += memoryview(buffer)[most:end]
            return found
        messages: list[str | bytes] = []
        if self.finished:
            return messages
        position = 0
        if self._assembler is None:
            if 6 <= end <= MAX_SINGLE and not spent and end <= self.max_size:
                single = parse_single_frame(buffer, end)
                if single is not None:
                    self.received += 1
                    return [single]
            stop = end if end <= SMALL and not spent else (self.budget - spent) // BYTE_COST
            position = parse_whole_frames(buffer, 0, end, self.max_size, messages, stop)
        if position < end:
            try:
                position = self._receive_slowly(buffer, position, end, messages, spent)
            except ProtocolError as failure:
                # It lasts as long as the connection, and its frames hold what has been received.
                failure.__traceback__ = failure.__cause__ = failure.__context__ = None
                self.failure = failure
                self.finished = True
                self._assembler = None
            if position < end and not self.finished:
                self.rest = bytes(memoryview(buffer)[position:end])
        self.received += len(messages)
        return messages

    def receive_rest(self, spent: int = 0, most: int = 0) -> list[str | bytes]:
        """``receive_data`` for ``rest``."""
        rest, self.rest = self.rest, b""
        return self.receive_data(rest, len(rest), spent, most)

    def forget(self) -> None:
        """The connection has ended: drop what is unfinished, which may be as long as a message."""
        self._assembler = None
        self.rest = b""

    def replay(self) -> bytes | None:
        """Bytes after which another connection is where this one is, as far as nobody has had them
        as messages; ``None``: there are none just now, in the middle of a compressed message.
        """
        unfinished = b"" if self._assembler is None else self._assembler.replay()
        return None if unfinished is None else unfinished + self.rest

    def _receive_slowly(
        self,
        buffer: bytes | bytearray,
        position: int,
        end: int,
        messages: list[str | bytes],
        spent: int,
    ) -> int:
        """Go on where the flat loop has stopped; return where the budget has come to its end."""
        assembler = self._assembler
        room, counted = self.budget - spent, 0
        stopped = position if assembler is None else -1  # where the flat loop could not go on
        while position < end and self.close is None:
            if len(messages) != counted:
                room -= cost_of(messages[counted:])
                counted = len(messages)
            start = position
            if start != stopped and (assembler is None or assembler.is_idle):
                stop = start + room // BYTE_COST
                position = parse_whole_frames(buffer, start, end, self.max_size, messages, stop)
                stopped = position
                continue
            assembler = assembler or FrameAssembler(self.max_size, self._deflate)
            position, outcome = assembler.receive_piece(buffer, start, end, room)
            if position == start:
                break
            if outcome is not None:
                opcode, content = outcome
                if opcode >= Opcode.CLOSE:
                    self._receive_control(opcode, content)  # type: ignore[arg-type]
                else:
                    messages.append(content)
        is_idle = assembler is None or assembler.is_idle or self.close is not None
        self._assembler = None if is_idle else assembler
        return position

    def _receive_control(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.PING:  # 5.5.2: a Pong with the same payload
            if len(self.replies) >= MAX_PONGS:
                self.replies.clear()
            self.replies.append(build_frame_header(Opcode.PONG, len(payload)) + payload)
        elif opcode == Opcode.CLOSE:
            self.close = parse_close(payload)
            self.finished = True

    def build_answer(self) -> bytes | None:
        """The Close that answers the peer's, or its breach of the protocol (RFC 6455, 5.5.1 and
        7.1.7); ``None`` as long as there is neither.
        """
        if self.close is not None:
            return build_close(self.close.code)
        if self.failure is not None:
            return build_close(self.failure.code, self.failure.reason)
        return None
