"""The sweeper: pings, drops, says 1001 at the end; and how many connections there are."""

import logging
import threading
import time

import pytest

from dwebsocket.backends.room import TooManyConnections
from dwebsocket.backends.sockets import ending
from dwebsocket.backends.sockets import sweeper as sweepers
from dwebsocket.backends.sockets.sweeper import Sweeper
from dwebsocket.exceptions import ConnectionClosed

from ..raw_client import CLOSE, PING, PONG, TEXT, Frame
from .site import TIMEOUT, wait_until
from .websocket.conftest import open_pair, pair

__all__ = ["open_pair", "pair"]


def seconds_from_now(seconds):
    return time.monotonic() + seconds


def test_silence_is_pinged_once(pair):
    websocket, peer = pair
    assert websocket._sweep(seconds_from_now(19), 20, 20) is False
    assert websocket._sweep(seconds_from_now(21), 20, 20) is False
    assert websocket._sweep(seconds_from_now(22), 20, 20) is False
    websocket.send("after")
    assert peer.read_frame() == Frame(PING, b"")
    assert peer.read_text() == "after"


def test_no_pings_without_an_interval(pair):
    websocket, peer = pair
    assert websocket._sweep(seconds_from_now(1000), None, 20) is False
    websocket.send("first")
    assert peer.read_text() == "first"


def test_an_answer_keeps_the_peer(pair):
    websocket, peer = pair
    websocket._sweep(seconds_from_now(21), 20, 20)
    assert peer.read_frame() == Frame(PING, b"")
    peer.send_frame(PONG)
    assert websocket._sweep(seconds_from_now(30), 20, 20) is False  # takes the Pong in
    assert websocket._sweep(seconds_from_now(15), 20, 20) is False
    assert websocket.connected


@pytest.mark.parametrize("answer", [TEXT, PING])
def test_anything_that_arrives_is_an_answer(pair, answer):
    websocket, peer = pair
    websocket._sweep(seconds_from_now(21), 20, 0.001)
    peer.send_frame(answer, b"here")
    websocket._reader.last_received -= 1000
    websocket._pinged -= 1000
    assert websocket._sweep(time.monotonic(), 20, 60) is False
    assert websocket.connected


def test_an_unanswered_ping_drops_the_peer(pair):
    websocket, peer = pair
    websocket._sweep(seconds_from_now(21), 20, 20)
    assert websocket._sweep(seconds_from_now(42), 20, 20) is True
    assert websocket.closed
    assert (websocket.close_code, websocket.wait()) == (1006, None)
    assert "Ping within 20 seconds" in websocket.close_reason
    with pytest.raises(ConnectionClosed):
        websocket.send("x")
    assert peer.read_frame() == Frame(PING, b"")
    assert peer.read_to_eof() == b""
    assert websocket._sweep(seconds_from_now(100), 20, 20) is False  # counted once


def test_an_answered_ping_is_never_held_against_the_peer(pair):
    """Not even when no sweep came between the answer and the next silence."""
    websocket, peer = pair
    websocket._sweep(seconds_from_now(21), 20, 20)
    assert peer.read_frame() == Frame(PING, b"")
    websocket._pinged = time.monotonic()  # that was now, then
    peer.send_frame(PONG)
    assert not websocket.closed  # takes the Pong in
    assert websocket._sweep(seconds_from_now(45), 20, 20) is False
    websocket.send("after a second Ping")
    assert peer.read_frame() == Frame(PING, b"")


def test_without_a_timeout_nobody_is_dropped(pair):
    websocket, _ = pair
    websocket._sweep(seconds_from_now(21), 20, None)
    assert websocket._sweep(seconds_from_now(10_000), 20, None) is False
    assert websocket.connected


def test_a_close_that_arrives_for_an_idle_view_is_answered(pair):
    websocket, peer = pair
    websocket._sweep(seconds_from_now(21), 20, 20)
    assert peer.read_frame().opcode == PING
    peer.send_close(4000)
    websocket._sweep(seconds_from_now(22), 20, 20)
    assert peer.read_close().close_code == 4000
    assert websocket.close_code == 4000


def test_the_running_sweeper_drops_and_counts(open_pair, caplog):
    caplog.set_level(logging.INFO, "dwebsocket.connection")
    dropped = count_dropped()
    websocket, peer = open_pair(WEBSOCKET_PING_INTERVAL=0.05, WEBSOCKET_PING_TIMEOUT=0.05)
    assert peer.read_frame() == Frame(PING, b"")
    assert websocket.wait(TIMEOUT) is None
    wait_until(lambda: count_dropped() == dropped + 1)
    assert websocket not in sweepers.find_all()
    wait_until(lambda: "did not answer a Ping" in caplog.text)  # counted first, then told


def count_dropped():
    return sum(running.dropped for running in sweepers.sweepers.values())


def test_a_reader_is_not_disturbed(open_pair):
    websocket, peer = open_pair(WEBSOCKET_PING_INTERVAL=0.1, WEBSOCKET_PING_TIMEOUT=20)
    got = []
    reader = threading.Thread(target=lambda: got.append(websocket.wait()))
    reader.start()
    for _ in range(3):
        assert peer.read_frame() == Frame(PING, b"")
        peer.send_frame(PONG)
    peer.send_text("message")
    reader.join(TIMEOUT)
    assert got == ["message"]


def test_count_and_room(open_pair, settings_of):
    before = sweepers.count()
    first, peer = open_pair()
    open_pair()
    assert sweepers.count() == before + 2
    settings_of(WEBSOCKET_MAX_CONNECTIONS=before + 3)
    third, fourth = object(), object()
    sweepers.expect(third)
    with pytest.raises(TooManyConnections, match=f"holds {before + 3} WebSockets"):
        sweepers.expect(fourth)  # the one that is coming counts
    sweepers.give_up(third)
    settings_of(WEBSOCKET_MAX_CONNECTIONS=before + 2)
    with pytest.raises(TooManyConnections, match=f"holds {before + 2} WebSockets"):
        sweepers.expect(fourth)
    assert TooManyConnections.status_code == 503
    threading.Timer(0, peer.send_close).start()
    first.close()
    assert sweepers.count() == before + 1
    sweepers.expect(fourth)
    sweepers.give_up(fourth)


def test_one_that_is_accepted_counts_once(open_pair, settings_of, monkeypatch):
    """At each moment: those who come next are refused otherwise."""
    before = sweepers.count()
    settings_of(WEBSOCKET_MAX_CONNECTIONS=before + 2)
    add, results = Sweeper.add, []

    def add_and_look(sweeper, websocket):
        add(sweeper, websocket)
        looking.start()
        looking.join(0.2)

    def look():
        second = object()
        try:
            sweepers.expect(second)
        except TooManyConnections as error:
            results.append(error)
        else:
            results.append("room")
            sweepers.give_up(second)

    looking = threading.Thread(target=look)
    monkeypatch.setattr(Sweeper, "add", add_and_look)
    open_pair()
    looking.join(TIMEOUT)
    assert results == ["room"]


@pytest.fixture(autouse=True)
def go_on():
    """What these tests end goes on for others, and they count nothing of those."""
    wait_until(lambda: sweepers.count() == 0)
    yield
    ending.start_anew()


@pytest.fixture
def settings_of(site):
    def change(**settings):
        site.change(**settings)

    return change


# One by itself, whose time the test makes pass


class Clockwork:
    """Starts nothing and sleeps no time, but tells."""

    def __init__(self):
        self.started = []
        self.slept = []
        self.sweeper = Sweeper(self.start, self.sleep)
        self.stop_after = 100

    def start(self, function, name):
        self.started.append((function, name))

    def sleep(self, seconds):
        self.slept.append(seconds)
        if len(self.slept) > self.stop_after:
            raise StopIteration


def test_starts_with_the_first_connection(pair):
    websocket, _ = pair
    clockwork = Clockwork()
    clockwork.sweeper.add(websocket)
    clockwork.sweeper.add(websocket)
    assert [name for _, name in clockwork.started] == ["dwebsocket-sweeper"]


def test_ends_when_there_has_been_nothing_to_do(pair, monkeypatch):
    monkeypatch.setattr(sweepers, "IDLE_TIMEOUT", -1)
    clockwork = Clockwork()
    clockwork.sweeper.add(pair[0])
    clockwork.sweeper.connections.clear()
    clockwork.sweeper.run()
    assert len(clockwork.slept) == 1
    clockwork.sweeper.add(pair[0])
    assert len(clockwork.started) == 2


def test_goes_on_as_long_as_there_are_connections(pair):
    clockwork = Clockwork()
    clockwork.sweeper.add(pair[0])
    with pytest.raises(StopIteration):
        clockwork.sweeper.run()
    assert len(clockwork.slept) == clockwork.stop_after + 1


@pytest.mark.parametrize(
    ("interval", "timeout", "pause"),
    [(20, 20, 2.5), (4, 20, 0.5), (20, 4, 0.5), (0.1, 20, 0.05), (None, 4, 0.5)],
)
def test_looks_often_enough(settings_of, interval, timeout, pause):
    settings_of(WEBSOCKET_PING_INTERVAL=interval, WEBSOCKET_PING_TIMEOUT=timeout)
    assert Sweeper._interval() == pause


def test_lets_others_go_on_between_batches(open_pair, monkeypatch):
    monkeypatch.setattr(sweepers, "BATCH", 2)
    clockwork = Clockwork()
    for _ in range(5):
        clockwork.sweeper.connections.add(open_pair()[0])
    clockwork.sweeper._sweep_all(time.monotonic())
    assert clockwork.slept == [0, 0]


def test_going_away(open_pair):
    clockwork = Clockwork()
    peers = []
    for _ in range(2):
        websocket, peer = open_pair()
        clockwork.sweeper.connections.add(websocket)
        peers.append(peer)
    clockwork.sweeper.send_going_away(1001)
    for peer in peers:
        assert peer.read_frame() == Frame(CLOSE, b"\x03\xe9")


def test_the_server_ends(open_pair, monkeypatch):
    websocket, peer = open_pair()
    websocket._stop_signal = lambda: 1001
    clockwork = Clockwork()
    clockwork.sweeper.connections.add(websocket)
    clockwork.sweeper._sweep_all(time.monotonic())
    [(leave, _)] = clockwork.started  # beside what it does else
    leave()
    assert peer.read_close().close_code == 1001
    assert peer.read_to_eof() == b""
    assert clockwork.slept == [sweepers.GRACE]
    assert websocket.wait() is None
    clockwork.sweeper._sweep_all(time.monotonic())
    assert clockwork.slept == [sweepers.GRACE]  # said once
    assert len(clockwork.started) == 1


def test_at_the_end_of_the_interpreter(pair):
    websocket, peer = pair
    websocket.send("open")
    assert peer.read_text() == "open"
    sweepers.send_going_away()
    assert peer.read_close().close_code == 1001
