"""Lengths, counts and compression ratios that would cost more than they should."""

import os
import struct
import zlib

import pytest

from ..raw_client import BINARY, CONT, PING, TEXT, build_frame
from .flood import send_until_refused
from .measure import MIB

MAX_MESSAGE_SIZE = 2_621_440  # Django's DATA_UPLOAD_MAX_MEMORY_SIZE
COMPRESSED = {"headers": {"Sec-WebSocket-Extensions": "permessage-deflate"}}
COUNT = 1_000_000
BLOCK = 1000


@pytest.mark.parametrize(
    ("length", "code"), [(1 << 63, 1002), ((1 << 64) - 1, 1002), (1 << 62, 1009)]
)
def test_announced_length(meter, open_websocket, journal, case, length, code):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_bytes(struct.pack("!BBQ", 0x82, 0xFF, length) + os.urandom(4 + 1000))
        assert client.read_close().close_code == code
        assert journal.wait(case, "ended")["close_code"] == code
    assert client.read_to_eof() == b""


def test_a_million_empty_fragments(meter, open_websocket):
    client = open_websocket("/echo/")
    fragments = build_frame(CONT, b"", fin=False) * BLOCK
    with meter.bounds(seconds=10, clock=meter.processor_time):
        client.send_frame(TEXT, "begin ", fin=False)
        for _ in range(COUNT // BLOCK):
            client.send_bytes(fragments)
        client.send_frame(CONT, "end")
        assert client.read_past_pings(timeout=60).payload == b"begin end"


def test_a_million_pings_without_reading_the_pongs(meter, open_websocket, journal, case):
    """The Pongs that the peer does not take are not kept for it without end."""
    # Its buffer stays as it is: one that shrinks makes Linux drop what acknowledges its own data.
    client = open_websocket("/echo/")
    pings = build_frame(PING, os.urandom(125)) * BLOCK
    with meter.bounds(seconds=10, clock=meter.processor_time):
        send_until_refused(client, (pings for _ in range(COUNT // BLOCK)))
        client.hang_up()
        journal.wait(case, "ended", timeout=60)


def test_a_client_that_never_reads(meter, open_websocket, journal, case):
    client = open_websocket("/flood/")
    with meter.bounds(seconds=20):
        ended = journal.wait(case, "ended")
    assert (ended["outcome"], ended["close_code"]) == ("ConnectionClosed", 1006)
    client.hang_up()


def test_a_handlers_client_that_never_reads(meter, open_websocket, journal, case):
    client = open_websocket("/handler/flood/")
    with meter.bounds(seconds=20):
        client.send_text("1000000000")
        assert journal.wait(case, "flooded")["sent"] < 20_000_000
        assert journal.wait(case, "ended")["close_code"] == 1013
    client.hang_up()


def deflate(data, flush=zlib.Z_SYNC_FLUSH):
    encoder = zlib.compressobj(level=9, wbits=-15)
    return encoder.compress(data) + encoder.flush(flush)


def build_bomb():
    """A mebibyte that becomes a gibibyte: one flushed block again and again."""
    return deflate(bytes(MIB), zlib.Z_FULL_FLUSH) * 1024


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_compression_bomb(meter, open_websocket, journal, case, opcode):
    bomb = build_bomb()
    assert len(bomb) < MAX_MESSAGE_SIZE
    client = open_websocket("/echo/", **COMPRESSED)
    with meter.bounds(seconds=20):
        send_until_refused(client, [build_frame(opcode, bomb, rsv=4)])
        assert client.read_close().close_code == 1009
        assert journal.wait(case, "ended")["close_code"] == 1009


def test_compression_bomb_in_fragments(meter, open_websocket, journal, case):
    """Each fragment becomes a mebibyte, and the third is one too many."""
    client = open_websocket("/echo/", **COMPRESSED)
    piece = deflate(bytes(MIB), zlib.Z_FULL_FLUSH)
    assert len(piece) < 2000
    with meter.bounds(seconds=20):
        client.send_frame(BINARY, piece, fin=False, rsv=4)
        client.send_frame(CONT, piece, fin=False)
        client.send_frame(CONT, piece, fin=False)
        assert client.read_close().close_code == 1009
        assert journal.wait(case, "ended")["close_code"] == 1009


def test_fragments_behind_the_final_compressed_block(meter, open_websocket, journal, case):
    """DEFLATE has an end of its own; what follows it is no message."""
    client = open_websocket("/echo/", **COMPRESSED)
    behind = build_frame(CONT, os.urandom(65536), fin=False)
    with meter.bounds(seconds=20):
        client.send_frame(TEXT, deflate(b"hi", zlib.Z_FINISH), fin=False, rsv=4)
        taken = send_until_refused(client, (behind for _ in range(400)))
        assert taken < 400 * len(behind)
        assert journal.wait(case, "ended")["close_code"] in (1007, 1009)


def test_control_frame_of_126_bytes(meter, open_websocket, journal, case):
    client = open_websocket("/echo/")
    with meter.bounds(seconds=20):
        client.send_frame(PING, bytes(126))
        assert client.read_close().close_code == 1002
        assert journal.wait(case, "ended")["close_code"] == 1002
