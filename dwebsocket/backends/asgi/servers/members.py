"""The connections that have been taken from a server which has no way to count others than its own,
or none to tell them that it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from dwebsocket.running.event_loop import call_in_loop, set_done

from .base import Member

__all__ = ["Members", "find_members", "wait_until_left"]


class Members:
    """Those of one event loop. In that loop, but for ``discard``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._members: set[Member] = set()
        self._empty: asyncio.Future[None] | None = None  # somebody waits for that

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Member) -> None:
        """It is open."""
        self._members.add(member)

    def discard(self, member: Member) -> None:
        """It has ended. From any thread; idempotent."""
        self._members.discard(member)
        if self._empty is not None and not self._members:
            call_in_loop(self._loop, set_done, self._empty)

    def shutdown(self) -> None:
        """The server ends."""
        for member in list(self._members):
            member.shutdown()

    async def wait_until_empty(self, timeout: float) -> None:
        """Wait until all have ended, at most so many seconds."""
        self._empty = self._loop.create_future()
        if self._members:
            await asyncio.wait([self._empty], timeout=timeout)


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


async def wait_until_left(timeout: float) -> None:
    """Tell those of the running loop that the server ends, and wait for that, at most so many
    seconds.
    """
    members = all_members.get(asyncio.get_running_loop())
    if members is not None:
        members.shutdown()
        await members.wait_until_empty(timeout)
