"""Servers of several processes, and commands that ask them."""

import json
import os
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from itertools import count
from unittest.mock import patch

import pytest
from django.core.management import call_command

from dwebsocket import connections

from ..asking import MACHINE, among
from ..groups.peers import patient
from ..raw_client import PING, PONG, Frame, RawClient
from ..servers.process import ROOT, wait_until
from ..servers.rows import ROWS

WORKERS = 3

#: Clients that are not read answer no Ping in time.
NO_PINGS = {"WEBSOCKET_PING_INTERVAL": None}
names = count(1)
ECHO = "/handler/echo/"

#: Seconds for which a process may be silent: a busy machine may hold one up.
TIMEOUT = 5.0


class Workers:
    """A server of several processes, and clients of it."""

    def __init__(self, server, setting):
        self.server = server
        self.setting = setting
        self.name = f"asked-{next(names)}"
        self.clients = []

    def open(self, path=ECHO):
        client = RawClient(self.server, timeout=30)
        self.clients.append(client)
        client.open(f"{path}?case={self.name}")
        if path == ECHO:  # it counts when its 101 has left, and others say something by then
            client.send_frame(PING)
            assert client.read_frame() == Frame(PONG, b"")
        return client

    def open_everywhere(self):
        """A client in each process, and perhaps more."""

        def is_everywhere():
            for _ in range(4):
                self.open()
            return len({one.pid for one in connections.list(timeout=TIMEOUT)}) == WORKERS

        wait_until(is_everywhere, f"each of {WORKERS} processes has a client", timeout=60)

    def run(self, *arguments, timeout=TIMEOUT):
        """What ``manage.py websockets`` prints; what it has to say besides is in it, too."""
        out = StringIO()
        with ExitStack() as stack:
            for function in (connections.list, connections.close, connections.stats):
                defaults = patch.dict(function.__kwdefaults__, timeout=timeout)
                stack.enter_context(defaults)
            call_command("websockets", *arguments, stdout=out, stderr=out, no_color=True)
        return out.getvalue()

    def environment(self):
        """That of a command in a process of its own."""
        settings = {"WEBSOCKET_GROUPS": self.setting}
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "DWEBSOCKET_TEST_RUN_DIR": str(self.server.run_directory),
            "DWEBSOCKET_TEST_SETTINGS": json.dumps(settings),
        }
        return {"cwd": ROOT, "env": environment}

    def close(self):
        for client in self.clients:
            client.hang_up()
        wait_until(lambda: not connections.list(timeout=TIMEOUT), "all have left", timeout=30)


def row_of_workers(name, workers=WORKERS):
    row = next(row for row in ROWS if row.name == name)
    return replace(row, arguments=(*row.arguments, "--workers", str(workers)))


def serve(request, start_server, row):
    setting = MACHINE
    if request.param == "redis":
        setting = patient(request.getfixturevalue("redis_server").setting)
    return start_server(row_of_workers(row), {"WEBSOCKET_GROUPS": setting, **NO_PINGS}), setting


@pytest.fixture(scope="module", params=["machine", "redis"])
def served(request, start_server):
    server, setting = serve(request, start_server, "gunicorn-gthread")
    with among(server, setting):  # a process can be asked some time after its first 101
        first = Workers(server, setting)
        first.open_everywhere()
        first.close()
    yield server, setting
    server.stop()
    assert not server.log.find_faults(), server.log.text()


@pytest.fixture
def workers(served):
    with among(*served):
        workers = Workers(*served)
        yield workers
        workers.close()


@pytest.fixture(params=["machine", "redis"])
def own_workers(request, start_server):
    """A server of this test alone, which may do with its processes what it wants."""
    server, setting = serve(request, start_server, "gunicorn-gthread")
    with among(server, setting):
        workers = Workers(server, setting)
        yield workers
        for client in workers.clients:
            client.hang_up()
    server.kill()
