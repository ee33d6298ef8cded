"""How to write a backend for groups.

A backend carries what is sent to a group to the other processes that have members of it. Derive
it from ``BaseGroupBackend``, fill in ``publish``, and call ``receive`` in each process for each
message that another one has published. ``subscribe`` and ``unsubscribe`` tell which groups have
members here. ``WEBSOCKET_GROUPS`` names the class; there is one object in a process, made when it
is first needed, and none is carried over a fork.

The members in the sender's own process are no business of a backend: they have the message when
``publish`` is called. The contract tests run on every backend.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .delivery import deliver
from .envelope import Closing, Envelope, PresenceChanged
from .history import Keeper
from .members import Members
from .presence import Presence, PresenceStore

__all__ = ["BaseGroupBackend", "Closing", "Counts", "Envelope"]


#: Seconds for which what was sent may be on its way, where nobody knows.
SETTLE = 0.02


class Counts(NamedTuple):
    """What a process has counted; each number only grows.

    Attributes:
        published: messages handed to the other processes.
        unavailable: messages that could not be (``GroupUnavailable``).
        received: messages that came from other processes.
        lost: messages that other processes have sent and that did not come here.
        slow: readers that were closed with 1013, because too much waited for them. Backends leave
            this at 0.
    """

    published: int = 0
    unavailable: int = 0
    received: int = 0
    lost: int = 0
    slow: int = 0


class BaseGroupBackend:
    """Carries messages between processes.

    Attributes:
        members: the members of all groups in this process.
        shared: whether members in other processes are reached.
        history: keeps messages; ``None``: this backend keeps none.
        presence: knows who is present; ``None``: this backend does not.
    """

    shared: bool = True
    history: Keeper | None = None
    presence: Presence | None = None

    def __init__(self, members: Members, location: Any, options: Mapping[str, Any]) -> None:
        self.members = members

    def publish(self, name: str, content: Envelope) -> None:
        """Carry this to all other processes with members of the group, in the order in which one
        caller calls.

        Raises:
            GroupUnavailable: it did not get there, or nobody knows whether it did.
        """
        raise NotImplementedError

    def publish_behind(self, name: str, content: str | bytes | Closing, exclude: Any) -> None:
        """Carry what is not kept to all members of a group that keeps messages, here as well, but
        to ``exclude``: behind what the caller has sent before. It is for backends that hand out
        here, too, what has come back to them.

        Raises:
            GroupUnavailable: it did not get to others, or nobody knows whether it did.
        """
        self.receive(name, content, exclude)
        self.publish(name, content)

    def publish_to(self, process: str, name: str, content: Envelope) -> None:
        """As ``publish``, where only this process has members of the group; a backend that does not
        override it carries it to all.

        Args:
            process: one of ``list_processes()``.
        """
        self.publish(name, content)

    def listen(self) -> None:
        """Hear others from now on: ``get_name()`` is known then, if it ever is. May wait a moment;
        never raises.
        """

    def subscribe(self, name: str) -> None:
        """A member has joined the group in this process; not always its first. May wait a moment;
        never raises.
        """

    def unsubscribe(self, name: str) -> None:
        """The group has no member in this process any more. Never waits, never raises."""

    def settle(self, timeout: float) -> None:
        """Wait until what other processes have sent so far has been handed out here, as far as that
        can be known.
        """
        time.sleep(min(timeout, SETTLE))

    def get_name(self) -> str | None:
        """What other processes know this one by; ``None``: nobody can tell, or they do not yet."""
        return None

    def list_processes(self) -> list[str] | None:
        """The names of the other processes that listen; ``None``: nobody can tell."""
        return None

    def count_listeners(self, name: str) -> int | None:
        """How many processes have members of the group, this one among them; ``None``: nobody can
        tell. Asked where the processes have no names. Never raises.
        """
        return None

    def get_counts(self) -> Counts:
        """What has been counted."""
        return Counts()

    def explain_silence(self) -> str | None:
        """Why what is sent here reaches no other process just now, as far as that can be seen;
        ``None``: it may reach some. Whoever asks tells it.
        """
        return None

    def close(self) -> None:
        """Nobody uses this backend any more."""

    def abandon(self) -> None:
        """Called in a forked child, where this backend is the parent's: give up its connections
        without a word to the other side. Greenlets go on in a child, threads do not.
        """

    def send(self, name: str, content: str | bytes | Closing, exclude: object = None) -> None:
        """Hand a message to the members in this process, but ``exclude``, and carry it to all
        others.

        Raises:
            GroupUnavailable: as ``publish``.
        """
        self.receive(name, content, exclude)
        self.publish(name, content)

    def receive(
        self, name: str, content: Envelope, exclude: object = None, origin: bytes | None = None
    ) -> None:
        """Hand a message to the members in this process, but ``exclude``. Never waits; a member
        that cannot be sent to is logged, and those behind it get the message.

        Args:
            origin: what the message carries and no other one of this group does (``identify``), by
                which a connection that goes to another process gets it there or here, and once.
        """
        if isinstance(content, PresenceChanged):
            if self.presence is not None:
                self.presence.notice(name)
            return
        members = self.members.with_wishes(name)
        if members:
            deliver(name, content, members, exclude, origin=origin)

    def _create_presence(self, store: PresenceStore) -> Presence:
        """What ``presence`` is, for a backend of ours: ``store`` keeps what all processes know."""
        return Presence(self.members, store, self._announce, self.subscribe, self.unsubscribe)

    def _announce(self, name: str) -> None:
        self.publish(name, PresenceChanged())
