"""Connections that break off instead of being closed."""

import threading
import time

import pytest

from dwebsocket import ConnectionClosed

from ...raw_client import PING, TEXT, build_frame
from ..site import TIMEOUT, wait_until


def break_off(websocket, peer):
    """Leave with something unread: the next read is 'connection reset'."""
    websocket.send("never read")
    peer.hang_up()


LOOKS = [
    lambda websocket: websocket.wait(),
    lambda websocket: websocket.wait(TIMEOUT),
    lambda websocket: websocket.read(),
    lambda websocket: websocket.closed and None,
]


@pytest.mark.parametrize("look", LOOKS)
def test_reset_is_1006_and_says_so(pair, look):
    websocket, peer = pair
    break_off(websocket, peer)
    assert look(websocket) is None
    assert websocket.closed
    assert websocket.close_code == 1006
    assert "the connection broke" in websocket.close_reason


def test_a_pong_to_a_peer_that_is_gone(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(PING, b"x") + build_frame(TEXT, "last"))
    peer.hang_up()
    # The Pong finds nobody. What came with the Ping may be lost with the connection, not the end.
    assert [message for message in websocket if message != "last"] == []
    assert websocket.close_code == 1006


def test_closing_a_connection_that_breaks(pair):
    websocket, peer = pair
    peer.hang_up()
    websocket.close(4000)
    assert websocket.closed
    assert websocket.close_code == 4000


def test_a_sender_is_woken_when_the_connection_ends(pair):
    websocket, peer = pair
    errors = []

    def send():
        try:
            websocket.send("x" * 5_000_000)
        except ConnectionClosed as error:
            errors.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: not websocket._transport.wait_writable(0))
    peer.hang_up()
    sender.join(TIMEOUT)
    assert errors[0].code == 1006


def test_close_waits_no_longer_than_its_timeout_for_a_blocked_sender(open_pair):
    websocket, peer = open_pair(WEBSOCKET_CLOSE_TIMEOUT=0.1, WEBSOCKET_SEND_TIMEOUT=TIMEOUT)
    outcomes = []

    def send():
        try:
            websocket.send("x" * 5_000_000)
        except ConnectionClosed:
            outcomes.append("woken")

    sender = threading.Thread(target=send)
    sender.start()
    wait_until(lambda: not websocket._transport.wait_writable(0))
    started = time.monotonic()
    websocket.close()
    assert time.monotonic() - started < TIMEOUT / 2
    sender.join(TIMEOUT)
    assert outcomes == ["woken"]
    assert peer.read_to_eof().count(b"\x88") == 0  # no Close frame in the middle of a message


def test_close_waits_no_longer_than_its_timeout_for_another_reader(open_pair):
    websocket, _ = open_pair(WEBSOCKET_CLOSE_TIMEOUT=0.1)
    got = []
    reader = threading.Thread(target=lambda: got.append(websocket.wait()))
    reader.start()
    wait_until(lambda: websocket._read_lock.locked())
    started = time.monotonic()
    websocket.close()
    assert time.monotonic() - started < TIMEOUT / 2
    reader.join(TIMEOUT)
    assert got == [None]


def test_a_peer_that_floods_instead_of_closing(open_pair, monkeypatch):
    """We throw away so much and no more, then hang up."""
    from dwebsocket.backends.sockets import reader

    monkeypatch.setattr(reader, "MAX_DISCARDED", 100_000)
    websocket, peer = open_pair(WEBSOCKET_CLOSE_TIMEOUT=TIMEOUT)
    flood = build_frame(TEXT, "x" * 50_000)
    started = time.monotonic()
    closer = threading.Thread(target=websocket.close)
    closer.start()
    assert peer.read_close().close_code == 1000
    with pytest.raises(OSError, match=r"(?i)broken pipe|reset"):
        peer.send_bytes(flood * 1000)
    closer.join(TIMEOUT)
    assert time.monotonic() - started < TIMEOUT
    assert websocket.closed


def test_after_a_breach_our_close_arrives_although_more_comes(pair):
    """Closing with unread input would tear the Close away from the peer."""
    websocket, peer = pair
    peer.send_bytes(build_frame(TEXT, "x", masked=False) + b"y" * 100_000)
    assert websocket.wait() is None
    closer = threading.Thread(target=websocket.close)
    closer.start()
    assert peer.read_close().close_code == 1002
    assert peer.read_to_eof() == b""
    peer.hang_up()
    closer.join(TIMEOUT)
    assert not closer.is_alive()
