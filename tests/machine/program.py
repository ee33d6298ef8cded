"""`python -m tests.machine.program [SETTINGS]`: a process of the site; it does what it is told.

It answers each line with one of JSON. What it logs goes to stderr.
"""

import json
import multiprocessing
import os
import socket
import sys

import django
from django.conf import settings

from dwebsocket.groups import Group, current, get_counts

from ..groups.peers import Member
from ..project import no_threads


class Program:
    def __init__(self):
        self.members = {}
        self.files = []

    def join(self, name):
        member = self.members[name] = Member()
        current.get_members().add(name, member)
        current.get_backend().subscribe(name)

    def send(self, name, text):
        Group(name).send(text)

    def flood(self, name, count, size=0):
        for number in range(count):
            Group(name).send(f"{number}".ljust(size, "-"))

    def take(self, name, count):
        return [self.members[name].next(30).rstrip("-") for _ in range(count)]

    def count(self, name):
        return self.members[name].count()

    def counts(self):
        return get_counts()._asdict()

    def lost(self):
        return current.get_backend()._channel.lost

    def fork(self, name):
        """A child joins and sends "child", and takes one; whether both ended well."""
        pid = os.fork()
        if not pid:
            self.join(name)
            self.send(name, "child")
            sys.exit(0 if self.members[name].next(30) == "child" else 1)
        return os.waitpid(pid, 0)[1]

    def multiprocess(self, name, method):
        """The same by multiprocessing, whose children leave no other way than this."""
        child = multiprocessing.get_context(method).Process(target=say, args=(name, "child"))
        child.start()
        child.join(30)
        return child.exitcode

    def leave_a_child(self, name):
        """One that answers what it hears to the group "b", for ever; its number."""
        pid = os.fork()
        if not pid:
            for file in (sys.stdin, sys.stdout):
                os.close(file.fileno())
            self.join(name)
            while True:
                self.send("b", self.members[name].next(60) + " too")
        return pid

    def exhaust(self, wanted):
        """Take all descriptors that are left, or give them back."""
        while wanted:
            try:
                self.files.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return
        while self.files:
            os.close(self.files.pop())

    def intrude(self, paths):
        """Connect and send until the other side ends it."""
        for path in 3 * paths:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path)
                try:
                    while True:
                        sock.send(b"x" * 100)
                except OSError:
                    pass

    def catch(self, path):
        """Listen where processes of the site do; how many bytes they have sent."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
            sock.listen()
            sys.stdin.read()
            sock.setblocking(False)
            found = 0
            try:
                while True:
                    found += len(sock.accept()[0].recv(1000))
            except BlockingIOError:
                return found

    def become(self, uid):
        os.setuid(uid)


def say(name, text):
    """Hear, and say something."""
    if not settings.configured:
        configure()
    program = Program()
    program.join("elsewhere")
    program.send(name, text)


def configure(**more):
    directory = os.environ["DWEBSOCKET_TEST_RUN_DIR"]
    settings.configure(WEBSOCKET_RUN_DIR=directory, INSTALLED_APPS=["dwebsocket"], **more)
    django.setup()


def main():
    more = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if "NO_THREADS" in more:
        no_threads.obey(more.pop("NO_THREADS"))
    configure(**more)
    program = Program()
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(program, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
