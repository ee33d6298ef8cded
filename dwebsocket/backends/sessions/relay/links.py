"""The links of this process to all others with which it has streams."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from django.core.signals import setting_changed

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.current import get_backend, get_members
from dwebsocket.groups.survey import name_for_relay
from dwebsocket.protocol.prepared import PreparedMessage
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import Service, log_now_and_then

from .link import BEAT, Link, Stream, StreamUser
from .messages import RESET, InvalidMessage, Item, RelayMessage
from .names import NoSuchProcess, choose_name, find_process

__all__ = ["Links", "accept_with", "get_links", "join"]

#: Seconds between two looks at the time of the links.
TICK = 0.4

#: Seconds in which one that has been silent for too long is not asked again.
SHUNNED = 3.0

FAILED = "Requests of a WebSocket's client that come to another process are refused: %s"

#: Uses a stream that another process opens, by its first item.
Accept = Callable[[Stream, Item], StreamUser]


class Links:
    """The member by which this process gets what others relay to it.

    Attributes:
        accepted: as a member has it.
        name: of this process.
    """

    accepted, _has_ended = True, False
    _hooks = _positions = None

    def __init__(self, backend: BaseGroupBackend) -> None:
        backend.listen()
        self.name = choose_name(backend)
        self._backend = backend
        self._lock = threading.Lock()  # held for an instant
        self._links: dict[str, Link] = {}
        self._processes: dict[str, str | None] = {}  # what the backend knows them by
        self._silent: dict[str, float] = {}  # since when they have been known to be
        self._scheduled: set[Link] = set()
        self._sending = Threads(1, "dwebsocket-relay")  # one: it keeps the order
        self._clock = Service(self._keep_time, "dwebsocket-relay-time")
        get_members().add(name_for_relay(self.name), self)
        backend.subscribe(name_for_relay(self.name))

    def leave(self) -> None:
        """Get nothing any more."""
        get_members().leave(self)
        for link in list(self._links.values()):
            link.end()

    def open(self, peer: str, user: StreamUser) -> Stream:
        """A stream to another process, by its name. May wait a moment.

        Raises:
            NoSuchProcess: there is none, as far as one can tell.
        """
        if monotonic() < self._silent.get(peer, -SHUNNED) + SHUNNED:
            raise NoSuchProcess(peer)
        link = self._links.get(peer)
        if link is None or link.is_broken or monotonic() > link.heard + BEAT:
            self._processes[peer] = find_process(self._backend, peer)
        if link is not None and link.is_stale:
            self._end(link)
        stream = self._link_to(peer).open(user)
        if stream is None:  # it has just been broken
            raise NoSuchProcess(peer)
        self._clock.ensure()
        return stream

    def _link_to(self, peer: str) -> Link:
        with self._lock:
            link = self._links.get(peer)
            if link is None or link.is_broken:
                link = self._links[peer] = Link(self.name, peer, self._send_soon, accept)
            return link

    def _end(self, link: Link) -> None:
        with self._lock:
            if self._links.get(link.peer) is link:
                del self._links[link.peer]
                self._processes.pop(link.peer, None)
        link.end()

    # Sending

    @property
    def is_sending(self) -> bool:
        """Whether something is on its way to another process, and has not been handed over."""
        return self._sending.is_busy

    def _send_soon(self, link: Link) -> None:
        with self._lock:
            if link in self._scheduled:
                return
            self._scheduled.add(link)
        try:
            self._sending.start(partial(self._flush, link))
        except NoThread as error:
            log_now_and_then("relay", FAILED, error)
            link.has_failed = True
            with self._lock:
                self._scheduled.discard(link)

    def _flush(self, link: Link) -> None:
        with self._lock:
            self._scheduled.discard(link)
        try:
            message = link.take()
            if message is not None:
                data = message.pack()
                link.count(len(data))
                self._publish(link.peer, data)
                self._send_soon(link)  # others have their turn between
        except NoSuchProcess:
            self._end(link)
        except Exception as error:
            if not isinstance(error, GroupUnavailable):
                log_now_and_then("relay", FAILED, error, exc_info=True)
            self._end(link)

    def _publish(self, peer: str, data: bytes) -> None:
        if peer not in self._processes:
            self._processes[peer] = find_process(self._backend, peer)
        process, group = self._processes[peer], name_for_relay(peer)
        if process is None:
            self._backend.publish(group, data)
        else:
            self._backend.publish_to(process, group, data)

    def _reset(self, message: RelayMessage) -> None:
        """Tell who has sent this that it has not been understood."""
        answer = RelayMessage(self.name, "", None, RESET, [[message.epoch]])
        with suppress(NoThread):
            self._sending.start(partial(self._try_to_publish, message.sender, answer))

    def _try_to_publish(self, peer: str, message: RelayMessage) -> None:
        with suppress(NoSuchProcess, GroupUnavailable):
            self._publish(peer, message.pack())

    # Receiving: a Member

    def send_nowait(self, message: PreparedMessage) -> None:
        """Another process has sent something."""
        try:
            self._receive(RelayMessage.unpack(message.event.get("bytes")))
        except InvalidMessage as error:
            log_now_and_then("relay", "What another process relays is not understood: %s", error)

    def close_nowait(self, code: int, reason: str) -> None:
        """Nobody closes it."""

    def _receive(self, message: RelayMessage) -> None:
        if message.number == RESET:
            link = self._links.get(message.sender)
            if link is not None and message.items == [[link.epoch]]:
                self._end(link)
            return
        self._silent.pop(message.sender, None)
        link = self._link_to(message.sender)
        if link.receive(message):
            self._clock.ensure()
        elif message.number == 1 and message.answers is None:  # it has begun anew
            self._end(link)
            self._receive(message)
        else:
            if link.knows(message.epoch):  # there is a gap
                self._end(link)
            self._reset(message)

    # Their time

    def _keep_time(self) -> None:
        while True:
            time.sleep(TICK)
            now = monotonic()
            for link in list(self._links.values()):
                self._look_at(link, now)
            self._silent = {k: when for k, when in self._silent.items() if now < when + SHUNNED}
            if self._clock.end(lambda: any(not one.is_idle for one in list(self._links.values()))):
                return

    def _look_at(self, link: Link, now: float) -> None:
        silence = link.tick(now)
        is_silent = silence > link.patience
        if is_silent:
            self._silent[link.peer] = now
        is_over = is_silent or link.has_failed or link.is_forgotten(now)
        if is_over or (silence > BEAT + TICK and self.is_gone(link.peer)):
            self._end(link)

    def is_gone(self, peer: str) -> bool:
        """Whether there is no such process, as far as one can tell; not one that hangs."""
        try:
            find_process(self._backend, peer)
        except NoSuchProcess:
            return True
        return False


class State:
    """What a process has once."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()  # held by who joins, until that is done
        self.links: Links | None = None


state = State()


def refuse_all(stream: Stream, item: Item) -> StreamUser:
    raise InvalidMessage("nothing is relayed to this process")


acceptor: Accept = refuse_all


def accept(stream: Stream, item: Item) -> StreamUser:
    """Use a stream that another process has opened."""
    return acceptor(stream, item)


def accept_with(function: Accept) -> None:
    """Have this use the streams that other processes open."""
    global acceptor
    acceptor = function


def get_links() -> Links | None:
    """Those of this process, once it has joined."""
    if state.pid != os.getpid():
        start_anew()  # uWSGI forks without a word to Python
    return state.links


def join() -> Links | None:
    """Let others relay to this process; ``None`` if nobody can. May wait a moment, never raises."""
    links = get_links()
    if links is None:
        with state.lock:
            links = state.links
            if links is None:
                links = state.links = try_to_join()
    return links


def try_to_join() -> Links | None:
    try:
        backend = get_backend()
        return Links(backend) if backend.shared else None
    except Exception as error:
        log_now_and_then("relay", FAILED, error)
        return None


def start_anew() -> None:
    """In a forked child, whose members are others; and in a test that changes the setting."""
    global state
    links: Any = state.links
    state = State()
    if links is not None:
        get_members().leave(links)


def forget_backend(*, setting: str, **kwargs: Any) -> None:
    """A test has changed the setting: there is another backend."""
    if setting == "WEBSOCKET_GROUPS":
        links = state.links
        start_anew()
        if links is not None:
            links.leave()


setting_changed.connect(forget_backend, dispatch_uid="dwebsocket.relay")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=start_anew)
