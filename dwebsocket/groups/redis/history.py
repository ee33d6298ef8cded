"""What groups remember, in Redis: every process of every machine has the same."""

from __future__ import annotations

from functools import partial
from typing import Any

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.history import Kept, Log, Position, Rule, create_epoch
from dwebsocket.groups.history.store import FORGOTTEN

from .caller import Caller, Purpose
from .client import Client
from .scripts import APPEND, PASS, READ, RENEW, RIGHTS, Script, find_keys

__all__ = ["RedisHistory"]

#: Bytes of messages that are read at a time: it must not take as long as an outage.
PAGE = 1_000_000


class RedisHistory:
    """A ``HistoryStore`` that also publishes what is kept."""

    def __init__(self, client: Client, prefix: str, caller: Caller) -> None:
        self._client = client
        self._prefix = prefix
        self._caller = caller

    def append(self, name: str, data: bytes, rule: Rule) -> Position:
        epoch, offset = self._send(name, APPEND, data, rule.size, in_milliseconds(rule.seconds))
        return Position(epoch.decode(), offset)

    def publish(self, name: str, data: bytes) -> None:
        """Publish what is not kept behind what is.

        Raises:
            GroupUnavailable: nobody got it, or nobody knows whether anybody did.
        """
        self._send(name, PASS, data)

    def _send(self, name: str, script: Script, *arguments: Any) -> Any:
        channel = self._prefix + name
        try:
            done = self._run(
                name, script, UNCONFIRMED, *arguments, self._client.publishing, channel
            )
        except GroupUnavailable:
            self._caller.count(unavailable=1)
            raise
        self._caller.count(published=1)
        return done

    def read(self, name: str, after: int | None, limit: int | None) -> Log:
        position, seen, end, kept = self._read_page(name, after, limit)
        while seen < end:
            here, seen, _, more = self._read_page(name, seen, None, end)
            if here.epoch != position.epoch:
                return self.read(name, after, limit)
            kept += more
        return Log(position, whole_tail(kept, end))

    def _read_page(
        self, name: str, after: int | None, limit: int | None, until: int | None = None
    ) -> tuple[Position, int, int, list[Kept]]:
        arguments = ("" if one is None else one for one in (after, limit, until))
        epoch, last, seen, end, found = self._run(name, READ, UNREAD, *arguments, PAGE)
        kept = [Kept(int(at), data) for at, data in zip(found[::2], found[1::2], strict=True)]
        return Position(epoch.decode(), last), seen, end, kept

    def renew(self, name: str, epoch: str) -> None:
        self._run(name, RENEW, UNREAD, epoch)

    def _run(self, name: str, script: Script, purpose: Purpose, *arguments: Any) -> Any:
        keys = find_keys(self._prefix, name)
        common = (create_epoch(), in_milliseconds(FORGOTTEN))
        run = partial(self._client.run, script, keys, (*common, *arguments))
        return self._caller.call(self._prefix + name, run, purpose, name)


FEATURE = "groups that remember"
UNCONFIRMED = Purpose("did not confirm the message: perhaps nobody has got it", FEATURE, RIGHTS)
UNREAD = Purpose("does not say what the group remembers", FEATURE, RIGHTS)


def in_milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def whole_tail(kept: list[Kept], end: int) -> list[Kept]:
    """Those up to this offset between which nothing is missing."""
    begin = len(kept)
    while begin and kept[begin - 1].offset == end - (len(kept) - begin):
        begin -= 1
    return kept[begin:]
