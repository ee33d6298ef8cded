"""How much may be on its way to another process: the channel between them is others' as well, and
loses what does not fit in.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Window"]

#: Bytes that may be on their way, besides the message that goes beyond them.
MAX_FLYING = 2 << 20

#: Bytes after which the other process is asked to say that it has them.
ASKED = 512 << 10


class Window:
    """Of one link. Under its lock."""

    __slots__ = ("_asked", "_asks", "_flying", "_since")

    def __init__(self) -> None:
        self._flying = self._since = 0  # bytes: of all, and of those behind the last question
        self._asked: deque[int] = deque()  # bytes up to each question
        self._asks = False

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be sent before there is an answer."""
        return self._flying > MAX_FLYING

    @property
    def is_asking(self) -> bool:
        """Whether an answer is expected."""
        return bool(self._asked)

    def begin(self, size: int) -> bool:
        """A message of about so many bytes is going to be sent; whether it ends with a question."""
        self._asks = self._since + size >= ASKED
        return self._asks

    def add(self, size: int) -> None:
        """It has so many."""
        self._flying += size
        self._since += size
        if self._asks:
            self._asked.append(self._since)
            self._since = 0

    def answer(self) -> None:
        """The other process has got all up to the first question that is open."""
        if self._asked:
            self._flying -= self._asked.popleft()
