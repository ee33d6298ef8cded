"""Listens to one node of Redis for the groups that have members in this process.

Only the listener uses its connection; whoever needs a further subscription asks for it by a message
on a channel of our own, and waits for a moment until Redis has confirmed it.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import deque
from time import monotonic
from typing import Any, Protocol

import redis

from .clients import ERRORS, Client

__all__ = ["MAX_DELAY", "Owner", "Subscriber"]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds without a message after which Redis is asked whether it is still there, and by which
#: subscriptions of groups without members are given up.
TICK = 5.0

#: Seconds that whoever joins waits for Redis to confirm the subscription.
MAX_CONFIRMATION = 1.0

#: Seconds between two tries to connect.
MIN_DELAY, MAX_DELAY = 0.05, 1.0

#: Channels in one SUBSCRIBE.
BATCH = 500


class Owner(Protocol):
    """Who knows what is wanted, and gets what comes."""

    def channels_of(self, node: str) -> set[str]:
        """All channels that are wanted from a node."""

    def wants(self, node: str, channel: str) -> bool:
        """Whether this one is."""

    def hand_on(self, channel: str, data: bytes) -> None:
        """A message has come. Must not raise."""

    def forget(self, channel: str) -> None:
        """It is subscribed to no more."""

    def route_anew(self) -> None:
        """A cluster may have moved what is wanted to other nodes. Must not raise."""


class Subscriber:
    """One connection and the one who listens to it, started on first use.

    Attributes:
        is_down: whether the connection is lost and not back yet.
    """

    def __init__(self, client: Client, node: str, owner: Owner) -> None:
        self._client = client
        self._node = node
        self._owner = owner
        self._wake_channel = f"dwebsocket:wake:{os.urandom(8).hex()}"
        self._changed = threading.Condition()  # guards what follows; never held across a wait
        self._pending: deque[str] = deque()  # channels whose need has changed
        self._asked: set[str] = set()  # subscribed to, or about to be
        self._confirmed: set[str] = set()
        self._started = self._closed = self.is_down = False
        self._down_since = 0.0

    # What the backend calls

    def look_at(self, channel: str) -> None:
        """It is wanted no more, perhaps. Never waits."""
        self._pending.append(channel)

    def ensure(self, channel: str) -> None:
        """It is wanted, perhaps anew. Never waits."""
        with self._changed:
            self._pending.append(channel)
            self._start()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="dwebsocket-groups", daemon=True).start()

    def want(self, channel: str) -> None:
        """It is wanted, perhaps anew: wait until it is subscribed to, but not long."""
        with self._changed:
            if channel in self._confirmed:
                return
            self._pending.append(channel)
            self._start()
        if not self.is_down:
            self._wake()
        with self._changed:
            self._changed.wait_for(
                lambda: channel in self._confirmed or self.is_down, MAX_CONFIRMATION
            )

    def close(self) -> None:
        """Nobody listens any more."""
        self._closed = True
        if self._started:
            self._wake()

    def _wake(self) -> None:
        try:
            self._client.publish_to_all(self._wake_channel, b"")
        except ERRORS:
            pass  # the listener finds out by itself

    # What the listener does

    def _run(self) -> None:
        delay = MIN_DELAY
        while not self._closed:
            pubsub = None
            try:
                pubsub = self._client.pubsub(self._node)
                self._subscribe_to_all(pubsub)
                while not self._closed:
                    self._listen(pubsub)
                    delay = MIN_DELAY
            except ERRORS as error:
                self._go_down(error)
                time.sleep(delay * random.uniform(0.5, 1))
                delay = min(delay * 2, MAX_DELAY)
                if self._client.sharded and self._is_needed_no_more():
                    return
            finally:
                if pubsub is not None:
                    hang_up(pubsub)

    def _is_needed_no_more(self) -> bool:
        """Whether the cluster has moved everything elsewhere, this node having failed perhaps."""
        self._owner.route_anew()
        with self._changed:
            try:
                if self._owner.channels_of(self._node):
                    return False
            except ERRORS:
                return False
            self._started = self.is_down = False
            return True

    def _subscribe_to_all(self, pubsub: Any) -> None:
        pubsub.subscribe(self._wake_channel)
        with self._changed:
            self._pending.clear()
            self._asked = self._owner.channels_of(self._node)
            channels = list(self._asked)
        self._subscribe(pubsub, channels)

    def _subscribe(self, pubsub: Any, channels: list[str]) -> None:
        subscribe = pubsub.ssubscribe if self._client.sharded else pubsub.subscribe
        for start in range(0, len(channels), BATCH):
            subscribe(*channels[start : start + BATCH])

    def _listen(self, pubsub: Any) -> None:
        """Hand on what comes, until there is silence."""
        while (message := pubsub.get_message(timeout=TICK)) is not None:
            self._handle(message)
            self._follow_wishes(pubsub)
            if self._closed:
                return
        self._follow_wishes(pubsub)
        pubsub.ping()
        message = pubsub.get_message(timeout=TICK)
        if message is None:
            raise redis.ConnectionError(f"no answer to a PING within {TICK} seconds")
        self._handle(message)

    def _handle(self, message: dict[str, Any]) -> None:
        kind, channel = message["type"], message["channel"]
        if kind in ("message", "smessage"):
            name = as_text(channel)
            if name != self._wake_channel:
                self._owner.hand_on(name, message["data"])
        elif kind in ("subscribe", "ssubscribe"):
            self._confirm(as_text(channel))
        elif kind == "sunsubscribe" and as_text(channel) in self._confirmed:
            raise redis.ConnectionError("the cluster has moved a group to another node")

    def _confirm(self, channel: str) -> None:
        with self._changed:
            was_down, self.is_down = self.is_down, False
            if channel in self._asked:
                self._confirmed.add(channel)
            self._changed.notify_all()
        if was_down:
            logger.info(
                "Redis at %s is back after %.1f seconds: groups reach all processes again",
                self._client.shown,
                monotonic() - self._down_since,
            )

    def _follow_wishes(self, pubsub: Any) -> None:
        """Subscribe to what is wanted now, and to nothing else."""
        if not self._pending:
            return
        with self._changed:
            channels = set(self._pending)
            self._pending.clear()
            wanted = {one for one in channels if self._owner.wants(self._node, one)}
            new = list(wanted - self._asked)
            gone = list(channels & self._asked - wanted)
            self._asked.update(new)
            self._asked.difference_update(gone)
            self._confirmed.difference_update(gone)
        self._subscribe(pubsub, new)
        if gone:
            (pubsub.sunsubscribe if self._client.sharded else pubsub.unsubscribe)(*gone)
            for channel in gone:
                self._owner.forget(channel)

    def _go_down(self, error: BaseException) -> None:
        with self._changed:
            was_down, self.is_down = self.is_down, True
            self._confirmed.clear()
            self._changed.notify_all()
        if not was_down:
            self._down_since = monotonic()
            logger.warning(
                "Redis at %s cannot be reached: %s. Until it is back groups reach only the members "
                "in the sender's process",
                self._client.shown,
                str(error).rstrip("."),
            )


def hang_up(pubsub: Any) -> None:
    try:
        pubsub.close()
    except ERRORS:
        pass


def as_text(channel: bytes | str) -> str:
    return channel.decode() if isinstance(channel, bytes) else channel
