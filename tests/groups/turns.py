"""`python -m tests.groups.turns gevent|eventlet SETTING COUNT`: greenlets, one of which is flooded.

Says "ready", takes COUNT messages of the group "flood", and says how often another greenlet got its
turn between the first and the last of them.
"""

from . import greenlets  # noqa: F401, I001  # patches before anything else is imported

import json
import os
import sys
import threading
import time

from django.conf import settings

from .peers import Member, Peer


class Counting(Member):
    """Knows how many turns others had when the first message came, and when the last one did."""

    def __init__(self, count):
        self.left = count
        self.turns = 0
        self.begun = None
        self.over = threading.Event()

    def send_nowait(self, message):
        if self.begun is None:
            self.begun = self.turns
        self.left -= 1
        if not self.left:
            self.over.set()

    def take_turns(self):
        while not self.over.is_set():
            time.sleep(0.001)
            self.turns += 1


def main():
    settings.configure(WEBSOCKET_RUN_DIR=os.environ["DWEBSOCKET_TEST_RUN_DIR"])
    member = Counting(int(sys.argv[3]))
    Peer(json.loads(sys.argv[2])).join("flood", lambda: member)
    threading.Thread(target=member.take_turns, daemon=True).start()
    print("ready", flush=True)
    member.over.wait()
    print(member.turns - member.begun, flush=True)


if __name__ == "__main__":
    main()
