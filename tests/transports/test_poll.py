"""Waiting for one descriptor: by poll, and by select where there is no poll."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dwebsocket.transports import poll

ROOT = Path(__file__).resolve().parents[2]
both = pytest.mark.parametrize("way", [poll.poll, poll.poll_by_select])


@pytest.fixture
def ends():
    ours, peer = socket.socketpair()
    with ours, peer:
        yield ours, peer


@both
def test_readable(ends, way):
    ours, peer = ends
    assert way(ours.fileno(), poll.IN, 0) == 0
    started = time.monotonic()
    assert way(ours.fileno(), poll.IN, 0.02) == 0
    assert time.monotonic() - started >= 0.02
    peer.send(b"x")
    assert way(ours.fileno(), poll.IN, 0) & poll.IN
    assert way(ours.fileno(), poll.IN, None) & poll.IN


@both
def test_writable(ends, way):
    ours, _ = ends
    assert way(ours.fileno(), poll.OUT, 0) & poll.OUT
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while ours.send(b"x" * 65_536):
            pass
    assert way(ours.fileno(), poll.OUT, 0) == 0


@both
def test_a_hang_up_makes_it_readable(ends, way):
    ours, peer = ends
    peer.close()
    assert way(ours.fileno(), poll.IN, 0)


def test_is_hung_up(ends):
    ours, peer = ends
    peer.send(b"unread")
    assert not poll.is_hung_up(ours.fileno())
    peer.shutdown(socket.SHUT_WR)
    assert poll.is_hung_up(ours.fileno())


def test_numbers_above_1024(ends):
    ours, peer = ends
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    os.dup2(ours.fileno(), 2000)
    try:
        assert not poll.wait_readable(2000, 0)
        assert poll.wait_writable(2000, 0)
        peer.send(b"x")
        assert poll.wait_readable(2000, 0)
    finally:
        os.close(2000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


CHECK = """
import socket
from dwebsocket.transports import poll
ours, peer = socket.socketpair()
assert not poll.wait_readable(ours.fileno(), 0.01)
assert poll.wait_writable(ours.fileno(), 0)
peer.send(b"x")
assert poll.wait_readable(ours.fileno(), 5)
assert poll.poll_by_select is not None
peer.close()
"""
PLATFORMS = {
    "plain": "real = True",
    "gevent": "from gevent import monkey; monkey.patch_all(); real = True",
    "eventlet": "import eventlet; eventlet.monkey_patch(); real = True",
    "without poll": "import select; del select.poll; real = False",
    "gevent without poll": (
        "import select; del select.poll\n"
        "from gevent import monkey; monkey.patch_all(); real = False"
    ),
}


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
def test_in_a_process_of_that_kind(platform):
    code = platform + CHECK + "assert (poll.poll is not poll.poll_by_select) is real\n"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
