"""Members whose handlers hear of presence, and a process that tracks somebody until its end."""

import json
import sys
import threading
import time

from dwebsocket.groups.presence import check_key, encode_info

from ..servers.process import wait_until
from .peers import Member

__all__ = ["PROCESS", "SOON", "Hearer", "Process", "becomes", "faults"]

#: Seconds that a change may take on a busy machine.
SOON = 20

#: `python -m tests.groups.presence SETTING RUN_DIR LEASE`
PROCESS = (sys.executable, "-m", "tests.groups.presence")

#: What handlers were told and should not have been.
faults = []


class Hearer(Member):
    """A handler that has written on_presence(): its picture is made of nothing but the calls."""

    hears_presence = hears_loss = True

    def __init__(self, presence_limit=1000):
        super().__init__()
        self.presence_limit = presence_limit
        self.picture = {}
        self.calls = []
        self.lost = []
        self.pauses = False  # tells that come are kept, as of a handler that is busy
        self._kept = {}
        self._lock = threading.Lock()

    @property
    def _hooks(self):
        return self

    def tell(self, hook, group, take):
        with self._lock:
            self._kept.setdefault((hook, group), take)
        if not self.pauses:
            self.catch_up()

    def catch_up(self):
        with self._lock:
            kept, self._kept = self._kept, {}
        for (hook, _), take in kept.items():
            given = take()
            if given is not None:
                getattr(self, hook)(*given)

    def on_presence(self, joined, left):
        self.calls.append((time.monotonic(), joined, left))
        if joined.keys() & left.keys():
            faults.append(("in both", joined, left))
        for key, info in joined.items():
            if self.picture.get(key, self) == info:
                faults.append(("told what it knows", key, info))
            self.picture[key] = info
        for key in left:
            if self.picture.pop(key, self) is self:
                faults.append(("left without having been there", key))

    def on_history_lost(self, group):
        self.lost.append(group)


class Process:
    """What a process does, by its backend."""

    def __init__(self, peer):
        self.members, self.backend = peer.members, peer.backend
        self.presence = peer.backend.presence

    def track(self, member, key, info=None, name="room"):
        self.presence.track(name, member, check_key(key), encode_info(info))
        return member

    def hear(self, name="room", **options):
        """A member whose handler hears of the group."""
        member = Hearer(**options)
        self.members.add(name, member)
        self.backend.subscribe(name)
        self.presence.join(name, member)
        return member

    def leave(self, member):
        """It has closed."""
        self.presence.leave(member)
        for name in self.members.leave(member):
            self.backend.unsubscribe(name)

    def present(self, name="room"):
        return self.presence.present(name)


def becomes(picture, hearer, timeout=SOON):
    wait_until(lambda: hearer.picture == picture, f"the picture is {picture}", timeout)


def main():
    from django.conf import settings

    setting, run_directory, lease = sys.argv[1:]
    settings.configure(WEBSOCKET_GROUPS=json.loads(setting), WEBSOCKET_RUN_DIR=run_directory)
    from dwebsocket import Group

    if float(lease):
        from dwebsocket.groups.redis import presence

        presence.LEASE = int(float(lease) * 1000)
    member = Member()
    group = Group("room")
    group.track(member, "killed", {"in": "another process"})
    group.track(member, "killed", {"in": "another process"})
    print("tracks", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
