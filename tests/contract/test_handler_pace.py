"""Handlers that take long, that are pushed to, whose peers do not read or do not answer."""

import json
import threading

import pytest

from ..raw_client import BINARY, CLOSE, PING, PONG, TEXT, Frame, build_frame
from ..servers.process import wait_until

# Here handlers sleep, or start threads.
pytestmark = pytest.mark.rows(patched=True, thorough=True)


def test_a_slow_handler_delays_nobody_else(server, open_websocket, tmp_path):
    slow, other = open_websocket("/handler/slow/"), open_websocket("/handler/echo/")
    slow.send_text(f"30 {tmp_path / 'done'}")
    assert slow.read_text() == "begin"
    for _ in range(20):
        other.send_text("quick")
        assert other.read_text() == "quick"
    (tmp_path / "done").touch()
    assert slow.read_text() == "end 30"


@pytest.mark.rows(foreign=False)
def test_many_messages_of_slow_handlers_take_turns_with_others(server, open_websocket, tmp_path):
    """More clients than there are threads for handlers, each with messages for seconds."""
    many = [open_websocket("/handler/slow/") for _ in range(40)]
    other = open_websocket("/handler/echo/")
    for client in many:
        client.send_bytes(build_frame(TEXT, f"0.1 {tmp_path / 'done'}") * 150)
    assert many[0].read_text() == "begin"
    other.send_text("quick")
    assert other.read_text(timeout=10) == "quick"  # all those messages at once take 15 seconds
    (tmp_path / "done").touch()
    for client in many:
        client.send_close()


def test_frames_of_two_threads_do_not_interleave(server, open_websocket):
    """All of it is less than WEBSOCKET_MAX_SEND_BUFFER: no frame depends on how fast we read."""
    client = open_websocket("/handler/pushed/")
    client.shrink_receive_buffer(32768)
    client.send_text("push")
    texts = [client.read_text(timeout=15) for _ in range(40)]
    for mark in "ab":
        expected = [f"{mark}{number:02}" + mark * 20_000 for number in range(20)]
        assert [text for text in texts if text[0] == mark] == expected
    client.send_close()
    assert client.read_close().close_code == 1000


@pytest.mark.rows(paces=True)
def test_a_reader_that_is_too_slow_is_closed(lenient_server, open_websocket, journal, case):
    """No more than WEBSOCKET_MAX_SEND_BUFFER, 1 MiB, waits in memory for it. It has
    WEBSOCKET_CLOSE_TIMEOUT to take that, 10 seconds here.
    """
    client = open_websocket("/handler/flood/", lenient_server)
    client.send_text("1000000000")
    flooded = journal.wait(case, "flooded", timeout=10)
    # What the system's buffers hold comes on top.
    assert flooded["sent"] < 20_000_000
    received = 0
    while (frame := client.read_frame()).opcode != CLOSE:
        assert frame == Frame(BINARY, bytes(100_000))
        received += 100_000
    assert (frame.close_code, frame.close_reason) == (1013, "the peer reads too slowly")
    assert received <= flooded["sent"]
    client.send_close(1013)
    client.read_to_eof()
    assert journal.wait(case, "ended")["close_code"] == 1013


@pytest.mark.rows(paces=True)
def test_a_reader_that_is_too_slow_and_stays_so(server, open_websocket, journal, case):
    open_websocket("/handler/flood/").send_text("1000000000")
    assert journal.wait(case, "ended", timeout=10)["close_code"] == 1013
    assert len(journal.events(case, "flooded")) == 1


@pytest.mark.rows(paces=True)
def test_a_reader_that_takes_nothing_is_dropped(tuned_server, open_websocket, journal, case):
    """After WEBSOCKET_SEND_TIMEOUT, 1 second, although it says that it is there."""
    client = open_websocket("/handler/flood/", tuned_server)
    client.send_text("30000000")

    def ended():
        try:
            client.send_frame(PONG, b"here")
        except OSError:  # it was
            pass
        return journal.events(case, "ended")

    wait_until(ended, "the peer is dropped", timeout=10)
    [event] = journal.events(case, "ended")
    assert event["close_code"] == 1006
    assert "Ping" not in event["close_reason"]


def test_all_of_it_arrives_at_a_slow_reader(server, row, open_websocket, journal, case):
    """As long as no more waits than may; what waits leaves when the peer reads on."""
    client = open_websocket("/handler/flood/")
    client.send_text("1000000")
    journal.wait(case, "flooded")
    for _ in range(10):
        assert client.read_frame() == Frame(BINARY, bytes(100_000))
    client.send_close(4001)
    assert client.read_close().close_code == row.answered(4001)


# Keepalive: WEBSOCKET_PING_INTERVAL and _TIMEOUT are 0.3 and 2.5 seconds on the tuned server. What
# takes LONG is longer than both.

LONG = "3.0"


class Answering:
    """A client that answers Pings all the time, in a thread, and keeps the texts that come."""

    def __init__(self, client):
        self._client = client
        self._lock = threading.Lock()  # OpenSSL lets only one thread use a connection at a time
        self.texts = []
        self.ended = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            while self._client.wait_readable(20):
                with self._lock:
                    frame = self._client.read_frame()
                    if frame.opcode == CLOSE:
                        raise EOFError(f"{frame}")
                    if frame.opcode == PING:
                        self._client.send_frame(PONG, frame.payload)
                    else:
                        self.texts.append(frame.payload.decode())
        except (OSError, EOFError) as error:  # perhaps the test is over
            self.ended = repr(error)

    def send_text(self, text):
        with self._lock:
            self._client.send_text(text)

    def stop(self):
        """Before the socket is closed: its descriptor is soon that of another test."""
        self._client.wake_up()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def wait_for(self, *texts):
        wait_until(lambda: self.ended or self.texts == list(texts), f"{texts}", 30)
        assert self.texts == list(texts), self.ended
        self.texts.clear()


@pytest.fixture
def open_answering(tuned_server, open_websocket):
    answering = []

    def connect(path):
        answering.append(Answering(open_websocket(path, tuned_server)))
        return answering[-1]

    yield connect
    for peer in answering:
        peer.stop()


def test_a_peer_whose_handler_is_busy_is_not_dropped(open_answering):
    peer = open_answering("/handler/slow/")
    peer.send_text(LONG)
    peer.wait_for("begin", f"end {LONG}")
    peer.send_text("0")
    peer.wait_for("begin", "end 0")
    assert not peer.ended


def test_a_peer_whose_handler_opens_slowly_is_not_dropped(open_answering):
    peer = open_answering(f"/handler/opening/{LONG}/")
    peer.wait_for("opened")
    peer.send_text("0")
    peer.wait_for("begin", "end 0")


def test_nobody_is_dropped_while_all_threads_are_busy(open_answering):
    """Not those either whose Pongs nobody has time to read."""
    idle = [open_answering("/handler/slow/") for _ in range(3)]
    busy = [open_answering("/handler/slow/") for _ in range(10)]
    for peer in busy:
        peer.send_text(LONG)
    for peer in busy:
        peer.wait_for("begin", f"end {LONG}")
    for peer in idle:
        peer.send_text("0")
        peer.wait_for("begin", "end 0")


def test_messages_of_many_slow_connections_are_all_answered(server, open_websocket):
    clients = [open_websocket("/handler/slow/") for _ in range(20)]
    for client in clients:
        client.send_bytes(build_frame(TEXT, "0.05") * 2)
    for client in clients:
        assert [client.read_text() for _ in range(4)] == ["begin", "end 0.05"] * 2


def test_json_from_a_foreign_thread(server, open_websocket):
    client = open_websocket("/handler/timer/")
    client.send_text("tick")
    assert json.loads(client.read_text()) == {"tick": 1}
