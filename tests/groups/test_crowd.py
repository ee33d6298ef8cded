"""Many people with several tabs each, on several workers: tabs close, a worker is killed, all come
back at once.

DWEBSOCKET_TEST_CROWD=1000 runs it with so many people, on every shared backend.
"""

import asyncio
import json
import os
import random
import resource
import signal
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from ..raw_client import RawClient
from .test_processes import row_of_workers

websockets = pytest.importorskip("websockets")

USERS = int(os.environ.get("DWEBSOCKET_TEST_CROWD", "0"))
TABS = 3
PEOPLE, GRACE = (USERS, 15) if USERS else (40, 8)
BACKENDS = ["machine", "redis"] if USERS else ["machine"]

#: Seconds until everything must be right after a worker was killed.
MUST = 30

#: Seconds that opening them all may take.
OPENING = 300 if USERS else 60

#: All clients share a thread here, and may be late with their request: by default gunicorn hangs up
#: on a connection that brings none for two seconds.
PATIENT = ("--keep-alive", "120")

#: Connections that are being opened at a time.
AT_ONCE = 40


class Tab:
    """A real client, whose picture is made of what its handler was told."""

    def __init__(self, user):
        self.user = user
        self.connection = None
        self.start()

    def start(self):
        self.picture, self.times, self.left, self.faults = set(), [], Counter(), []
        self.is_open, self.pid = False, None

    async def open(self, url, turns):
        self.start()
        async with turns:
            self.connection = await websockets.connect(
                f"{url}?key={self.user}",
                compression=None,
                max_size=None,
                ping_interval=None,
                open_timeout=OPENING,
            )
            self.pid = json.loads(await self.connection.recv())["pid"]
        self.is_open = True
        self.task = asyncio.create_task(self.read())

    async def read(self):
        try:
            async for message in self.connection:
                self.hear(**json.loads(message))
        except websockets.ConnectionClosed:
            pass
        self.is_open = False

    def hear(self, at, joined, left):
        self.times.append(at)
        if self.picture & set(joined) or set(left) - self.picture:
            self.faults.append((joined, left))
        self.picture |= set(joined)
        self.picture -= set(left)
        self.left.update(left)

    async def close(self):
        await self.connection.close()
        await self.task


class Crowd:
    def __init__(self, server):
        self.server = server
        self.url = f"ws://{server.host}:{server.port}/presence/tab/crowd/"
        self.tabs = [Tab(user) for user in range(PEOPLE) for _ in range(TABS)]
        self.turns = asyncio.Semaphore(AT_ONCE)

    @property
    def open_tabs(self):
        return [tab for tab in self.tabs if tab.is_open]

    @property
    def users(self):
        return {tab.user for tab in self.open_tabs}

    async def open(self, tabs):
        await asyncio.wait_for(
            asyncio.gather(*(tab.open(self.url, self.turns) for tab in tabs)), OPENING
        )

    async def close(self, tabs):
        await asyncio.gather(*(tab.close() for tab in tabs))

    def present(self):
        """What a worker answers."""
        client = RawClient(self.server, timeout=20)
        client.send_request(
            "/presence/present/crowd/", websocket=False, headers={"Connection": "close"}
        )
        found = dict(json.loads(client.read_response().body)["present"])
        client.hang_up()
        assert all(info == {"name": f"user {user}"} for user, info in found.items())
        return set(found)

    async def settle(self, what, timeout):
        """Wait until everybody knows who is there, and so does whoever asks."""
        users, begun = self.users, time.monotonic()
        while True:
            wrong = sum(tab.picture != users for tab in self.open_tabs)
            present = await asyncio.to_thread(self.present)
            if not wrong and present == users:
                break
            assert time.monotonic() < begun + timeout, (what, wrong, len(present ^ users))
            await asyncio.sleep(0.1)
        print(f"{what}: {len(users)} people right after {time.monotonic() - begun:.1f} s")
        self.check_calls()

    def check_calls(self):
        assert not [tab.faults for tab in self.tabs if tab.faults]
        gaps = [b - a for tab in self.tabs for a, b in pairwise(tab.times[::2])]
        assert min(gaps, default=1) > 0.9, "more than two calls within a second"


async def run(server):
    crowd = Crowd(server)
    await crowd.open(crowd.tabs)
    await crowd.settle("all have come", OPENING)

    random.shuffle(crowd.tabs)
    await crowd.close(crowd.tabs[: len(crowd.tabs) // 2])  # of some people all
    assert len(crowd.users) < PEOPLE
    await crowd.settle("half of the tabs are closed", MUST)

    victim, _ = Counter(tab.pid for tab in crowd.open_tabs).most_common(1)[0]
    lost = [tab for tab in crowd.open_tabs if tab.pid == victim]
    told = {tab: Counter(tab.left) for tab in crowd.open_tabs}
    os.kill(victim, signal.SIGKILL)
    await asyncio.gather(*(tab.task for tab in lost))
    back = lost[: len(lost) // 2]
    await crowd.open(back)
    await crowd.settle("a worker was killed, half of its clients are back", MUST)
    for tab in crowd.open_tabs:
        if tab not in back:
            assert not set(tab.left - told[tab]) & crowd.users, "somebody who is there has left"

    told = {tab.user: tab for tab in crowd.tabs}
    await crowd.close(crowd.open_tabs)
    await crowd.open(crowd.tabs)
    await crowd.settle("all have closed, and opened anew", OPENING)
    assert len(told) == len(crowd.users) == PEOPLE
    await crowd.close(crowd.tabs)


@pytest.fixture(autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.timeout(900 if USERS else 120)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_crowd(start_server, request, backend):
    settings = {"WEBSOCKET_PRESENCE_GRACE": GRACE}
    if backend == "redis":
        settings["WEBSOCKET_GROUPS"] = request.getfixturevalue("redis_server").setting
    row = row_of_workers("gunicorn-gthread")
    row = replace(row, arguments=(*row.arguments, *PATIENT))
    server = start_server(row, settings, descriptors=20_000)
    try:
        asyncio.run(run(server))
    except BaseException:
        print(server.log.text())
        raise
    finally:
        server.stop()
    assert not server.log.find_faults(), server.log.text()
