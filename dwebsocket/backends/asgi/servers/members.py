"""The connections that have been taken from a server which has no way to count others than its own,
or none to tell them that it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from dwebsocket.running.event_loop import call_in_loop, set_done

from .base import Member

__all__ = ["GRACE", "Members", "end_members", "find_members"]

#: Seconds that those that are open have to end when the server does.
GRACE = 2.0


class Members:
    """Those of one event loop. In that loop, but for ``discard``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._members: set[Member] = set()
        self._told: set[Member] = set()  # of them
        self._tasks: set[asyncio.Task[Any]] = set()
        self._empty: asyncio.Future[None] | None = None  # somebody waits for that

    def add(self, member: Member) -> None:
        """It is open."""
        self._members.add(member)

    def discard(self, member: Member) -> bool:
        """It has ended; whether it has been here. From any thread."""
        try:
            self._members.remove(member)
        except KeyError:
            return False
        self._told.discard(member)
        if self._empty is not None and not self._members:
            call_in_loop(self._loop, set_done, self._empty)
        return True

    def keep_task(self, task: asyncio.Task[Any]) -> None:
        """Refer to a task, which its loop does not, until it has ended."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def shutdown(self) -> bool:
        """The server ends: tell those who have not been told; whether all have."""
        for member in self._members - self._told:
            if member.shutdown():
                self._told.add(member)
        return self._members <= self._told

    def clear(self) -> int:
        """Wait for nobody any more; how many there were."""
        count = len(self._members)
        self._members.clear()
        return count

    async def end(self, timeout: float = GRACE) -> None:
        """Tell them that the server ends, and wait until they and the tasks have ended, at most so
        many seconds.
        """
        self.shutdown()
        deadline = self._loop.time() + timeout
        # Whose connection has ended may have a task that begins with that.
        while (self._members or self._tasks) and (left := deadline - self._loop.time()) > 0:
            waiting: list[asyncio.Future[Any]] = [*self._tasks]
            if self._members:
                self._empty = self._loop.create_future()
                waiting.append(self._empty)
            await asyncio.wait(waiting, timeout=left)


all_members: WeakKeyDictionary[asyncio.AbstractEventLoop, Members] = WeakKeyDictionary()


def find_members(watch: Callable[[Members], None]) -> Members:
    """Those of the running loop.

    Args:
        watch: called for the first one: has them told when the server ends.
    """
    loop = asyncio.get_running_loop()
    members = all_members.get(loop)
    if members is None:
        members = all_members[loop] = Members()
        watch(members)
    return members


async def end_members() -> None:
    """See ``Members.end``: for those of the running loop."""
    members = all_members.get(asyncio.get_running_loop())
    if members is not None:
        await members.end()
