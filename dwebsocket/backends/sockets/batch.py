"""Answers to messages of one read, held back so that they leave together.

Whoever works through the messages may be kept by something else in the middle of them, so somebody
must see to it that what is held leaves soon: the transport says who (``Transport.gather``). He ends
the batch, and writes then; whoever has held an answer looks then whether it was ended meanwhile.
One of the two sees the other.
"""

from __future__ import annotations

from functools import partial
from time import monotonic

from dwebsocket.backends.sockets.parts import Incoming
from dwebsocket.backends.sockets.watching import Flushed
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.supervisor import log_failure

__all__ = ["POLL_INTERVAL", "Batch"]

#: Not more than this many bytes leave together.
MAX_SIZE = 65536

#: A socket that has not been polled for this many seconds is polled before a send.
POLL_INTERVAL = 1.0


class Batch:
    """What may be held back of one connection's answers.

    Attributes:
        is_open: whether they may be held, for they are going to leave soon. Whoever takes out what
            waits closes it.
        size: bytes of those that are held.
    """

    __slots__ = ("_incoming", "_number", "_state", "_writer", "is_open", "size")

    def __init__(self, writer: Flushed, state: ConnectionState, incoming: Incoming) -> None:
        self._writer = writer
        self._state = state
        self._incoming = incoming
        self._number = 0
        self.is_open = False
        self.size = 0

    def may_hold(self) -> bool:
        """Whether an answer may wait in the outbox (and count for ``size``) until the other
        messages of the same read have theirs.
        """
        if self._state.writing:
            return False
        if self.is_open:
            return self.size < MAX_SIZE
        # What is held back comes to no poll.
        if monotonic() - self._incoming.last_received > POLL_INTERVAL:
            self._incoming.poll_if_due()
        transport = self._writer.transport
        if self._state.reading or not transport.gathers:
            return False
        number = self._number = self._number + 1
        self.is_open = True  # before anybody could end it
        if not transport.gather(partial(self._end, number)):
            self.is_open = False
        return self.is_open and self.size < MAX_SIZE

    def _end(self, number: int) -> None:
        """Whoever works through this batch may be waiting for something else."""
        if self.is_open and self._number == number:
            self.end()

    def end(self) -> None:
        """Hold nothing back any more of these messages' answers, and write what was. From any
        thread.
        """
        self._writer.transport.stop_gathering()
        self.is_open = False
        try:
            self._writer.try_flush()
        except Exception:
            log_failure("A WebSocket cannot be written, and is closed")
            self._writer.lose("of an error that is logged")
