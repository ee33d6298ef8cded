"""close, disconnect, close_code, close_reason."""

import threading
import time

import pytest

from dwebsocket import ConnectionClosed

from ...raw_client import TEXT, build_close, build_frame
from ..site import wait_until


def answer_close(peer, code=1000):
    """The peer answers as soon as it has been told."""
    frames = []

    def answer():
        frames.append(peer.read_close())
        peer.send_close(code)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread, frames


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ((), 1000, ""),
        ((1001,), 1001, ""),
        ((4999, "\u20ac"), 4999, "\u20ac"),
        ((3000, "x" * 123), 3000, "x" * 123),
        ((None, None), 1000, ""),
        ((1000, b"bytes"), 1000, "bytes"),
        ((1000, bytearray(b"bytes")), 1000, "bytes"),
    ],
)
@pytest.mark.parametrize("name", ["close", "disconnect"])
def test_close_frame(pair, name, arguments, code, reason):
    websocket, peer = pair
    thread, frames = answer_close(peer)
    assert getattr(websocket, name)(*arguments) is None
    thread.join()
    assert (frames[0].close_code, frames[0].close_reason) == (code, reason)
    assert websocket.closed
    assert websocket.is_closed()
    assert not websocket.connected


def test_1005_is_a_close_without_a_code(pair):
    websocket, peer = pair
    with pytest.raises(ValueError, match="1005"):
        websocket.close(1005, "a reason needs a code")
    thread, frames = answer_close(peer)
    websocket.close(1005)
    thread.join()
    assert frames[0].payload == b""


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, -1, 70_000])
def test_codes_that_may_not_be_sent(pair, code):
    websocket, peer = pair
    with pytest.raises(ValueError, match=str(code)):
        websocket.close(code)
    assert not websocket.closed
    websocket.send("still open")
    assert peer.read_text() == "still open"


@pytest.mark.parametrize("reason", ["x" * 124, "\u20ac" * 42, b"x" * 124])
def test_reason_too_long(pair, reason):
    websocket, peer = pair
    with pytest.raises(ValueError, match=r"12[46] bytes .* 123 at most"):
        websocket.close(1000, reason)
    websocket.send("still open")
    assert peer.read_text() == "still open"


def test_reason_that_is_not_utf8(pair):
    websocket, _ = pair
    with pytest.raises(ValueError, match="utf-8"):
        websocket.close(1000, b"\xff")


def test_close_is_idempotent(pair):
    websocket, peer = pair
    thread, frames = answer_close(peer)
    websocket.close(4000)
    websocket.close(4001)
    websocket.disconnect()
    thread.join()
    assert peer.read_to_eof() == b""
    assert [frame.close_code for frame in frames] == [4000]


def test_the_peers_answer_does_not_change_the_close_code(pair):
    websocket, peer = pair
    thread, _ = answer_close(peer, 4321)
    websocket.close(4000)
    thread.join()
    assert websocket.close_code == 4000


def test_close_waits_no_longer_than_the_setting(open_pair):
    waited = []
    for _ in range(3):
        websocket, _ = open_pair(WEBSOCKET_CLOSE_TIMEOUT=0.1)
        started = time.monotonic()
        websocket.close()
        waited.append(time.monotonic() - started)
        assert (websocket.close_code, websocket.close_reason) == (1000, "")
        assert websocket.closed
    assert 0.1 <= min(waited) < 2  # the others may have stood still


def test_close_timeout_0_does_not_wait(open_pair):
    websocket, peer = open_pair(WEBSOCKET_CLOSE_TIMEOUT=0)
    websocket.close(4000)
    assert websocket.closed
    assert peer.read_close().close_code == 4000


def test_messages_that_arrive_while_closing_are_thrown_away(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(TEXT, "unread") + build_close(4000))
    websocket.close()
    assert websocket.close_code == 1000
    assert websocket.count_messages() == 0
    assert websocket.wait() is None


def test_peers_close_is_answered_with_its_code(pair):
    websocket, peer = pair
    peer.send_close(4000, "bye")
    assert websocket.wait() is None
    assert (websocket.close_code, websocket.close_reason) == (4000, "bye")
    assert peer.read_close().close_code == 4000


def test_close_without_a_code_is_1005(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(8))
    assert websocket.wait() is None
    assert (websocket.close_code, websocket.close_reason) == (1005, "")
    assert peer.read_close().payload in (b"", b"\x03\xe8")


def test_hang_up_is_1006(pair):
    websocket, peer = pair
    peer.hang_up()
    assert websocket.wait() is None
    assert websocket.close_code == 1006
    with pytest.raises(ConnectionClosed) as caught:
        websocket.wait()
    assert caught.value.code == 1006


def test_a_breach_of_the_protocol_is_our_failure(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(TEXT, "good") + build_frame(TEXT, "bad", masked=False))
    assert websocket.wait() == "good"
    assert websocket.wait() is None
    assert websocket.close_code == 1002
    assert peer.read_close().close_code == 1002


def test_another_thread_closes_under_a_reader(pair):
    websocket, peer = pair
    got = []
    reader = threading.Thread(target=lambda: got.append(websocket.wait()))
    reader.start()
    wait_until(lambda: websocket._read_lock.locked())
    thread, frames = answer_close(peer)
    websocket.close(4000)
    reader.join()
    thread.join()
    assert got == [None]
    assert frames[0].close_code == 4000
