"""The backend: publishes, and hands on what the listeners receive."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import BaseGroupBackend, Counts
from dwebsocket.groups.envelope import (
    BEHIND,
    KEPT,
    Closing,
    Envelope,
    PresenceChanged,
    encode,
    identify,
    pack,
    unpack,
)
from dwebsocket.groups.history import Keeper, Position, unpack_position
from dwebsocket.groups.members import Members
from dwebsocket.groups.numbers import Numberer, Tally
from dwebsocket.groups.presence import Presence
from dwebsocket.running.event_loop import is_in_event_loop
from dwebsocket.running.threads import Threads
from dwebsocket.supervisor import try_start

from .caller import Purpose
from .client import ERRORS, explain
from .clients import create_client
from .history import RedisHistory
from .outage import Outage
from .presence import RedisPresence
from .publisher import Publisher
from .subscriber import MAX_CONFIRMATION, MAX_DELAY, Subscriber

__all__ = ["RedisGroupBackend"]

logger = logging.getLogger("dwebsocket.groups")

Result = TypeVar("Result")

UNCONFIRMED = "did not confirm the message: perhaps only the members in this process have got it"


class RedisGroupBackend(BaseGroupBackend):
    """Delivers at most once: what is sent while Redis is away, or a process is not connected to it,
    is lost to other processes, and counted. What a group keeps comes later instead.
    """

    history: Keeper
    presence: Presence

    def __init__(self, members: Members, location: Any, options: Mapping[str, Any]) -> None:
        super().__init__(members, location, options)
        self._client = create_client(location, options)
        self._prefix = f"{options.get('PREFIX', 'dwebsocket')}:"
        self._numberer = Numberer()
        self._tally = Tally()
        self._lock = threading.Lock()
        # By node; "" is the only one, or the cluster whose nodes are not known yet.
        self._subscribers: dict[str, Subscriber] = {}
        self._publishers: dict[str, Publisher] = {}
        self._outages: dict[str, Outage] = {}
        self._publishing = Threads(self._client.publishers, "dwebsocket-publishing")
        self._first = self._publisher_at("")
        self._told: set[str] = set()
        self._tried = threading.Event()  # to find the nodes of a cluster
        self._closed = self._routing = False
        self._published = self._unavailable = 0
        self._awaited: dict[bytes, threading.Event] = {}  # by what comes back
        # Those that are kept have numbers of their own: none of them is missed.
        self._kept_numberer = Numberer()
        self._store = RedisHistory(self._client, self._prefix, self)
        self.history = Keeper(members, self._store, self._kept_numberer, carry_nothing)
        self.presence = self._create_presence(RedisPresence(self._client, self._prefix, self))

    def get_counts(self) -> Counts:
        return Counts(self._published, self._unavailable, self._tally.received, self._tally.lost)

    def count_listeners(self, name: str) -> int | None:
        channel = self._prefix + name
        ask = partial(self._client.count_subscribers, channel)
        try:
            return self._publisher_of(channel).call(ask)
        except ERRORS:  # this user may not ask that, or it is away
            return None

    # Sending

    def publish(self, name: str, content: Envelope) -> None:
        self._send(name, self._pack(name, content))

    def send(self, name: str, content: str | bytes | Closing, exclude: object = None) -> None:
        data = self._pack(name, content)
        self.receive(name, content, exclude, identify(data))
        self._send(name, data)

    def _pack(self, name: str, content: Envelope) -> bytes:
        kind, body = encode(content)  # before it has a number: it may be no text
        return pack(kind, body, *self._numberer.next(name))

    def _send(self, name: str, data: bytes) -> None:
        try:
            channel = self._prefix + name
            self._publisher_of(channel).publish(channel, data)
        except ERRORS as error:
            self.count(unavailable=1)
            what = f"{UNCONFIRMED}: {explain(error)}"
            raise GroupUnavailable(
                f"group {name!r}: Redis at {self._client.shown} {what}"
            ) from error
        self.count(published=1)

    def publish_behind(self, name: str, content: str | bytes | Closing, exclude: Any) -> None:
        kind, body = encode(content)
        data = pack(kind, body, *self._numberer.next(name))
        self.history.leave_out(name, data, exclude)
        self._store.publish(name, data)

    def settle(self, timeout: float) -> None:
        """What has come before something of our own has been handed out when that comes back."""
        until = time.monotonic() + timeout
        found: dict[str, str] = {}
        try:
            for name in self.members.names():
                found.setdefault(self._client.node_of(self._prefix + name), name)
            came_back = [self._send_to_ourselves(name) for name in found.values()]
        except (*ERRORS, GroupUnavailable):  # nothing comes from there
            return
        for event in came_back:
            event.wait(max(0.0, until - time.monotonic()))
        self._awaited.clear()

    def _send_to_ourselves(self, name: str) -> threading.Event:
        data = self._pack(name, PresenceChanged())
        event = self._awaited[data] = threading.Event()
        self._send(name, data)
        return event

    def call(
        self, key: str, function: Callable[[], Result], purpose: Purpose, name: str | None = None
    ) -> Result:
        """Have Redis do something for history and presence: it is the Caller of those."""
        try:
            return self._publisher_of(key).call(function)
        except ERRORS as error:
            what = explain(error)
            if NOT_ALLOWED.search(what):
                what += f". For {purpose.feature}: ACL SETUSER … ~{self._prefix}* {purpose.rights}"
            group = "" if name is None else f"group {name!r}: "
            raise GroupUnavailable(
                f"{group}Redis at {self._client.shown} {purpose.failing}: {what}"
            ) from error

    def _publisher_of(self, channel: str) -> Publisher:
        client, first = self._client, self._first
        if first.is_away or not client.knows_nodes:  # what it was given goes first
            return first
        return self._publisher_at(client.node_of(channel))

    def _publisher_at(self, node: str) -> Publisher:
        found = self._publishers.get(node)
        if found is not None:
            return found
        with self._lock:
            outage = self._outage_of(node)
            new = Publisher(self._client, node, self._publishing, outage)
            return self._publishers.setdefault(node, new)

    def _outage_of(self, node: str) -> Outage:
        return self._outages.setdefault(node, Outage(self._client.show(node)))

    def count(self, published: int = 0, unavailable: int = 0) -> None:
        """Count messages."""
        with self._lock:
            self._published += published
            self._unavailable += unavailable

    # Receiving: the Owner of the listeners

    def subscribe(self, name: str) -> None:
        if not self._client.knows_nodes:  # to ask for them may take its time
            self._route_soon()
            if not is_in_event_loop():
                self._tried.wait(MAX_CONFIRMATION)
                self._tried.set()  # in vain, perhaps: not everybody waits
            if not self._client.knows_nodes:
                return
        try:
            self._subscriber_of(name).want(self._prefix + name)
        except ERRORS as error:  # a cluster that cannot say where the channel lives
            self._outages[""].begin(self, error)
            self._route_soon()

    def _route_soon(self) -> None:
        with self._lock:
            if self._routing:
                return
            self._routing = True
        if try_start(self._route, "dwebsocket-routing") is None:
            self._routing = False

    def _route(self) -> None:
        """Ask the cluster until it answers."""
        while not self._closed:
            try:
                self._ensure_all()
                self._routing = False  # who comes from now on needs another round
                self._ensure_all()  # and this is for those who came just before
            except ERRORS as error:
                self._routing = True
                if not self._closed:
                    self._outages[""].begin(self, error)
            else:
                self._outages[""].end(self)
                return
            finally:
                self._tried.set()
            time.sleep(MAX_DELAY)

    def _ensure_all(self) -> None:
        wanted: dict[Subscriber, list[str]] = {}
        for name in self.members.names():
            wanted.setdefault(self._subscriber_of(name), []).append(self._prefix + name)
        for subscriber, channels in wanted.items():
            subscriber.ensure(channels)

    def route_anew(self) -> None:
        try:
            self._client.look_for_nodes()
            self._ensure_all()
        except ERRORS:
            pass  # whoever asks does so again

    def unsubscribe(self, name: str) -> None:
        self.history.feeds.drop(name)
        for subscriber in list(self._subscribers.values()):
            subscriber.look_at(self._prefix + name)

    def _subscriber_of(self, name: str) -> Subscriber:
        node = self._client.node_of(self._prefix + name)
        with self._lock:
            subscriber = self._subscribers.get(node)
            if subscriber is None:
                outage = self._outage_of(node)
                subscriber = Subscriber(self._client, node, self, self._prefix, outage)
                self._subscribers[node] = subscriber
            return subscriber

    def channels_of(self, node: str) -> set[str]:
        channels = {self._prefix + name for name in self.members.names()}
        return {channel for channel in channels if self._client.node_of(channel) == node}

    def wants(self, node: str, channel: str) -> bool:
        name = channel.removeprefix(self._prefix)
        return self.members.is_wanted(name) and self._client.node_of(channel) == node

    def hand_on(self, channel: str, data: bytes) -> None:
        name = channel.removeprefix(self._prefix)
        try:
            if data[:1] in (KEPT, BEHIND):
                self._hand_on_in_order(name, data)
                return
            origin, number, content = unpack(data)
        except ValueError as error:
            what = f"something that is no message of a group came on {channel!r}: {error}"
            self._tell_once("foreign", what)
            return
        if not self._numberer.is_ours(origin):
            self._tally.note(name, origin, number)
            self.receive(name, content, origin=identify(data))
        elif (event := self._awaited.get(data)) is not None:
            event.set()

    def _hand_on_in_order(self, name: str, data: bytes) -> None:
        """What this process has sent as well."""
        position, parcel = unpack_position(data[1:])
        origin, number, _ = unpack(parcel)
        if data[:1] == KEPT:
            self._tally.received += not self._kept_numberer.is_ours(origin)
            self.history.feeds.receive(name, position, parcel)
            return
        if not self._numberer.is_ours(origin):
            self._tally.note(name, origin, number)
        self.history.feeds.receive_behind(name, position, parcel)

    def confirm(self, channel: str) -> None:
        name = channel.removeprefix(self._prefix)
        self.history.feeds.interrupt(name)
        self.presence.notice(name)

    def forget(self, channel: str) -> None:
        self._tally.forget(channel.removeprefix(self._prefix))

    def tell_refused(self, error: BaseException) -> None:
        self._tell_once(
            "refused",
            f"it does not let this user subscribe to every group ({explain(error)}): members in "
            f"this process do not get what others send there. ACL SETUSER … &{self._prefix}* "
            "allows all groups",
        )

    def _tell_once(self, matter: str, what: str) -> None:
        if matter not in self._told:
            self._told.add(matter)
            logger.warning("Redis at %s: %s. (This is said once.)", self._client.shown, what)

    def abandon(self) -> None:
        self.presence.abandon()
        self._end()
        for subscriber in list(self._subscribers.values()):
            subscriber.abandon()

    def close(self) -> None:
        self.presence.close()
        self._end()
        for subscriber in list(self._subscribers.values()):
            subscriber.close()
        self._client.close()

    def _end(self) -> None:
        self._closed = True
        self.history.close()
        for publisher in list(self._publishers.values()):
            publisher.close()


#: What Redis says of what is not allowed but publishing, each version in its own words.
NOT_ALLOWED = re.compile(
    r"permissions to (run the '|access (a|one of the) key)|failure in script|user executing the"
)


def carry_nothing(name: str, position: Position, data: bytes) -> None:
    """The script that has kept it has published it."""
