"""permessage-deflate, when the client offers it (RFC 7692)."""

import threading
import zlib

import pytest

from ...raw_client import BINARY, TEXT, build_frame
from ..site import TIMEOUT

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
LONG = "a long message that is worth it. " * 100


def deflate(data):
    """One message, compressed by itself."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(payload, decompressor=None):
    decompressor = decompressor or zlib.decompressobj(wbits=-15)
    return decompressor.decompress(payload + b"\x00\x00\xff\xff")


@pytest.fixture
def compressed_pair(open_pair):
    return open_pair(offer=OFFER)


def extensions_of(peer):
    head = bytes(peer.received).split(b"\r\n\r\n")[0].decode().lower()
    return [line for line in head.split("\r\n") if line.startswith("sec-websocket-extensions:")]


def test_agreed_without_context(compressed_pair):
    [line] = extensions_of(compressed_pair[1])
    assert "permessage-deflate" in line
    assert "server_no_context_takeover" in line
    assert "client_no_context_takeover" in line


@pytest.mark.parametrize(
    ("message", "opcode"),
    [(LONG, TEXT), (LONG.encode(), BINARY), (bytearray(LONG.encode()), BINARY)],
)
def test_long_messages_leave_compressed(compressed_pair, message, opcode):
    websocket, peer = compressed_pair
    for _ in range(2):
        websocket.send(message)
        frame = peer.read_frame()
        assert (frame.opcode, frame.rsv, frame.fin) == (opcode, 4, True)
        assert inflate(frame.payload) == LONG.encode()


def test_short_messages_do_not(compressed_pair):
    websocket, peer = compressed_pair
    websocket.send("short")
    frame = peer.read_frame()
    assert (frame.rsv, frame.payload) == (0, b"short")


@pytest.mark.parametrize("text", ["short", LONG, ""])
def test_compressed_messages_arrive(compressed_pair, text):
    websocket, peer = compressed_pair
    peer.send_bytes(build_frame(TEXT, deflate(text.encode()), rsv=4))
    assert websocket.wait(TIMEOUT) == text


def test_a_compressed_message_in_fragments(compressed_pair):
    websocket, peer = compressed_pair
    data = deflate(LONG.encode())
    peer.send_bytes(build_frame(BINARY, data[:10], rsv=4, fin=False) + build_frame(0, data[10:]))
    assert websocket.wait(TIMEOUT) == LONG.encode()


def test_nothing_is_agreed_when_it_is_off(open_pair):
    websocket, peer = open_pair(offer=OFFER, WEBSOCKET_COMPRESSION=False)
    assert extensions_of(peer) == []
    websocket.send(LONG)
    assert peer.read_frame().rsv == 0


def test_with_context_takeover(open_pair):
    websocket, peer = open_pair(offer=OFFER, WEBSOCKET_COMPRESSION_CONTEXT_TAKEOVER=True)
    decompressor = zlib.decompressobj(wbits=-15)
    lengths = []
    for _ in range(2):
        websocket.send(LONG)
        frame = peer.read_frame()
        assert frame.rsv == 4
        assert inflate(frame.payload, decompressor) == LONG.encode()
        lengths.append(len(frame.payload))
    assert lengths[1] < lengths[0] / 2  # the second one leans on the first


def test_context_is_kept_in_the_order_of_sending(open_pair):
    websocket, peer = open_pair(offer=OFFER, WEBSOCKET_COMPRESSION_CONTEXT_TAKEOVER=True)
    messages = [f"{letter}{LONG}" for letter in "abcdefgh"]
    threads = [threading.Thread(target=websocket.send, args=[message]) for message in messages]
    for thread in threads:
        thread.start()
    decompressor = zlib.decompressobj(wbits=-15)
    found = [inflate(peer.read_frame().payload, decompressor).decode() for _ in messages]
    assert sorted(found) == messages


def test_what_grows_too_big_is_1009(open_pair):
    websocket, peer = open_pair(offer=OFFER, WEBSOCKET_MAX_MESSAGE_SIZE=10_000)
    peer.send_bytes(build_frame(TEXT, deflate(b"x" * 1_000_000), rsv=4))
    assert websocket.wait(TIMEOUT) is None
    assert websocket.close_code == 1009
    assert peer.read_close().close_code == 1009


def test_what_is_no_deflate_stream_fails_the_connection(compressed_pair):
    websocket, peer = compressed_pair
    peer.send_bytes(build_frame(TEXT, b"\xff\xff\xff\xff", rsv=4))
    assert websocket.wait(TIMEOUT) is None
    assert websocket.close_code == 1007
