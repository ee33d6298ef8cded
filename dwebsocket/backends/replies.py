"""An HTTP answer that is given later: what waits for it is not the business of who gives it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.http import HttpResponse

__all__ = ["Reply"]


class Reply:
    """The answer to one request. It is given once, from any thread.

    Args:
        render: makes the response of the text and the status that are given.

    Attributes:
        on_left: called, from any thread, when the client has left before it was given.
    """

    __slots__ = ("_callback", "_lock", "_render", "_status", "_text", "on_left")

    def __init__(self, render: Callable[[str, int], HttpResponse]) -> None:
        self._render = render
        self._lock = threading.Lock()  # held for an instant
        self._text: str | None = None
        self._status = 0
        self._callback: Callable[[], None] | None = None
        self.on_left: Callable[[], None] | None = None

    @property
    def is_given(self) -> bool:
        """Whether there is an answer."""
        return self._text is not None

    def give(self, text: str, status: int = 200) -> None:
        """Answer with this, unless that has been done."""
        with self._lock:
            if self._text is not None:
                return
            self._text, self._status = text, status
            callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def when_given(self, callback: Callable[[], None]) -> None:
        """Have this called, once, as soon as there is an answer: at once, or by who gives it. It
        must not wait.
        """
        with self._lock:
            if self._text is None:
                self._callback = callback
                return
        callback()

    @property
    def answer(self) -> tuple[str, int]:
        """The text and the status; there is an answer."""
        assert self._text is not None
        return self._text, self._status

    def tell_left(self) -> None:
        """The client has left. From any thread."""
        on_left, self.on_left = self.on_left, None
        if on_left is not None:
            on_left()

    def build(self) -> HttpResponse:
        """The response; there is an answer."""
        return self._render(*self.answer)
