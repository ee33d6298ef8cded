"""Where a client of ours is in the groups with a history that it has joined: it is told, keeps
that, and brings it when it comes back after its session is gone. No view has to do anything for it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from functools import lru_cache
from time import monotonic
from typing import Any, Protocol

from django.utils.crypto import salted_hmac

from dwebsocket.protocol.engineio import Packet, build_message
from dwebsocket.protocol.prepared import PreparedMessage

__all__ = ["Positions", "parse_positions"]

#: Characters of them all: beyond it is no client of ours.
MAX_LENGTH = 4096

BROUGHT = re.compile(r"([\w-]{16}),([0-9a-f]{8}:\d{1,18})(?:,|$)", re.ASCII)

#: Seconds after which a view that has not waited for a message has joined all groups that it joins.
SETTLING = 5.0

#: Bytes of what stands for the name of a group.
ID_BYTES = 12

#: The type of packets that tell of positions.
POSITIONS = "7"


class Session(Protocol):
    """What is sent in order."""

    def send_of_group(self, identity: str | None, *packets: Packet) -> None: ...


class Owner(Protocol):
    """The WebSocket."""

    _sent: int  # messages

    @property
    def _session(self) -> Session: ...


@lru_cache(4096)
def identify(group: str) -> str:
    """What stands for the name of a group: a client is not to learn it, nor to name another."""
    mac = salted_hmac("dwebsocket.positions", group, algorithm="sha256").digest()[:ID_BYTES]
    return base64.urlsafe_b64encode(mac).decode()


def parse_positions(text: str) -> dict[str, str] | None:
    """What a client has brought, the position of each group by its id; ``None``: it is no such
    thing.
    """
    if len(text) > MAX_LENGTH or BROUGHT.sub("", text):
        return None
    return dict(BROUGHT.findall(text))


class Positions:
    """Those of one session: the ``ClientPositions`` of its WebSocket.

    Args:
        brought: what the client has said; ``None``: nothing. It is told, once, whether nothing is
            missing: when it has joined all of these groups again, or when ``settle`` is called.
    """

    __slots__ = ("_brought", "_lock", "_owner", "_recovered", "_taken", "_until", "_waits")

    def __init__(self, owner: Owner, brought: str | None) -> None:
        parsed = None if brought is None else parse_positions(brought)
        self._owner = owner
        self._lock = threading.Lock()  # guards what follows; held for an instant
        self._brought = parsed or {}
        self._taken: set[str] = set()  # those that are being joined
        self._recovered = True
        self._waits = bool(parsed)
        self._until = monotonic() + SETTLING

    @property
    def waits(self) -> bool:
        """Whether the client has not been told yet whether something is missing."""
        return self._waits

    def is_due(self, now: float) -> bool:
        """Whether it is told now, at the latest."""
        return self._waits and now > self._until

    def take(self, group: str) -> str | None:
        """The position that the client has brought of this group, once."""
        if not self._brought:
            return None
        name = identify(group)
        with self._lock:
            position = self._brought.pop(name, None)
            if position is not None:
                self._taken.add(name)
        return position

    def tell(self, group: str, position: str, *, recovered: bool) -> None:
        """The client is here now; see ``ClientPositions``."""
        name = identify(group)
        told: dict[str, Any] = {"at": {name: position}}
        with self._lock:
            joins = name in self._taken
            self._taken.discard(name)
            self._recovered &= recovered or not joins
            is_all = self._waits and joins and not (self._brought or self._taken)
        self._tell(told if recovered or joins else {**told, "gap": True})
        if is_all:
            self.settle()

    def send(self, group: str, position: str, message: PreparedMessage) -> None:
        """Send a message at that position."""
        self._owner._sent += 1
        self._owner._session.send_of_group(
            message.identity, build_next(group, position), build_message(message)
        )

    def forget(self, group: str) -> None:
        """The client is in this group no more."""
        self._tell({"at": {identify(group): None}})

    def settle(self) -> None:
        """Tell the client whether nothing is missing, if it has not been told: what it has not
        joined again by now is.
        """
        with self._lock:
            waits, self._waits = self._waits, False
            recovered = self._recovered and not (self._brought or self._taken)
            self._brought = {}
            self._taken = set()
        if waits:
            self._tell({"recovered": recovered})

    def _tell(self, values: dict[str, Any]) -> None:
        self._owner._session.send_of_group(None, build_positions(values))


@lru_cache(256)  # the same for all members
def build_next(group: str, position: str) -> Packet:
    """The packet in front of a message."""
    return build_positions({"next": {identify(group): position}})


def build_positions(values: dict[str, Any]) -> Packet:
    """The packet that tells of positions; it is in the order of messages, and counted as one."""
    return POSITIONS + json.dumps(values, separators=(",", ":"))
