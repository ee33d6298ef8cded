"""Where the code that uses a WebSocket goes on: decided once, before the 101.

It may stay in the server's thread, run beside the server in a thread or greenlet, in an event loop
(the server's, or one in a thread of ours), or be called by a loop that reads for all connections.
Each backend has its own runners for that, and picks one of them in
``BaseWebSocket._create_runner``. Only ``upgrade`` calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any, Protocol

from dwebsocket.backends.listening import Listener

__all__ = ["STAYING", "Owner", "Run", "Runner", "Use"]

#: A coroutine function without arguments.
Run = Callable[[], Coroutine[Any, Any, Any]]


class Use(Enum):
    """What uses a WebSocket: a view, a coroutine (an ``async`` view or handler), or the calls of a
    handler.
    """

    VIEW = auto()
    COROUTINE = auto()
    HANDLER = auto()


class Owner(Protocol):
    """What runners know of their WebSocket."""

    #: ``None`` once the server's request has ended, or is sure to end.
    _runner: Runner | None
    #: Called once, when the handshake has been accepted.
    _on_accept: Callable[[], None] | None

    @property
    def accepted(self) -> bool: ...


class Runner:
    """Runs everything in the server's own thread, for as long as the connection lasts.

    What a runner needs is reserved when it is made, or, on sockets, just before the 101. It lives
    until the server's request has ended, or the view has. Of the ``start_*`` methods and ``drive``
    that one is called, once, for whose use it was made.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """Give back what is reserved and has not been used. Idempotent."""

    def start_view(self) -> None:
        """Begin a view, which the caller goes on to call in this thread: the server's request may
        end as soon as the handshake is accepted.
        """

    def start_coroutine(self, run: Run) -> bool:
        """Run a coroutine beside the server, whose request may end at once. Called in a thread,
        behind the 101.

        Returns:
            ``False`` if the request must last as long as the connection; ``run`` has not been
            called then.
        """
        return False

    async def astart_coroutine(self, run: Run) -> bool:
        """``start_coroutine`` for an ``async`` view, which is called in an event loop, and may
        accept the handshake itself: where it runs in the same loop, this waits for that.
        """
        return False

    def drive(self, listener: Listener) -> Callable[[], None] | None:
        """Have a loop tell ``listener`` what comes on the connection, once the returned function is
        called; the server's request may end. Called behind the 101.

        Returns:
            ``None`` if the request must last as long as the connection: the caller reads then.
        """
        return None


#: It holds nothing, so all that stay share it.
STAYING = Runner()
