"""Who is present, in Redis: of each group a hash, with a field for each process and key; and of
each process a key that Redis forgets when the process says nothing for a while. What it has
written counts no more then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.presence import Changes, Entry, Snapshot, merge

from .caller import Caller, Purpose
from .client import ERRORS, Client

__all__ = ["RedisPresence"]

#: Milliseconds for which a process counts as alive when it has said so.
LEASE = 30_000

#: Milliseconds after which a hash is forgotten that nobody writes to.
KEPT = 4 * LEASE

PURPOSE = Purpose(
    "does not say who is present", "presence", "+set +pexpire +pttl +hset +hdel +hgetall"
)

#: Milliseconds by which an answer may be late.
LATE = 100


class RedisPresence:
    """A ``PresenceStore`` for all processes that use this Redis.

    Args:
        prefix: stands in front of each key.
        caller: knows whether Redis is away.
    """

    def __init__(self, client: Client, prefix: str, caller: Caller) -> None:
        self._client = client
        self._prefix = prefix
        self._caller = caller
        self._process = create_name()
        self._is_sure = False  # that Redis has what it was told

    def write(self, changes: Changes, everything: Callable[[], Changes]) -> None:
        self._write({name for name, _ in changes}, changes, everything)

    def renew(self, everything: Callable[[], Changes]) -> None:
        self._write({name for name, _ in everything()}, {}, everything)

    def _write(
        self, groups: Collection[str], changes: Changes, everything: Callable[[], Changes]
    ) -> None:
        lost = self._extend(groups) if self._is_sure else None
        if lost is None:  # others may remove what was written under the old name
            self._process = create_name()
            changes = {**everything(), **changes}
        elif lost:
            again = {one: entry for one, entry in everything().items() if one[0] in lost}
            changes = {**again, **changes}
        if changes:
            self._put(changes)

    def _extend(self, groups: Collection[str]) -> set[str] | None:
        """Have the process and these groups known for longer: the groups that Redis does not know;
        ``None`` if it does not know the process any more.
        """
        names = list(groups)
        commands = [("PEXPIRE", self._lease_of(self._process), LEASE)]
        commands += [("PEXPIRE", self._hash_of(name), KEPT) for name in names]
        alive, *kept = self._execute(commands)
        if not alive:
            return None
        return {name for name, is_known in zip(names, kept, strict=True) if not is_known}

    def _put(self, changes: Changes) -> None:
        commands: list[tuple[Any, ...]] = [("SET", self._lease_of(self._process), "", "PX", LEASE)]
        for (name, key), entry in changes.items():
            field = f"{self._process}:{key}"
            if entry is None:
                commands.append(("HDEL", self._hash_of(name), field))
            else:
                value = f"{entry.stamp!r}:{entry.info}"
                commands.append(("HSET", self._hash_of(name), field, value))
        commands += [
            ("PEXPIRE", self._hash_of(name), KEPT) for name in {name for name, _ in changes}
        ]
        self._execute(commands)
        self._is_sure = True

    def read(self, names: Sequence[str]) -> dict[str, Snapshot]:
        hashes = self._execute([("HGETALL", self._hash_of(name)) for name in names])
        rows = {name: parse(found) for name, found in zip(names, hashes, strict=True)}
        left = self._find_leases({process for found in rows.values() for process, *_ in found})
        snapshots: dict[str, Snapshot] = {}
        dead: list[tuple[Any, ...]] = []
        for name, found in rows.items():
            alive = [row for row in found if left[row[0]] > 0]
            until = min((left[row[0]] for row in alive if row[0] != self._process), default=None)
            entries = merge((key, entry) for _, key, entry in alive)
            snapshots[name] = Snapshot(entries, None if until is None else (until + LATE) / 1000)
            gone = [f"{process}:{key}" for process, key, _ in found if left[process] <= 0]
            if gone:
                dead.append(("HDEL", self._hash_of(name), *gone))
        if dead:
            self._execute(dead)
        return snapshots

    def _find_leases(self, processes: Collection[str]) -> dict[str, int]:
        """For how many milliseconds more each of them counts as alive."""
        known = list(processes)
        left = self._execute([("PTTL", self._lease_of(process)) for process in known])
        return dict(zip(known, left, strict=True))

    def _execute(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers, in the order of the commands. Each node gets its own together."""
        of_nodes: dict[str, list[int]] = {}
        for at, (_, key, *_) in enumerate(commands):
            of_nodes.setdefault(self._find_node(key), []).append(at)
        answers: list[Any] = [None] * len(commands)
        try:
            for places in of_nodes.values():
                some = [commands[at] for at in places]
                done = self._caller.call(some[0][1], partial(self._client.execute, some), PURPOSE)
                for at, answer in zip(places, done, strict=True):
                    answers[at] = answer
        except GroupUnavailable:
            self._is_sure = False
            raise
        return answers

    def _find_node(self, key: str) -> str:
        try:
            return self._client.node_of(key) if self._client.knows_nodes else ""
        except ERRORS:  # a cluster that cannot say so: whoever asks it will be told
            return ""

    def _hash_of(self, name: str) -> str:
        return f"{self._prefix}present:{name}"

    def _lease_of(self, process: str) -> str:
        return f"{self._prefix}process:{process}"


def create_name() -> str:
    """What a process writes under."""
    return os.urandom(8).hex()


def parse(found: dict[bytes, bytes]) -> list[tuple[str, str, Entry]]:
    """Process, key and entry of each field of a hash."""
    rows = []
    for field, value in found.items():
        process, _, key = field.decode().partition(":")
        stamp, _, info = value.decode().partition(":")
        rows.append((process, key, Entry(info, float(stamp))))
    return rows
