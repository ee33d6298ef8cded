"""Listens to one node of Redis for the groups that have members in this process.

Only the listener uses its connection; whoever needs a further subscription wakes it, and waits for
a moment until Redis has confirmed it.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import redis
from redis.exceptions import MovedError, NoPermissionError

from dwebsocket.running.event_loop import is_in_event_loop
from dwebsocket.supervisor import try_start

from .client import ERRORS, PATIENCE, Client
from .outage import Outage
from .waker import Waker

__all__ = ["MAX_CONFIRMATION", "MAX_DELAY", "MIN_DELAY", "Owner", "Subscriber"]

#: Seconds without a message after which Redis is asked whether it is still there, and by which
#: subscriptions of groups without members are given up.
TICK = 5.0

#: Seconds that whoever joins waits for Redis to confirm the subscription: it holds one of the few
#: threads that call handlers, as whoever publishes does.
MAX_CONFIRMATION = PATIENCE

#: Seconds between two tries to connect.
MIN_DELAY, MAX_DELAY = 0.05, 1.0

#: Seconds for which a flood is handed on before others get a turn, and how long that is: greenlets
#: change places only where one waits, and one turn of the event loop is not enough for the others.
TURN, PAUSE = 0.005, 0.0005

#: Channels in one SUBSCRIBE. Those of one SSUBSCRIBE must be of one slot of the cluster.
BATCH, SHARDED_BATCH = 500, 1


class Owner(Protocol):
    """Who knows what is wanted, and gets what comes."""

    def channels_of(self, node: str) -> set[str]:
        """All channels that live on the node and whose groups have members here."""

    def wants(self, node: str, channel: str) -> bool:
        """Whether this channel is one of them."""

    def hand_on(self, channel: str, data: bytes) -> None:
        """A message has come. Must not raise."""

    def confirm(self, channel: str) -> None:
        """From now on comes what is published there, and perhaps not what was before. Must not
        raise.
        """

    def tell_refused(self, error: BaseException) -> None:
        """Redis does not let us subscribe to a channel."""

    def forget(self, channel: str) -> None:
        """The channel is subscribed to no more: what is published there is not missed."""

    def route_anew(self) -> None:
        """A cluster may have moved what is wanted to other nodes. Must not raise."""


class Subscriber:
    """One connection and the one who listens to it, started on first use."""

    def __init__(
        self, client: Client, node: str, owner: Owner, prefix: str, outage: Outage
    ) -> None:
        self._client = client
        self._node = node
        self._owner = owner
        self._waker = Waker(client, prefix)
        self._changed = threading.Condition()  # guards what follows; never held across a wait
        self._pending: deque[str] = deque()  # channels whose need has changed
        self._asked: set[str] = set()  # subscribed to, or about to be
        self._confirmed: set[str] = set()
        self._refusals = 0  # how often Redis has not let us subscribe to a single channel
        self._outage = outage
        self._is_late = False  # somebody has waited for Redis in vain: nobody else does
        self._batch = SHARDED_BATCH if client.sharded else BATCH
        self._thread: threading.Thread | None = None
        self._pubsub: Any = None  # the connection, while there is one
        self._listens = self._closed = self._inherited = False

    # What the backend calls

    def look_at(self, channel: str) -> None:
        """Unsubscribe from the channel if nobody wants it any more: after the next message, or
        within ``TICK`` seconds. Never waits.
        """
        if self._listens:  # otherwise it asks for all that is wanted when it connects
            self._pending.append(channel)

    def ensure(self, channels: list[str]) -> None:
        """Subscribe to those of the channels that are not subscribed to yet. Never waits."""
        with self._changed:
            missing = [channel for channel in channels if channel not in self._confirmed]
            if not missing:
                return
            if self._listens:
                self._pending.extend(missing)
            if self._thread is None:
                self._thread = try_start(self._run, "dwebsocket-groups")
            elif self._listens:
                self._waker.wake_soon()

    def want(self, channel: str) -> None:
        """Subscribe to the channel and wait until Redis has confirmed it: ``MAX_CONFIRMATION``
        seconds at most, and not at all while Redis is away or late, or in an event loop.
        """
        refusals = self._refusals
        self.ensure([channel])
        if is_in_event_loop():
            return
        with self._changed:
            has_come = self._changed.wait_for(
                lambda: (
                    channel in self._confirmed
                    or self._is_late
                    or self._outage.lasts
                    or self._refusals != refusals  # of this channel, or of one at the same time
                ),
                MAX_CONFIRMATION,
            )
            if not has_come:
                self._is_late = True
                self._changed.notify_all()

    def close(self) -> None:
        """Nobody listens any more."""
        self._closed = True
        thread = self._thread
        if thread is not None:
            self._waker.wake()
            thread.join(MAX_CONFIRMATION)

    def abandon(self) -> None:
        """In a forked child: listen no more, or the parent would miss what comes."""
        self._closed = self._inherited = True
        if self._pubsub is not None and self._pubsub.connection is not None:
            self._pubsub.connection.disconnect()  # in another process it only closes

    # What the listener does

    def _run(self) -> None:
        delay = MIN_DELAY
        while not self._closed:
            try:
                pubsub = self._pubsub = self._client.pubsub(self._node)
                self._subscribe_to_all(pubsub)
                while not self._closed:
                    self._listen(pubsub)
                    delay = MIN_DELAY
            except Exception as error:  # of ours, too: nobody else would listen
                self._stop_listening(error)
                time.sleep(delay * random.uniform(0.5, 1))
                delay = min(delay * 2, MAX_DELAY)
                if self._client.sharded and self._is_needed_no_more():
                    return
            finally:
                if self._pubsub is not None:
                    hang_up(self._pubsub)
                    self._pubsub = None
        if self._inherited:  # this thread is a greenlet, unknown to the child: its end is an error
            threading.Event().wait()

    def _is_needed_no_more(self) -> bool:
        """Whether the cluster has moved everything elsewhere, this node having failed perhaps."""
        self._owner.route_anew()
        with self._changed:
            try:
                if self._owner.channels_of(self._node):
                    return False
            except ERRORS:
                return False
            self._thread = None
        self._outage.end(self, "is replaced by other nodes")
        return True

    def _subscribe_to_all(self, pubsub: Any) -> None:
        with self._changed:
            self._listens = True
            self._pending.clear()
            before, self._asked = self._asked, self._owner.channels_of(self._node)
            channels, gone = list(self._asked), before - self._asked
        self._forget(gone)
        self._subscribe(pubsub, channels)
        pubsub.subscribe(self._waker.channel)  # the last one: then all others have been answered

    def _forget(self, channels: Iterable[str]) -> None:
        """Before Redis is told, who may be away: afterwards nobody knows of these channels."""
        for channel in channels:
            self._owner.forget(channel)

    def _subscribe(self, pubsub: Any, channels: list[str]) -> None:
        command = pubsub.ssubscribe if self._client.sharded else pubsub.subscribe
        send_in_batches(command, channels, self._batch)

    def _unsubscribe(self, pubsub: Any, channels: list[str]) -> None:
        command = pubsub.sunsubscribe if self._client.sharded else pubsub.unsubscribe
        send_in_batches(command, channels, self._batch)

    def _listen(self, pubsub: Any) -> None:
        """Hand on what comes, until there is silence."""
        turn = time.monotonic() + TURN
        while (message := self._next_message(pubsub)) is not None:
            self._handle(message)
            self._follow_wishes(pubsub)
            if self._closed:
                return
            if time.monotonic() > turn:
                time.sleep(PAUSE)
                turn = time.monotonic() + TURN
        self._follow_wishes(pubsub)
        pubsub.ping()
        message = self._next_message(pubsub)
        if message is None:
            raise redis.ConnectionError(f"no answer to a PING within {TICK} seconds")
        self._handle(message)

    def _next_message(self, pubsub: Any) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] | None = pubsub.get_message(timeout=TICK)
        except NoPermissionError as error:  # the connection is all right, and so are the others
            self._owner.tell_refused(error)
            if self._batch > 1:  # it does not say which one: ask for each by itself
                self._batch = 1
                self._subscribe(pubsub, list(self._asked - self._confirmed))
            else:
                with self._changed:
                    self._refusals += 1
                    self._changed.notify_all()
            return {"type": "refusal", "channel": ""}
        return message

    def _handle(self, message: dict[str, Any]) -> None:
        kind, channel = message["type"], message["channel"]
        if kind in ("message", "smessage"):
            name = as_text(channel)
            if name in self._confirmed:  # not what is left of an earlier subscription
                self._owner.hand_on(name, message["data"])
        elif kind in ("subscribe", "ssubscribe"):
            self._confirm(as_text(channel))
        elif kind == "sunsubscribe" and as_text(channel) in self._confirmed:
            self._lose(as_text(channel))

    def _confirm(self, channel: str) -> None:
        if channel == self._waker.channel:
            self._outage.end(self)
        if channel in self._asked:  # once more when redis-py has connected anew by itself
            self._owner.confirm(channel)
        with self._changed:
            self._is_late = False
            if channel in self._asked:
                self._confirmed.add(channel)
            self._changed.notify_all()

    def _lose(self, channel: str) -> None:
        """The cluster has moved it to another node."""
        with self._changed:
            self._asked.discard(channel)
            self._confirmed.discard(channel)
        self._owner.route_anew()

    def _follow_wishes(self, pubsub: Any) -> None:
        """Subscribe to what is wanted now, and to nothing else."""
        if not self._pending:
            return
        with self._changed:
            channels = set(self._pending)
            self._pending.clear()
            wanted = {one for one in channels if self._owner.wants(self._node, one)}
            new = list(wanted - self._confirmed)  # one that was refused is asked for again
            gone = list(channels & self._asked - wanted)
            self._asked.update(new)
            self._asked.difference_update(gone)
            self._confirmed.difference_update(gone)
        self._forget(gone)
        self._subscribe(pubsub, new)
        self._unsubscribe(pubsub, gone)

    def _stop_listening(self, error: BaseException) -> None:
        # A channel that is elsewhere in the cluster is no outage: it is looked for anew.
        if not self._closed and not isinstance(error, MovedError):
            self._outage.begin(self, error)
        with self._changed:
            self._listens = False
            self._pending.clear()
            self._confirmed.clear()
            self._changed.notify_all()


def send_in_batches(command: Callable[..., Any], channels: list[str], size: int) -> None:
    for first in range(0, len(channels), size):
        command(*channels[first : first + size])


def hang_up(pubsub: Any) -> None:
    try:
        pubsub.close()
    except ERRORS:
        pass


def as_text(channel: bytes | str) -> str:
    return channel.decode() if isinstance(channel, bytes) else channel
