"""`python -m tests.machine.taker threads|gevent|eventlet`: takes over what others pass on, and
passes on what it is told to. It answers each line with one of JSON.
"""

import sys

if sys.argv[1] != "threads":
    from ..groups import greenlets  # noqa: F401  # patches before anything else is imported

import json
import os
import resource
import select
import socket
import threading
from functools import partial

from django.conf import settings

from dwebsocket.machine.passing import (
    PassingError,
    PassingServer,
    Refused,
    Sender,
    find_passing_directory,
)


class Kept:
    """Says over each socket that it begins."""

    def __init__(self, taker, body, descriptors):
        self.answer = body.upper()
        self._taker = taker
        self._descriptors = descriptors

    def begin(self):
        self._taker.begun += 1
        for descriptor in self._descriptors:
            os.write(descriptor, b"begun")
        self._taker.inheritable += [os.get_inheritable(one) for one in self._descriptors]
        self.cancel()

    def cancel(self):
        for descriptor in self._descriptors:
            socket.close(descriptor)


class Receiver:
    def __init__(self, take):
        self.receive = take

    def end(self):
        pass


class Taker:
    def __init__(self):
        self.begun = 0
        self.inheritable = []
        self.held = threading.Event()
        takes = {"keep": self.keep, "refuse": self.refuse, "fail": self.fail, "hold": self.hold}
        kinds = {kind: partial(Receiver, take) for kind, take in takes.items()}
        self.directory = find_passing_directory()
        self.server = PassingServer(self.directory, kinds, lambda: {"colour": "red"})

    def keep(self, body, descriptors):
        return Kept(self, body, descriptors)

    def refuse(self, body, descriptors):
        raise Refused("not today")

    def fail(self, body, descriptors):
        raise ValueError("out of order")

    def hold(self, body, descriptors):
        print(json.dumps("held"), flush=True)
        self.held.wait(60)
        return Kept(self, body, descriptors)

    def release(self):
        self.held.set()

    def name(self):
        return self.server.name

    def count(self):
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def took(self):
        return self.begun, any(self.inheritable)

    def limit(self, above):
        """Have room for so many descriptors more, though more was said."""
        lowest = os.dup(0)
        os.close(lowest)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + above, hard))

    def give(self, name, kind, count, timeout):
        """Pass sockets on; what the other one answers, and what comes over them."""
        pairs = [socket.socketpair() for _ in range(count)]
        try:
            with Sender(self.directory, name) as sender:
                numbers = [theirs.fileno() for _, theirs in pairs]
                answer = sender.offer(kind, b"text", numbers, timeout=timeout).decode()
            for _, theirs in pairs:
                theirs.close()
            return answer, [ours.recv(10).decode() for ours, _ in pairs] == ["begun"] * count
        except PassingError as error:
            return type(error).__name__, str(error)
        finally:
            for pair in pairs:
                for one in pair:
                    one.close()


def lines():
    """Those of stdin; greenlets go on meanwhile."""
    while True:
        select.select([sys.stdin], [], [])
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(0, 1)
            if not piece:
                return
            line += piece
        yield line


def main():
    settings.configure(WEBSOCKET_RUN_DIR=os.environ["DWEBSOCKET_TEST_RUN_DIR"])
    taker = Taker()
    print("ready", flush=True)
    for line in lines():
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(taker, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
