"""Calls of one connection's handler: by whoever leads, or in a thread of its own.

With ``--threaded`` and ``--gevent`` each connection has a thread or a greenlet to itself, which may
be busy for ever.
"""

from __future__ import annotations

import threading
from typing import Protocol

from dwebsocket.backends import view_threads
from dwebsocket.backends.listening import Listener
from dwebsocket.protocol.state import ConnectionState
from dwebsocket.supervisor import log_failure

from .inbox import Received
from .leader import Leader

__all__ = ["Called", "Calls", "OwnThread"]

#: Messages of one connection in a row, before others have their turn.
MAX_IN_A_ROW = 16

#: Guards what each connection's calls are doing; held for an instant.
lock = threading.Lock()


class Called(Protocol):
    """The WebSocket whose handler is called."""

    @property
    def _state(self) -> ConnectionState: ...

    @property
    def _has_something(self) -> bool:
        """Whether there is something to tell: a message, or the end."""
        ...

    def _take(self) -> Received | None:
        """The next message for the handler, if it is still wanted."""
        ...

    def _take_blocking(self) -> Received | None:
        """The same; waits for it, or for the end."""
        ...

    def _begin_work(self, received: Received) -> None:
        """The handler is about to be told."""

    def _end_work(self, received: Received) -> None:
        """It has been told."""

    def _fail(self) -> None:
        """A call has failed in a way that nobody expected: end the connection."""


class Calls:
    """Calls the listener of one connection: never two calls at once.

    Attributes:
        is_frozen: no further call begins: somebody else is going to make them.
    """

    __slots__ = ("_ended", "_leader", "_listener", "_owner", "_working", "is_frozen")

    def __init__(self, owner: Called, listener: Listener, leader: Leader) -> None:
        self._owner = owner
        self._listener = listener
        self._leader = leader
        self._working = True  # with the opening
        self._ended = self.is_frozen = False

    def start(self) -> None:
        """The opening is over."""
        with lock:
            self._working = False
        self.wake(soon=True)

    def wake(self, *, soon: bool = False) -> None:
        """There is something to tell. By whoever leads; with ``soon`` from any thread."""
        with lock:
            if self._working or self.is_frozen:
                return
            self._working = True
        if soon:
            self._leader.call_beside(self)
        else:
            self._leader.ready.append(self)

    def freeze(self) -> bool:
        """Let no further call begin; whether none is running."""
        with lock:
            self.is_frozen = True
            return not self._working

    @property
    def has_ended(self) -> bool:
        """Whether the listener has been told of the end."""
        return self._ended

    def work(self) -> bool:
        """Tell the listener what there is to tell; whether there is more."""
        try:
            for _ in range(MAX_IN_A_ROW):
                if not self._call():
                    return self._is_wanted_again()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self._ended = True
            self._owner._fail()
            return False
        return True

    def _is_wanted_again(self) -> bool:
        with lock:
            self._working = False
        return self._has_work() and self._takes_up()

    def _has_work(self) -> bool:
        return not self._ended and not self.is_frozen and self._owner._has_something

    def _takes_up(self) -> bool:
        with lock:
            if self._working or self.is_frozen:
                return False
            self._working = True
            return True

    def _call(self) -> bool:
        """Call the listener once; ``False`` when there is nothing to tell it."""
        if self.is_frozen or self._ended:
            return False
        reading = self._owner._state.reading  # asked first: what comes before the end is here then
        received = self._owner._take()
        if received is not None:
            tell(self._owner, self._listener, received)
            return True
        if reading:
            self._ended = True
            self._listener.end()
        return False


def tell(owner: Called, listener: Listener, received: Received) -> None:
    """Give the listener a message, and note that it has been worked on."""
    owner._begin_work(received)
    listener.receive([received.message])
    owner._end_work(received)


class OwnThread:
    """Calls the listener of one connection in a thread, or greenlet, that it has to itself.

    Raises:
        NoRoom: there is none.
    """

    __slots__ = ("_listener", "_owner", "_thread", "_working", "has_ended", "is_frozen")

    def __init__(self, owner: Called) -> None:
        self._owner = owner
        self._thread: view_threads.ViewThread | None = view_threads.start_thread()
        self._listener: Listener | None = None
        self._working = True
        self.is_frozen = self.has_ended = False

    def listen(self, listener: Listener) -> None:
        """Whom to call."""
        self._listener = listener

    def start(self) -> None:
        """The opening is over."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.run(self._run)

    def cancel(self) -> None:
        """There is nobody to call."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.dismiss()

    def wake(self, *, soon: bool = False) -> None:
        """There is something to tell: the thread waits for it by itself."""

    def freeze(self) -> bool:
        """Let no further call begin; whether none is running."""
        with lock:
            self.is_frozen = True
            return not self._working

    def _run(self) -> None:
        owner, listener = self._owner, self._listener
        assert listener is not None
        try:
            while (received := self._next()) is not None:
                tell(owner, listener, received)
            if not self.is_frozen:
                self.has_ended = True
                listener.end()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self.has_ended = True
            owner._fail()
        finally:
            self._working = False

    def _next(self) -> Received | None:
        with lock:
            self._working = False
        received = self._owner._take_blocking()
        with lock:
            if self.is_frozen:
                return None
            self._working = True
        return received
