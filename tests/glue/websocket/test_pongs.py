"""Pings are answered while something is read, and the answer leaves as soon as it can."""

import threading

import pytest

from ...raw_client import PING, PONG, TEXT, Frame, build_frame
from ..site import TIMEOUT, wait_until


@pytest.mark.parametrize(
    "look",
    [
        lambda websocket: websocket.read(),
        lambda websocket: websocket.has_messages(),
        lambda websocket: websocket.closed,
        lambda websocket: websocket.connected,
    ],
)
def test_every_look_answers(pair, look):
    websocket, peer = pair
    peer.send_frame(PING, b"payload")
    look(websocket)
    assert peer.read_frame() == Frame(PONG, b"payload")


def test_pongs_keep_their_order_and_place(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(PING, b"1") + build_frame(TEXT, "a") + build_frame(PING, b"2"))
    assert websocket.wait() == "a"
    websocket.send("b")
    assert [peer.read_frame() for _ in range(3)] == [
        Frame(PONG, b"1"),
        Frame(PONG, b"2"),
        Frame(TEXT, b"b"),
    ]


def fill(websocket):
    """Send a message that is too long for the socket, in a thread of its own."""
    sent = []

    def push():
        websocket.send("x" * 3_000_000)
        sent.append(True)

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    wait_until(lambda: not websocket._transport.wait_writable(0))
    return thread


@pytest.fixture
def waiting(pair):
    """The view waits for messages in a thread, as it does most of the time."""
    websocket, peer = pair
    got = []
    thread = threading.Thread(target=lambda: got.extend(websocket), daemon=True)
    thread.start()
    yield websocket, peer, got
    peer.hang_up()
    thread.join(TIMEOUT)


def test_a_ping_during_a_long_send_is_answered_after_it(waiting):
    websocket, peer, got = waiting
    sender = fill(websocket)
    peer.send_frame(PING, b"are you there")
    peer.send_text("behind the Ping")
    wait_until(lambda: got)  # so the Ping has been read, too, and could not be answered yet
    assert peer.read_frame(TIMEOUT).opcode == TEXT
    assert peer.read_frame() == Frame(PONG, b"are you there")
    sender.join(TIMEOUT)


def test_a_ping_while_the_socket_is_full_is_answered_when_it_is_not(waiting):
    websocket, peer, got = waiting
    full = build_frame(TEXT, b"x" * 1000, masked=False)
    taken = 0
    while sent := websocket._transport.try_send(full):
        taken += sent
    peer.send_frame(PING, b"are you there")
    peer.send_text("behind the Ping")
    wait_until(lambda: got)
    for _ in range(taken // len(full)):
        assert peer.read_frame().opcode == TEXT
    if rest := taken % len(full):
        websocket._transport.send(full[rest:], None)
    assert peer.read_frame() == Frame(PONG, b"are you there")
