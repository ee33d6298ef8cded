"""What a writer does while its connection goes from one process to another: nothing leaves, and
nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from dwebsocket.backends.slow import TOO_SLOW, count_slow
from dwebsocket.backends.sockets.holding import NOTHING_KNOWN, Expected, Held, HeldFrame, Known
from dwebsocket.backends.sockets.writer import Writer
from dwebsocket.protocol.prepared import PreparedMessage

__all__ = [
    "hold",
    "keep",
    "let_go",
    "put_first",
    "put_last",
    "release",
    "take_held",
    "take_waiting",
]


def hold(writer: Writer) -> None:
    """Let nothing leave from now on: what is sent waits."""
    with writer.lock:
        writer.held = Held()


def keep(writer: Writer, message: PreparedMessage, smallest: int) -> bool:
    """Keep what a group sends, if nothing may leave, or drop it, if it came to another process
    before; whether that was done.

    Args:
        smallest: bytes from which on messages are compressed.
    """
    with writer.locked():
        if writer.held is not None:
            if not writer._state.writing:
                writer.held.put(message.identity, frame_of(writer, message, smallest))
            return True
        if writer.expected is None:
            return False
        has_come = writer.expected.take(message.identity)
        if writer.expected.is_over:
            writer.expected = None
        return has_come


def frame_of(writer: Writer, message: PreparedMessage, smallest: int) -> bytes:
    """The frame for this connection, which keeps no context."""
    if writer.deflate is None or message.size < smallest:
        return message.frame
    return message.compress(writer.deflate)


def take_waiting(writer: Writer) -> bytes:
    """Take out what waits, but for what groups have sent since ``hold``: the socket may have taken
    a part of the first frame.
    """
    with writer.lock:
        return writer.take_outgoing()


def take_held(writer: Writer) -> list[HeldFrame]:
    """Take out what groups have sent since ``hold``."""
    with writer.lock:
        return [] if writer.held is None else writer.held.take()


def put_first(writer: Writer, data: bytes) -> None:
    """Let this wait in front of all: what ``take_waiting`` has given, here or elsewhere."""
    with writer.lock:
        writer.outbox.put_back(data)


def put_last(writer: Writer, data: bytes) -> None:
    """Let whole frames wait behind those that do."""
    with writer.lock:
        writer.queue(data)


def release(
    writer: Writer,
    earlier: Iterable[HeldFrame] = (),
    before: Known = NOTHING_KNOWN,
    *,
    is_too_much: bool = False,
) -> None:
    """Let what waits leave when somebody flushes, and then what groups have sent.

    Args:
        earlier: what they have sent to another process that had the connection.
        before: what the peer had from there before that.
        is_too_much: whether something is missing there.
    """
    with writer.lock:
        held, writer.held = writer.held, None
        if held is None:
            return
        frames, expected = held.merge(earlier, before)
        writer.expected = Expected(expected, before) if expected or before else None
        for frame in frames:
            writer.queue(frame)
        if (is_too_much or held.is_too_much) and writer.queue_close(*TOO_SLOW):
            count_slow()


def let_go(writer: Writer) -> None:
    """Another process has the connection: give our descriptor back, and nothing else."""
    with writer.lock:
        writer._state.lose()
        writer.transport.let_go()
        writer.held = None
    writer._drop()
    writer.driver = None
