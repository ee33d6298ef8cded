"""How a connection ends: by our Close, or because it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dwebsocket.conf import conf
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.frames import build_close as check_close
from dwebsocket.protocol.state import Reading
from dwebsocket.running.event_loop import set_done

from .abort import abort
from .events import build_close
from .outbox import Outbox
from .parts import Owner

__all__ = ["Closing"]


class Closing:
    """Has the other parts of a WebSocket send its Close, and stop."""

    __slots__ = ("_finished", "_outbox", "_owner", "_timer")

    _finished: asyncio.Future[None]  # the server has nothing more to do with the connection
    _timer: asyncio.TimerHandle | None  # our Close must have been sent by then

    def __init__(self, owner: Owner, outbox: Outbox) -> None:
        self._owner = owner
        self._outbox = outbox
        self._finished = owner._connection.loop.create_future()
        self._timer = None

    def close(self, code: int, reason: str, reading: Reading = Reading.CLOSED) -> bool:
        """Queue our Close, behind which nothing is sent. From any thread.

        Args:
            reading: whether what has come already is still delivered.

        Returns:
            Whether it is the first one, and the connection had not ended.

        Raises:
            ValueError: a code or a reason that may not be sent.
        """
        check_close(code, reason)
        owner, connection = self._owner, self._owner._connection
        owner.end(code, reason)
        if not self._outbox.put_close(build_close(code, reason)):
            return False
        if reading == Reading.CLOSED:
            owner._ready.clear()
        self.stop(code, reason, reading)
        connection.call(owner._writer.start_flush)
        connection.call(self._start_timer)
        return True

    def stop(self, code: int, reason: str, reading: Reading = Reading.CLOSING) -> None:
        """Receive and send no message any more. From any thread; idempotent.

        Args:
            reading: whether what has come already is still delivered.
        """
        owner = self._owner
        owner.end(code, reason)
        if self._outbox.stop_reading(reading):
            owner._reader.stop()
            if owner._calls is not None:
                owner._calls.wake()

    def lose(self, reason: str) -> None:
        """Mark the connection as lost, and abort it. In the loop."""
        self.stop(CloseCode.ABNORMAL_CLOSURE, reason)
        self._owner._state.lose()
        self.finish()
        abort(self._owner._connection)

    def _start_timer(self) -> None:
        """Lose the connection if our Close is not sent within ``WEBSOCKET_CLOSE_TIMEOUT``."""
        if not self._finished.done():
            self._timer = self._owner._connection.loop.call_later(
                conf.CLOSE_TIMEOUT, self.lose, "the Close did not leave in time"
            )

    def finish(self) -> None:
        """Note that the server has nothing more to do with the connection. In the loop."""
        self._owner._serving.deregister()
        if self._timer is not None:
            self._timer.cancel()
        self._owner._writer.stop()
        set_done(self._finished)

    def call_at_end(self, function: Callable[[], None]) -> None:
        """Call this behind ``finish``. In the loop."""
        self._finished.add_done_callback(lambda _: function())

    async def wait(self, timeout: float | None = None) -> None:
        """Wait for ``finish``, at most ``timeout`` seconds."""
        if not self._finished.done():
            await asyncio.wait([self._finished], timeout=timeout)
