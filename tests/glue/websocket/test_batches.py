"""Answers to messages that came in one read leave together, but wait for nothing else."""

import random
import sys
import threading
import time

import pytest

from dwebsocket import ConnectionClosed
from dwebsocket.transports import clock

from ...raw_client import CLOSE, PING, TEXT, Frame, build_frame
from ..site import TIMEOUT

#: Times that a view begins to wait about when the clock looks.
TURNS = 150


def take_first(pair, *texts):
    """Have a batch come, and take the first message of it."""
    websocket, peer = pair
    peer.send_bytes(b"".join(build_frame(TEXT, text) for text in texts))
    assert websocket.wait(TIMEOUT) == texts[0]
    return websocket, peer


@pytest.fixture
def slow_clock(monkeypatch):
    """What is held back leaves by no clock."""
    monkeypatch.setattr(clock, "clock", clock.Clock(6 * TIMEOUT))


def is_waiting(websocket):
    return bool(websocket._writer.outbox.frames)


def test_answers_leave_together(slow_clock, pair):
    websocket, peer = take_first(pair, "a", "b", "c")
    websocket.send("A")
    assert websocket.wait() == "b"
    websocket.send("B")
    assert is_waiting(websocket)
    assert websocket.wait() == "c"
    websocket.send("C")
    assert not is_waiting(websocket)
    assert [peer.read_text() for _ in "ABC"] == ["A", "B", "C"]


def test_an_answer_leaves_while_its_view_waits_for_something_else(pair):
    websocket, peer = take_first(pair, "a", "b", "c")
    websocket.send("A")
    assert peer.read_text() == "A"
    assert websocket.wait() == "b"
    websocket.send("B")
    assert not is_waiting(websocket)  # this view is slow: nothing is held back
    assert peer.read_text() == "B"


def test_an_answer_leaves_before_its_view_waits_for_more(slow_clock, pair):
    websocket, peer = take_first(pair, "a", "b")
    websocket.send("A")
    assert websocket.wait() == "b"
    with pytest.raises(TimeoutError):
        websocket.wait(0.01)
    assert peer.read_text() == "A"


def test_answers_wait_in_front_of_a_close(slow_clock, pair):
    websocket, peer = take_first(pair, "a", "b")
    websocket.send("A")
    closing = threading.Thread(target=websocket.close, args=[4000])
    closing.start()
    assert peer.read_text() == "A"
    assert peer.read_frame().close_code == 4000
    peer.send_close(4000)
    closing.join(TIMEOUT)
    with pytest.raises(ConnectionClosed):
        websocket.send("B")


def test_what_others_send_takes_answers_along(slow_clock, pair):
    websocket, peer = take_first(pair, "a", "b", "c")
    websocket.send("A")
    assert is_waiting(websocket)
    websocket.ping(b"x")
    assert [peer.read_frame() for _ in range(2)] == [Frame(TEXT, b"A"), Frame(PING, b"x")]
    other = threading.Thread(target=websocket.send, args=["pushed"])
    other.start()
    other.join(TIMEOUT)
    assert peer.read_text() == "pushed"


def test_not_more_than_64_kib_wait(slow_clock, pair):
    websocket, peer = take_first(pair, "a", "b")
    for _ in range(10):  # the ninth is the last that may wait
        websocket.send("A" * 8000)
    assert [peer.read_text() for _ in range(10)] == ["A" * 8000] * 10


def test_an_answer_to_what_came_before_a_close(slow_clock, pair):
    websocket, peer = pair
    frames = [build_frame(TEXT, "a"), build_frame(TEXT, "b"), build_frame(CLOSE, b"\x0f\xa0")]
    peer.send_bytes(b"".join(frames))
    assert websocket.wait(TIMEOUT) == "a"
    websocket.send("A")
    assert peer.read_text() == "A"  # no batch is gathered at the end
    assert websocket.wait() == "b"
    websocket.send("B")
    assert websocket.wait() is None
    assert peer.read_text() == "B"
    assert peer.read_frame().close_code == 4000


@pytest.fixture
def many_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_no_answer_is_left_behind(pair, many_switches):
    """Whatever the clock is doing when the view sends, and then waits for something else."""
    websocket, peer = pair
    for turn in range(TURNS):
        take_first(pair, "a", "b", "c")
        until = time.monotonic() + random.random() * 2.5 * clock.TICK
        websocket.send(f"{turn} A")
        while time.monotonic() < until:
            pass
        websocket.send(f"{turn} B")
        assert [peer.read_text() for _ in "AB"] == [f"{turn} A", f"{turn} B"]
        assert [websocket.wait(), websocket.wait()] == ["b", "c"]
