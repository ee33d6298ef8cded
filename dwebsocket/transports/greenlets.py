"""Being watched by a hub: its callbacks must not wait, so each call gets a greenlet of its own."""

from __future__ import annotations

from typing import Any

from greenlet import getcurrent, greenlet

from .base import Transport, Watcher

__all__ = ["GreenletTransport"]


class GreenletTransport(Transport):
    """What gevent and eventlet share; they say how a hub watches a descriptor."""

    __slots__ = ("_call_waiting", "_interest", "_reader", "_watched", "_watcher")

    _call_waiting: Any  # the greenlet of a call that waits for something
    _interest: tuple[bool, bool]  # reading, writing: what the watcher wants
    _reader: Any  # the greenlet that reads, or is in a call
    _watched: tuple[bool, bool]  # what the hub watches now
    _watcher: Any  # a Watcher, None once it is called no more

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._reader = None

    def is_own_hub(self) -> bool:
        """Whether this is the thread whose hub watches the connection."""
        raise NotImplementedError

    def call_in_hub(self, interest: tuple[bool, bool] | None) -> None:
        """Call ``_set_interest`` in the thread of the hub, from another one."""
        raise NotImplementedError

    def watch_reading(self, on: bool) -> None:
        """Have the hub call ``_on_readable``, or not."""
        raise NotImplementedError

    def watch_writing(self, on: bool) -> None:
        """Have the hub call ``_on_writable``, or not."""
        raise NotImplementedError

    def watch(self, watcher: Watcher, *, reading: bool = True, writing: bool = False) -> None:
        self._watcher = watcher
        self._call_waiting = None
        self._watched = (False, False)
        self.set_interest(reading=reading, writing=writing)

    def set_interest(self, *, reading: bool, writing: bool) -> None:
        self._in_hub((reading, writing))

    def unwatch(self) -> None:
        self._in_hub(None)

    def _in_hub(self, interest: tuple[bool, bool] | None) -> None:
        if self.is_own_hub():
            self._set_interest(interest)
        else:
            self.call_in_hub(interest)

    def _set_interest(self, interest: tuple[bool, bool] | None) -> None:
        """Reading and writing; ``None``: nothing any more."""
        if self._watcher is not None:
            self._interest = interest or (False, False)
            self._apply()
            if interest is None:
                self._watcher = None

    def _apply(self) -> None:
        reading, writing = self._interest
        wanted = (reading and self._call_waiting is None, writing)
        watched, self._watched = self._watched, wanted
        if wanted[0] != watched[0]:
            self.watch_reading(wanted[0])
        if wanted[1] != watched[1]:
            self.watch_writing(wanted[1])

    def _on_readable(self, *args: Any) -> None:
        if self._watcher is None or self._call_waiting is not None:
            return  # eventlet tells of what it found before the interest changed
        call = greenlet(self._call)
        call.switch()
        if not call.dead and self._watcher is not None:
            self._call_waiting = call
            self._apply()

    def _call(self) -> None:
        self._reader = getcurrent()
        self._watcher.on_readable()
        self._reader = None
        if self._call_waiting is not None:
            self._call_waiting = None
            if self._watcher is not None:
                self._apply()

    def _on_writable(self, *args: Any) -> None:
        if self._watcher is not None:
            self._watcher.on_writable()
