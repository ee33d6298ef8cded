"""Functions that are called some milliseconds later."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dwebsocket.transports import clock

from ..servers.process import wait_until
from .pairs import TIMEOUT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ticking():
    return clock.Clock()


def test_it_is_later_and_in_order(ticking):
    called, began = [], time.monotonic()
    for number in range(10):
        assert ticking.call_later(lambda number=number: called.append((number, time.monotonic())))
    wait_until(lambda: len(called) == 10, "all were called", timeout=TIMEOUT)
    assert [number for number, _ in called] == list(range(10))
    assert min(when for _, when in called) - began >= clock.TICK


def test_what_one_raises_is_not_the_end_of_others(ticking, caplog):
    called = threading.Event()
    ticking.call_later(lambda: 1 // 0)
    ticking.call_later(called.set)
    assert called.wait(TIMEOUT)
    assert "What was to be done later failed" in caplog.text


def test_a_clock_that_stands_still_is_set_going(monkeypatch):
    monkeypatch.setattr(clock, "QUIET_TICKS", 0)
    ticking = clock.Clock()
    for _ in range(50):
        called = threading.Event()
        ticking.call_later(called.set)
        assert called.wait(TIMEOUT)
    wait_until(lambda: ticking._rests, "it stands still", timeout=TIMEOUT)


FORKED = """
import os, sys, threading
from dwebsocket.transports import clock

def is_called():
    called = threading.Event()
    return clock.call_later(called.set) and called.wait(10)

assert is_called()
child = os.fork()
if not child:
    os._exit(0 if is_called() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_a_clock():
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
