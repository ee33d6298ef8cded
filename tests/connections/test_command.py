"""``manage.py websockets``, as people run it."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import CommandError

from dwebsocket import connections

from ..servers.process import wait_until

# What carries the question is no matter here.
pytestmark = pytest.mark.parametrize("served", ["machine"], indirect=True)


def test_the_table(workers):
    client = workers.open()
    client.send_text("hello")
    client.read_text()
    (found,) = connections.list(timeout=5)
    heading, line = workers.run().splitlines()
    assert heading.split()[:4] == ["ID", "AGE", "USER", "PATH"]
    for text in (found.id, "127.0.0.1", "1 / 1", str(found.pid), "/handler/echo/"):
        assert text in line


def test_json(workers):
    member = workers.open(f"/group/handler/{workers.name}/")
    member.read_text()
    workers.open()
    found = json.loads(workers.run("--json", "--group", workers.name))
    (one,) = found["connections"]
    assert one["groups"] == [workers.name]
    assert one["path"] == f"/group/handler/{workers.name}/"
    assert found["silent"] == []


def test_closing(workers):
    client, other = workers.open(), workers.open()
    other.send_text("x")
    assert other.read_text() == "x"  # it is counted
    (chosen,) = [one.id for one in connections.list(timeout=5) if not one.received]
    assert "1 closed" in workers.run("close", chosen, "--code", "4002", "--reason", "go")
    frame = client.read_close()
    assert (frame.close_code, frame.close_reason) == (4002, "go")
    with pytest.raises(CommandError, match="everyone=True"):
        workers.run("close")
    assert "0 closed" in workers.run("close", "--path", "/elsewhere/*")
    assert "1 closed" in workers.run("close", "--everyone")
    assert other.read_close().close_code == 1001


def test_a_close_that_cannot_be_sent_is_refused(workers):
    with pytest.raises(CommandError, match="999"):
        workers.run("close", "--everyone", "--code", "999")


def test_sending(workers):
    member = workers.open(f"/group/handler/{workers.name}/")
    member.read_text()
    workers.run("send", workers.name, '{"a": 1}', "--json")
    assert member.read_text() == '{"a": 1}'
    with pytest.raises(CommandError, match="not JSON"):
        workers.run("send", workers.name, "{", "--json")


def test_statistics(workers):
    for _ in range(3):
        workers.open()
    lines = workers.run("stats").splitlines()
    assert lines[-1].split()[:2] == ["all", "3"]
    found = json.loads(workers.run("stats", "--json"))
    assert found["connections"] == 3
    assert sum(one["connections"] for one in found["processes"]) == 3


def test_what_a_terminal_would_obey_is_shown_and_not_done(workers):
    client = workers.open("/group/handler/%1b[2J/")
    client.read_text()
    shown = workers.run()
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown


class Watching:
    """The command, on a terminal of its own."""

    def __init__(self, workers):
        self.terminal, end = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "django", "websockets", "--watch"],
            **workers.environment(),
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)

    def wait_for(self, pattern):
        """Wait until something is shown that was not before."""
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.terminal, 65536)
                except OSError:  # nobody writes any more
                    raise AssertionError(self.shown) from None
        self.shown = b""

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


def test_watching_on_a_terminal(workers):
    watching = Watching(workers)
    try:
        watching.wait_for(rb"\x1b\[\?1049h[^$]*0 WebSockets")
        workers.open()
        watching.wait_for(rb"1 WebSockets[^$]*/handler/echo/")
        workers.clients.pop().hang_up()
        watching.wait_for(rb"0 WebSockets")
        os.write(watching.terminal, b"q")
        watching.wait_for(rb"\x1b\[\?1049l")
        assert watching.process.wait(10) == 0
    finally:
        watching.close()


def test_watching_without_a_terminal(workers):
    workers.open()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "django", "websockets", "--watch"],
        **workers.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        seen = 0
        for line in process.stdout:
            seen += "/handler/echo/" in line
            if seen == 2:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert "\x1b" not in rest
        wait_until(lambda: process.poll() is not None, "Ctrl-C ends it")
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
