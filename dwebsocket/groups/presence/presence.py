"""Presence in the groups of one backend.

One thread, or greenlet, of the process writes what has changed here, says so to the other
processes, looks at what they have written, and has the handlers called that hear of it. It runs
only while somebody is tracked, or a handler is to hear.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from dwebsocket.conf import conf
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.members import Hooks, Member, Members
from dwebsocket.supervisor import Service

from .people import Key, decode, encode_key
from .pictures import Pictures, Told
from .store import PresenceStore, merge
from .tracked import Tracked

__all__ = ["RENEWAL", "Presence"]

logger = logging.getLogger("dwebsocket.groups")

#: Seconds for which changes are gathered, so that they are written together.
GATHERING = 0.1

#: Seconds between two signs of life of a process that tracks somebody.
RENEWAL = 10.0

#: Seconds after which what has failed is tried again.
RETRY = 1.0

AWAY = (
    "Who is present in groups cannot be told or heard of now: %s. What has changed is told when it "
    "can be"
)


class Presence:
    """What a backend does for groups that know who is present.

    Args:
        store: where all processes keep it.
        announce: tells the other processes that have members of a group to look at it.
        subscribe: has this process hear of a group, though it may have no member of it.
        unsubscribe: it need not any more.
    """

    def __init__(
        self,
        members: Members,
        store: PresenceStore,
        announce: Callable[[str], None],
        subscribe: Callable[[str], None],
        unsubscribe: Callable[[str], None],
    ) -> None:
        self._members = members
        self._store = store
        self._announce = announce
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._tracked = Tracked()
        self._pictures = Pictures()
        self._lock = threading.Lock()  # for who hears, and what is heard for them
        self._writing = threading.Lock()  # while the store is told what has changed
        self._changed = threading.Event()
        self._service = Service(self._run, "dwebsocket-presence")
        self._renewed = -RENEWAL
        self._told = self._closed = self._is_inherited = False

    # What groups call

    def track(self, name: str, member: Member, key: Key, info: str) -> None:
        """Present under this key, with this text as its info, until it leaves. The store is told in
        a moment.
        """
        self._tracked.track(name, encode_key(key), member, info, conf.PRESENCE_GRACE)
        if self._hear(name, member):
            self._subscribe(name)
        self._wake()

    def untrack(self, name: str, member: Member) -> None:
        """Present no more, when its time is over; nothing happens if it was not."""
        if self._tracked.untrack(name, member, conf.PRESENCE_GRACE):
            if not self._members.has(name, member):
                self._hear_no_more(name, member)
            self._wake()

    def join(self, name: str, member: Member) -> None:
        """It is a member now: its handler hears of the group, if it wants to."""
        if self._hear(name, member):
            self._wake()

    def discard(self, name: str, member: Member) -> None:
        """It is no member any more."""
        if not self._tracked.has(name, member):
            self._hear_no_more(name, member)

    def leave(self, member: Member) -> None:
        """It has ended. Never waits, never raises."""
        if self._pictures:
            with self._lock:
                silent = self._pictures.leave(member)
                for name in silent:
                    self._members.forgo(name)
            for name in silent:
                self._give_up(name)
        if self._tracked.has_people and self._tracked.leave(member, conf.PRESENCE_GRACE):
            self._wake()

    def present(self, name: str) -> dict[Key, Any]:
        """Who is, each key with its info.

        Raises:
            GroupUnavailable: nobody can say.
        """
        with self._writing:  # or the store would answer with what this process has said before
            if self._tracked.has_changes:
                self._write()
        own = self._tracked.of(name)  # some may have come just now
        kept = self._store.read([name])[name].entries
        found = merge([*kept.items(), *own.items()])
        return {decode(key): decode(entry.info) for key, entry in found.items()}

    def notice(self, name: str) -> None:
        """Another process says that something has changed. Never waits, never raises."""
        if self._pictures.want_look(name):
            self._wake()

    def look_again(self) -> None:
        """A process has gone. Never waits, never raises."""
        if self._pictures:
            self._pictures.want_looks()
            self._wake()

    # Who hears

    def _hear(self, name: str, member: Member) -> bool:
        hooks = member._hooks
        if hooks is None or not hooks.hears_presence:
            return False
        with self._lock:
            self._pictures.add(name, member)
            self._members.want(name)
        return True

    def _hear_no_more(self, name: str, member: Member) -> None:
        with self._lock:
            is_silent = self._pictures.discard(name, member)
            if is_silent:
                self._members.forgo(name)
        if is_silent:
            self._give_up(name)

    def _give_up(self, name: str) -> None:
        if not self._members.is_wanted(name):
            self._unsubscribe(name)

    # What the thread does

    def _wake(self) -> None:
        if self._closed:
            return
        self._changed.set()
        self._service.ensure()

    def _run(self) -> None:
        while not self._closed:
            if self._changed.wait(self._find_rest()):
                time.sleep(GATHERING)
            self._changed.clear()
            if not self._closed:
                self._see_to_all()
                if self._service.end(self._is_needed):
                    return
        if self._is_inherited:  # a greenlet, unknown to the child: its end would be an error
            threading.Event().wait()

    def _is_needed(self) -> bool:
        tracked = self._tracked
        return tracked.has_people or tracked.has_changes or bool(self._pictures)

    def _find_rest(self) -> float:
        """Seconds until something is to be done, if nothing happens."""
        tracked = self._tracked
        times = [tracked.next_end, self._pictures.next_due]
        if tracked.has_people:
            times.append(self._renewed + RENEWAL)
        now = time.monotonic()
        if tracked.has_changes:
            times.append(now + RETRY)
        return max(0.0, min(one for one in [*times, now + RENEWAL] if one is not None) - now)

    def _see_to_all(self) -> None:
        try:
            with self._writing:
                self._write()
            self._look()
        except GroupUnavailable as error:
            self._pictures.want_looks()
            if not self._told:
                self._told = True
                logger.warning(AWAY, error)
            time.sleep(RETRY)
        else:
            self._told = False

    def _write(self) -> None:
        now = time.monotonic()
        tracked = self._tracked
        tracked.end_graces(now)
        changes = tracked.take_changes()
        try:
            if changes:
                self._store.write(changes, tracked.everything)
            if tracked.has_people and now >= self._renewed + RENEWAL:
                self._store.renew(tracked.everything)
                self._renewed = now
            for name in {name for name, _ in changes}:
                self._pictures.want_look(name)
                self._announce(name)
        except BaseException:
            tracked.put_back(changes)
            raise

    def _look(self) -> None:
        names = self._pictures.take_due(time.monotonic())
        if not names:
            return
        for name, (entries, until) in self._store.read(names).items():
            texts = {key: entry.info for key, entry in entries.items()}
            for member in self._pictures.update(name, texts, until):
                hooks = member._hooks
                if hooks is not None:
                    hooks.tell("on_presence", name, partial(self._take, name, member, hooks))

    def _take(self, name: str, member: Member, hooks: Hooks) -> Told | None:
        return self._pictures.take(name, member, hooks.presence_limit)

    # The end

    def close(self) -> None:
        """Nobody uses it any more."""
        self._closed = True
        self._changed.set()

    def abandon(self) -> None:
        """In a forked child: it is the parent's."""
        self._closed = self._is_inherited = True
