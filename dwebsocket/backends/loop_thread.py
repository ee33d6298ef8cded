"""A thread of ours with an event loop, for the coroutine that uses one connection.

Both are there before the handshake is accepted: behind the 101 nobody could be told that the system
has no further thread, or no further descriptors, of which a loop takes three.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dwebsocket.backends import room, view_threads
from dwebsocket.running.context import capture_context
from dwebsocket.transports.descriptors import is_full

__all__ = ["LoopThread"]


class LoopThread:
    """Counts as a view from the beginning until its coroutine has ended.

    Raises:
        NoRoom: there is no further thread, or there are no descriptors for a loop.
    """

    __slots__ = ("_loop", "_thread")

    def __init__(self) -> None:
        self._thread = view_threads.start_thread()
        try:
            self._loop = asyncio.new_event_loop()
        except BaseException as error:
            self._thread.dismiss()
            if isinstance(error, OSError) and is_full(error):
                raise room.TooFewDescriptors from error
            raise

    def run(self, function: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Call it in the thread and the caller's context, to run the coroutine in the loop
        (``run_in_loop``). The last thing that is called here.
        """
        context, loop = capture_context(), self._loop
        self._thread.run(lambda: context.copy_for_thread().run(function, loop))

    def cancel(self) -> None:
        """There is no coroutine for it. The last thing that is called here."""
        self._loop.close()
        self._thread.dismiss()
