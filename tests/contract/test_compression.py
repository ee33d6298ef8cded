"""permessage-deflate (RFC 7692), without context takeover."""

import zlib
from functools import cache

import pytest

from ..raw_client import BINARY, PING, PONG, TEXT, Frame

pytestmark = pytest.mark.rows(foreign=False)  # there the server compresses

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
LONG = "a compressible sentence, " * 200


@cache
def deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(data):
    return zlib.decompressobj(wbits=-15).decompress(data + b"\x00\x00\xff\xff")


def test_negotiation(server, new_client, address):
    response = new_client().open(address("/echo/"), headers=OFFER)
    chosen = response.headers["sec-websocket-extensions"].replace(" ", "").split(";")
    assert chosen[0] == "permessage-deflate"
    assert {"server_no_context_takeover", "client_no_context_takeover"} <= set(chosen[1:])


def test_compressed_messages(server, open_websocket, echo):
    client = open_websocket(echo.path, headers=OFFER)
    for _ in range(3):
        client.send_frame(TEXT, deflate(LONG.encode()), rsv=4)
        frame = client.read_frame()
        assert (frame.opcode, frame.rsv) == (TEXT, 4)
        assert inflate(frame.payload).decode() == LONG
        assert len(frame.payload) < len(LONG) / 10


def test_short_messages_are_not_compressed(server, open_websocket, echo):
    client = open_websocket(echo.path, headers=OFFER)
    client.send_frame(TEXT, deflate(b"short"), rsv=4)
    assert client.read_frame() == Frame(TEXT, b"short")
    client.send_text("not compressed by the client")
    assert client.read_text() == "not compressed by the client"
    client.send_frame(PING, b"never compressed")
    assert client.read_frame() == Frame(PONG, b"never compressed")


def test_bomb_is_refused(server, open_websocket, echo):
    client = open_websocket(echo.path, headers=OFFER)
    client.send_frame(BINARY, deflate(bytes(50 << 20)), rsv=4)
    assert client.read_close().close_code == 1009


def test_rubbish_is_refused(server, open_websocket, echo):
    client = open_websocket(echo.path, headers=OFFER)
    client.send_frame(BINARY, b"\xff" * 50, rsv=4)
    assert client.read_close().close_code in (1002, 1007)
