"""send, send_json, ping."""

import datetime
import decimal
import json
import threading
import uuid

import pytest

from dwebsocket import ConnectionClosed

from ...raw_client import BINARY, PING, PONG, TEXT, Frame, build_close
from ..site import TIMEOUT

SIZES = [0, 1, 125, 126, 8192, 8193, 65535, 65536, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_sizes(pair, size):
    websocket, peer = pair
    sender = threading.Thread(target=websocket.send, args=["x" * size])
    sender.start()
    assert peer.read_frame() == Frame(TEXT, b"x" * size)
    sender.join(TIMEOUT)


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        ("text", Frame(TEXT, b"text")),
        ("\u20ac\U0001f600", Frame(TEXT, "\u20ac\U0001f600".encode())),
        (b"bytes", Frame(BINARY, b"bytes")),
        (bytearray(b"array"), Frame(BINARY, b"array")),
        (memoryview(b"a view")[2:], Frame(BINARY, b"view")),
        (memoryview(b"a-b-c-")[::2], Frame(BINARY, b"abc")),
    ],
)
def test_types(pair, message, frame):
    websocket, peer = pair
    assert websocket.send(message) is None
    assert peer.read_frame() == frame


class Text(str):
    __slots__ = ()


def test_a_subclass_of_str_is_text(pair):
    websocket, peer = pair
    websocket.send(Text("safe"))
    assert peer.read_frame() == Frame(TEXT, b"safe")


@pytest.mark.parametrize("wrong", [None, 5, 1.5, {}, ["a"], ("a",), object()])
def test_other_types_are_a_type_error_that_helps(pair, wrong):
    websocket, peer = pair
    with pytest.raises(TypeError, match=rf"not {type(wrong).__name__}; send_json"):
        websocket.send(wrong)
    websocket.send("the connection lives")
    assert peer.read_text() == "the connection lives"


def test_send_json_writes_what_django_writes(pair):
    websocket, peer = pair
    value = {
        "when": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "price": decimal.Decimal("1.10"),
        "id": uuid.UUID(int=1),
        "nothing": None,
    }
    websocket.send_json(value)
    assert json.loads(peer.read_text()) == {
        "when": "2024-01-02T03:04:05Z",
        "price": "1.10",
        "id": "00000000-0000-0000-0000-000000000001",
        "nothing": None,
    }
    with pytest.raises(TypeError):
        websocket.send_json(object())


def test_lone_surrogates_cannot_be_sent(pair):
    websocket, peer = pair
    with pytest.raises(UnicodeEncodeError):
        websocket.send("\ud800")
    websocket.send("fine")
    assert peer.read_text() == "fine"


@pytest.mark.parametrize(
    "send",
    [
        lambda websocket: websocket.send("x"),
        lambda websocket: websocket.send(b"x" * 10_000),
        lambda websocket: websocket.send_json({}),
        lambda websocket: websocket.ping(),
    ],
)
def test_sending_after_the_end_raises(pair, send):
    websocket, peer = pair
    peer.send_close(4000, "bye")
    assert websocket.closed
    with pytest.raises(ConnectionClosed) as caught:
        send(websocket)
    assert (caught.value.code, caught.value.reason) == (4000, "bye")


def test_a_push_loop_notices_that_the_peer_is_gone(pair):
    websocket, peer = pair

    def push():
        for _ in range(10_000):
            websocket.send("tick")

    peer.hang_up()
    with pytest.raises(ConnectionClosed) as caught:
        push()
    assert caught.value.code == 1006


def test_frames_of_many_threads_do_not_mix(pair):
    websocket, peer = pair
    messages = [
        letter * size for letter, size in zip("abcd", [10, 200, 20_000, 300_000], strict=True)
    ]

    def send(message):
        for _ in range(10):
            websocket.send(message)

    threads = [threading.Thread(target=send, args=[message]) for message in messages]
    for thread in threads:
        thread.start()
    got = [peer.read_text(TIMEOUT) for _ in range(40)]
    for thread in threads:
        thread.join(TIMEOUT)
    assert sorted(got) == sorted(message for message in messages for _ in range(10))


def test_a_peer_that_does_not_read_is_dropped(open_pair):
    websocket, _ = open_pair(WEBSOCKET_SEND_TIMEOUT=0.1)
    with pytest.raises(ConnectionClosed) as caught:
        websocket.send(b"x" * 10_000_000)
    assert caught.value.code == 1006
    assert "sending failed" in caught.value.reason
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert websocket.closed
    assert websocket.wait() is None


@pytest.mark.parametrize("data", [b"", b"payload", "text", bytearray(b"x" * 125)])
def test_ping(pair, data):
    websocket, peer = pair
    websocket.ping(data)
    payload = data.encode() if isinstance(data, str) else bytes(data)
    assert peer.read_frame() == Frame(PING, payload)
    peer.send_frame(PONG, payload)
    peer.send_text("pongs are not messages")
    assert websocket.wait() == "pongs are not messages"


def test_ping_too_long(pair):
    websocket, _ = pair
    for data in (b"x" * 126, "\u20ac" * 42):
        with pytest.raises(ValueError, match="at most 125 bytes, this is 126"):
            websocket.ping(data)


def test_answers_to_what_came_before_a_close_still_leave(pair):
    websocket, peer = pair
    peer.send_bytes(b"".join([*(_text(n) for n in "ab"), build_close()]))
    for message in websocket:
        websocket.send(message.upper())
    assert [peer.read_text(), peer.read_text()] == ["A", "B"]
    assert peer.read_close().close_code == 1000


def _text(text):
    from ...raw_client import build_frame

    return build_frame(TEXT, text)
