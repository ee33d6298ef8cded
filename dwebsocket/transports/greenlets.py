"""Being watched by a hub: its callbacks must not wait, so each call gets a greenlet of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

from dwebsocket.supervisor import ends_process

from .base import Transport, Watcher, fail_watcher

__all__ = ["GreenletTransport"]

#: A greenlet's first call maps memory for its stack, the most expensive thing about it: those that
#: are done wait here for the next call, by hub.
idle_callers: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()

#: So many of them; what many slow calls needed at once is given back.
MAX_IDLE = 64

#: Those of a hub that have more to do though nothing comes. One of them goes on between two rounds
#: of the hub: however many they are, who is new waits for one.
waiting_turns: WeakKeyDictionary[Any, deque[Callable[[], Any]]] = WeakKeyDictionary()


class GreenletTransport(Transport):
    """What gevent and eventlet share; they say how a hub watches a descriptor."""

    __slots__ = (
        "_hub",
        "_idle",
        "_in_call",
        "_interest",
        "_more",
        "_reader",
        "_watched",
        "_watcher",
    )

    calls_anew: ClassVar[bool] = True

    _hub: Any
    _idle: list[Any]  # this hub's callers
    _in_call: bool
    _interest: tuple[bool, bool]  # reading, writing: what the watcher wants
    _more: bool  # the watcher is called again even if nothing comes
    _reader: Any  # the greenlet that reads, or is in a call
    _watched: tuple[bool, bool]  # what the hub watches now
    _watcher: Any  # a Watcher, None once it is called no more

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._reader = None
        self._in_call = False

    def is_own_hub(self) -> bool:
        """Whether this is the thread whose hub watches the connection."""
        raise NotImplementedError

    def call_in_hub(self, interest: tuple[bool, bool] | None) -> None:
        """Call ``_set_interest`` in the thread of the hub, from another one."""
        raise NotImplementedError

    def call_in_next_round(self, function: Callable[[], None]) -> None:
        """Have the hub call a function when it has looked at all connections."""
        raise NotImplementedError

    def watch_reading(self, on: bool) -> None:
        """Have the hub call ``_on_readable``, or not."""
        raise NotImplementedError

    def watch_writing(self, on: bool) -> None:
        """Have the hub call ``_on_writable``, or not."""
        raise NotImplementedError

    def watch(
        self, watcher: Watcher, *, reading: bool = True, writing: bool = False, more: bool = False
    ) -> None:
        self._watcher = watcher
        self._idle = idle_callers.setdefault(self._hub, [])
        if not self._in_call:  # one of before runs still, and will say it
            self._more = more
        self._watched = (False, False)
        self._in_hub((reading, writing))

    def set_interest(self, *, reading: bool, writing: bool) -> None:
        self._in_hub((reading, writing))

    def unwatch(self) -> None:
        self._in_hub(None)

    def is_still(self) -> bool:
        return not self._in_call

    def is_calling(self) -> bool:
        return self._reader is getcurrent()

    def take_turn(self) -> None:
        if not self.is_own_hub():
            self.sleep(0)
            return
        wake = getcurrent().switch
        self._queue(wake)
        try:
            self._hub.switch()
        except BaseException:  # it is not woken any more
            waiting_turns[self._hub].remove(wake)
            raise

    def _queue(self, go_on: Callable[[], Any]) -> None:
        turns = waiting_turns.setdefault(self._hub, deque())
        turns.append(go_on)
        if len(turns) == 1:
            self.call_in_next_round(self._give_turn)

    def _give_turn(self) -> None:
        turns = waiting_turns[self._hub]
        if not turns:
            return
        try:
            turns[0]()
        finally:
            turns.popleft()
            if turns:
                self.call_in_next_round(self._give_turn)

    def _in_hub(self, interest: tuple[bool, bool] | None) -> None:
        if self.is_own_hub():
            self._set_interest(interest)
        else:
            self.call_in_hub(interest)

    def _set_interest(self, interest: tuple[bool, bool] | None) -> None:
        """Reading and writing; ``None``: nothing any more."""
        if self._watcher is not None:
            self._interest = interest or (False, False)
            # A call that waits will read itself; one that does not is over before the hub looks.
            self._apply(reading=self._interest[0] and not self._in_call)
            if self._more and not self._in_call:
                self._queue(self._go_on)
            if interest is None:
                self._watcher = None

    def _apply(self, *, reading: bool) -> None:
        watched, self._watched = self._watched, (reading, self._interest[1])
        if reading != watched[0]:
            self.watch_reading(reading)
        if self._interest[1] != watched[1]:
            self.watch_writing(self._interest[1])

    def _on_readable(self, *args: Any) -> None:
        if self._watcher is None or self._in_call:
            return  # eventlet tells of what it found before the interest changed
        self._in_call = True
        (self._idle.pop() if self._idle else greenlet(run_calls)).switch(self)
        if self._in_call:  # it waits for something
            self._apply(reading=False)

    def call(self) -> None:
        """Let the watcher read, in a greenlet that may wait."""
        watcher = self._watcher
        self._reader = getcurrent()
        try:
            self._more = watcher.on_readable()
        except BaseException as error:
            if ends_process(error):
                raise
            self._more = False
            fail_watcher(watcher)
        self._reader = None
        self._in_call = False
        if self._watcher is not None and self._interest != self._watched:
            self._apply(reading=self._interest[0])
        if self._more:
            self._queue(self._go_on)

    def _go_on(self) -> None:
        if self._watcher is not None and self._more and self._interest[0]:
            self._on_readable()

    def _on_writable(self, *args: Any) -> None:
        watcher = self._watcher
        if watcher is not None:
            try:
                watcher.on_writable()
            except Exception:
                fail_watcher(watcher)


def run_calls(transport: GreenletTransport) -> None:
    """A caller's life: a call, and a rest until somebody needs it for the next."""
    caller, idle = getcurrent(), transport._idle
    while True:
        transport.call()
        if len(idle) >= MAX_IDLE:
            return
        idle.append(caller)
        del transport  # an idle caller keeps nothing alive
        transport = caller.parent.switch()
