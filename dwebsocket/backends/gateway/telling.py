"""How a handler is told what has come, so that the front hears what has been worked on.

With ``--threaded`` and ``--gevent`` each connection has a thread or a greenlet to itself, which may
be busy for ever; without, ``backends.calls`` calls the handler.
"""

from __future__ import annotations

import threading
from typing import Protocol

from dwebsocket.backends import view_threads
from dwebsocket.backends.listening import Listener
from dwebsocket.protocol.messages import Message
from dwebsocket.supervisor import log_failure

from .flow import Flow

__all__ = ["OwnThread", "Told", "Worked"]

#: Guards what each thread is doing; held for an instant.
lock = threading.Lock()


class Told(Protocol):
    """The WebSocket whose handler is told."""

    def _take_blocking(self) -> Message | None:
        """The next message; waits for it, or for the end."""
        ...

    def _fail(self) -> None:
        """A call has failed in a way that nobody expected: end the connection."""


class Worked:
    """A listener that has worked on its messages when it returns."""

    __slots__ = ("_flow", "_listener", "calls_anew", "stalled")

    def __init__(self, flow: Flow, listener: Listener) -> None:
        self._flow = flow
        self._listener = listener
        self.calls_anew = self.stalled = False

    def receive(self, messages: list[Message]) -> None:
        """See ``Listener``; so has the rest."""
        self._listener.receive(messages)
        self._flow.note_worked_on()

    def end(self) -> None:
        """See ``Listener``."""
        self._listener.end()


class OwnThread:
    """Calls the listener of one connection in a thread, or greenlet, that it has to itself.

    Raises:
        NoRoom: there is none.
    """

    __slots__ = ("_frozen", "_listener", "_owner", "_thread", "_working")

    def __init__(self, owner: Told) -> None:
        self._owner = owner
        self._thread: view_threads.ViewThread | None = view_threads.start_thread()
        self._listener: Listener | None = None
        self._working = True
        self._frozen = False

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

    def freeze(self) -> bool:
        """Let no further call begin; whether none is running."""
        with lock:
            self._frozen = True
            return not self._working

    def _run(self) -> None:
        listener = self._listener
        assert listener is not None
        try:
            while (message := self._next()) is not None:
                listener.receive([message])
            if not self._frozen:
                listener.end()
        except Exception:
            log_failure("A WebSocket failed, and is closed")
            self._owner._fail()
        finally:
            self._working = False

    def _next(self) -> Message | None:
        with lock:
            self._working = False
        message = self._owner._take_blocking()
        with lock:
            if self._frozen:
                return None
            self._working = True
        return message
