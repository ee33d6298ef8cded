"""The two directions of a WebSocket connection, from the handshake to the end (RFC 6455, 5.5.1 and
7.1). Each state only grows, and is changed here alone.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ConnectionState", "Reading", "Writing"]


class Reading(IntEnum):
    """What is delivered of what the peer sends; true for all but ``OPEN``."""

    CONNECTING = -1  # the handshake has not been answered
    OPEN = 0
    CLOSING = 1  # nothing more comes: what came before is delivered, and may be answered
    CLOSED = 2  # we have closed: what came before is not wanted any more


class Writing(IntEnum):
    """What may still be sent; true for all but ``OPEN``."""

    OPEN = 0
    CLOSE_QUEUED = 1  # our Close is the last of what waits (5.5.1): nothing is added behind it
    CLOSE_SENT = 2  # it is leaving, or has left
    LOST = 3  # the connection broke


class ConnectionState:
    """How far a connection is, and why it has ended.

    Attributes:
        reading: what is delivered.
        writing: what may be sent.
        code: why the connection ends (7.1.5), ``None`` until that is decided.
        reason: the text beside the code.
    """

    __slots__ = ("code", "reading", "reason", "writing")

    def __init__(self) -> None:
        self.reading = Reading.CONNECTING
        self.writing = Writing.OPEN
        self.code: int | None = None
        self.reason: str | None = None

    def open(self) -> None:
        """The handshake is about to be answered with 101. Idempotent."""
        self.reading = max(self.reading, Reading.OPEN)

    def end(self, code: int, reason: str) -> bool:
        """Decide why the connection ends. Not safe from several threads at once.

        Returns:
            Whether this was the first call: the code and the reason of later ones do not count.
        """
        if self.code is not None:
            return False
        self.reason = reason
        self.code = int(code)
        return True

    def stop_reading(self, state: Reading = Reading.CLOSED) -> None:
        """Deliver nothing any more."""
        self.reading = max(self.reading, state)

    def queue_close(self) -> None:
        """Let nothing be added behind our Close, which waits."""
        self.writing = max(self.writing, Writing.CLOSE_QUEUED)

    def send_close(self) -> None:
        """Let nothing be sent behind our Close, which leaves now."""
        self.writing = max(self.writing, Writing.CLOSE_SENT)

    def lose(self) -> None:
        """Mark the connection as lost: nothing more comes, nothing more goes."""
        self.stop_reading(Reading.CLOSING)
        self.writing = Writing.LOST
