"""Pages that break and come back at random while others send, and what each of them was told."""

import json
import random
import threading
import time
from contextlib import suppress

from ...raw_client import RawClient
from ...servers.process import wait_until

__all__ = ["Stress"]

GONE = (OSError, EOFError, AssertionError)


class Page:
    """One that keeps its position, as a page does, and judges what it gets.

    Attributes:
        got: messages.
        breaks: how often it came back.
        told: how often it was told that something is missing.
        faults: what came twice, out of order, or was missing without a word.
    """

    def __init__(self, stress, dice):
        self._stress = stress
        self._dice = dice
        self.since = None
        self._last = None  # the epoch and the number of the last message
        self.got = self.breaks = self.told = 0
        self.faults = []

    def run(self):
        while time.monotonic() < self._stress.end:
            with suppress(*GONE):
                self._visit(time.monotonic() + self._dice.expovariate(0.5))
            self.breaks += 1
        self._come_home()

    def _open(self):
        client = RawClient(self._stress.choose(), timeout=60)
        kind = self._dice.choice(["view", "handler"]) if self.breaks % 4 else "handler"
        since = "" if self.since is None else self.since
        client.open(
            f"/history/{kind}/{self._stress.name}/?case=stress&since={since}&{self._stress.rule}"
        )
        return client

    def _visit(self, until):
        client = self._open()
        try:
            while (rest := min(until, self._stress.end) - time.monotonic()) > 0:
                if client.wait_readable(rest):
                    self._judge(json.loads(client.read_text()))
        finally:
            self._dice.choice([client.hang_up, client.reset])()

    def _come_home(self):
        """Get the rest: what was sent last."""
        deadline = time.monotonic() + 60
        while self._last is None or str(self.since) != self._stress.last:
            assert time.monotonic() < deadline, f"it stays at {self.since}, not {self._stress.last}"
            with suppress(*GONE):
                client = self._open()
                try:
                    while str(self.since) != self._stress.last and client.wait_readable(1):
                        self._judge(json.loads(client.read_text()))
                finally:
                    client.hang_up()

    def _judge(self, told):
        epoch, _, offset = told["position"].partition(":")
        self.since, now = told["position"], (epoch, int(offset))
        if "recovered" in told:
            if not told["recovered"]:
                self.told += 1
            elif self._last is not None and self._last != now:
                self.faults.append((self._last, told))
            self._last = now
            return
        if self._last is None or (epoch, int(offset) - 1) != self._last:
            self.faults.append((self._last, told))
        self._last = now
        self.got += 1


class Stress:
    """Args:
    servers: ways to the processes; each page and each sender takes one of them by chance.
    rule: what the group keeps, as a query.
    """

    def __init__(self, servers, seconds, *, pages, rate, rule="size=5000", seed=None):
        self.name = f"stress-{time.monotonic_ns()}"
        self.rule = rule
        self.last = None
        self._servers = servers
        self._dice = random.Random(seed)
        self._rate = rate
        self._seconds = seconds
        self.pages = [Page(self, random.Random(self._dice.random())) for _ in range(pages)]
        self.sent = self.refused = 0

    def choose(self):
        return random.choice(self._servers)

    def run(self):
        self.end = float("inf")
        senders = [threading.Thread(target=self._send) for _ in range(4)]
        pages = [threading.Thread(target=page.run) for page in self.pages]
        for thread in pages:
            thread.start()
        # What is sent from now on concerns them all.
        wait_until(lambda: all(page.since for page in self.pages), "all have come", timeout=60)
        self.end = time.monotonic() + self._seconds
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join(self._seconds + 60)
        self.last = self._recall()
        for thread in pages:
            thread.join(self._seconds + 120)
        assert not any(thread.is_alive() for thread in [*senders, *pages])

    def _send(self):
        """A quarter of it; over plain HTTP, each time to another process."""
        count = 5
        pause = 4 * count / self._rate
        due = time.monotonic()
        while time.monotonic() < self.end:
            try:
                self._ask(f"/history/send/{self.name}/?count={count}&{self.rule}")
                self.sent += count
            except GONE:
                self.refused += 1
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))

    def _ask(self, path):
        client = RawClient(self.choose(), timeout=60)
        try:
            client.send_request(path, websocket=False, headers={"Connection": "close"})
            response = client.read_response()
            assert response.status == 200, response
            return response.body.decode()
        finally:
            client.hang_up()

    def _recall(self):
        found = []

        def recall():
            with suppress(*GONE):
                found.append(self._ask(f"/history/recall/{self.name}/?{self.rule}"))
            return found

        wait_until(recall, "somebody tells where the group is", 60)
        return json.loads(found[0])["position"]

    @property
    def faults(self):
        return [fault for page in self.pages for fault in page.faults]
