"""permessage-deflate against ``websockets``: what one compresses the other reads, however cut."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions import ClientExtensionFactory
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import build_extension, parse_extension
from websockets.protocol import State
from websockets.uri import parse_uri

from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import TAIL, PerMessageDeflate, negotiate
from dwebsocket.protocol.frames import RSV1, build_frame_header

from ..protocol.feeding import Received, frame
from .peers import by_websockets, outcome_of
from .streams import any_payloads, compressed, pieces, split
from .wire import BINARY, CONT, PING, TEXT

MAX_SIZE = 1 << 17
bits = st.none() | st.integers(9, 15)
takeovers = pytest.mark.parametrize("takeover", [False, True])


def connect(
    factory: ClientExtensionFactory, takeover: bool
) -> tuple[ClientProtocol, PerMessageDeflate]:
    """A client of ``websockets`` and our extension, agreed by their headers alone."""
    offer = build_extension([(factory.name, factory.get_request_params())])
    answer, deflate = negotiate(offer, context_takeover=takeover)
    assert answer is not None
    assert deflate is not None
    ((_name, agreed),) = parse_extension(answer)
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    protocol.extensions = [factory.process_response_params(agreed, [])]
    return protocol, deflate


def receive(deflate: PerMessageDeflate, written: list[bytes], max_size: int) -> Received:
    received = Received(max_size)
    received.connection = ServerConnection(max_size, deflate)
    for piece in written:
        received.feed(piece)
    return received


factories = st.builds(
    ClientPerMessageDeflateFactory,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=bits,
    client_max_window_bits=bits | st.just(True),
)
contents = st.lists(
    st.text(max_size=100).map(lambda text: text * 9) | st.binary(max_size=100), max_size=4
)


@takeovers
@given(data=st.data(), factory=factories, messages=contents)
def test_we_read_what_a_client_compresses(takeover, data, factory, messages):
    protocol, deflate = connect(factory, takeover)
    for message in messages:
        send_fragments(protocol, message, data.draw(st.integers(0, 20)))
    written = b"".join(protocol.data_to_send())
    received = receive(deflate, data.draw(pieces(written)), MAX_SIZE)
    assert received.messages == messages


def send_fragments(protocol: ClientProtocol, message: str | bytes, cut: int) -> None:
    payload = message if isinstance(message, bytes) else message.encode()
    first, second = split(payload, [min(cut, len(payload))])
    send = protocol.send_binary if isinstance(message, bytes) else protocol.send_text
    send(first, fin=False)
    protocol.send_ping(b"between")
    protocol.send_continuation(second, fin=True)


@takeovers
@given(factory=factories, payloads=st.lists(any_payloads, max_size=4))
def test_client_reads_what_we_compress(takeover, factory, payloads):
    protocol, deflate = connect(factory, takeover)
    for payload in payloads:
        compressed = deflate.compress(payload)
        header = bytearray(build_frame_header(BINARY, len(compressed)))
        header[0] |= RSV1
        protocol.receive_data(bytes(header) + compressed)
    assert [bytes(event.data) for event in protocol.events_received()] == payloads
    assert protocol.parser_exc is None


def agreed(takeover: bool) -> PerMessageDeflate:
    _answer, deflate = negotiate("permessage-deflate", context_takeover=takeover)
    assert deflate is not None
    return deflate


@takeovers
@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 1002, 100_000])
def test_limit_is_of_the_message_and_not_of_its_compressed_form(takeover, size):
    whole = frame(BINARY, compressed(bytes(size)), rsv=4)
    for written in ([whole], [whole[index : index + 1] for index in range(len(whole))]):
        received = receive(agreed(takeover), written, 1000)
        if size <= 1000:
            assert received.messages == [bytes(size)]
        else:
            assert received.connection.failure is not None
            assert received.connection.failure.code == 1009


@takeovers
@given(data=st.data(), payload=any_payloads)
def test_mutilated_compressed_message_gets_one_verdict_however_cut(takeover, data, payload):
    """Where it breaks two rules, the cut may decide which is named: 1007 or 1009."""
    body = bytearray(compressed(payload * 3))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(body)))
    stream = (
        frame(TEXT, bytes(body[:cut]), fin=False, rsv=4)
        + frame(PING, b"?")
        + frame(CONT, bytes(body[cut:]))
        + frame(BINARY, b"next")
    )
    results = []
    for written in ([stream], data.draw(pieces(stream)), split(stream, range(1, len(stream)))):
        received = receive(agreed(takeover), written, 1000)
        failure = received.connection.failure
        assert failure is None or failure.code in (1007, 1009)
        results.append((received.messages, failure is None))
    assert results[0] == results[1] == results[2]


BEFORE = {
    "first": b"",
    "inside text": frame(TEXT, b"a", fin=False),
    "inside compressed text": frame(TEXT, compressed(b"a") + TAIL, fin=False, rsv=4),
    "after a compressed message": frame(TEXT, compressed(b"a"), rsv=4),
}


@pytest.mark.parametrize("before", BEFORE)
def test_every_first_byte_gets_the_verdict_of_websockets(before):
    """RSV1 belongs to the first frame of a message, and to no control frame (RFC 7692, 6)."""
    for first in range(256):
        if before.startswith("inside") and first == 0x88:
            continue  # a known difference: websockets fails on a Close between fragments
        # The payload is a good Ping, and an empty block for what is compressed.
        stream = BEFORE[before] + bytes([first, 0x81]) + b"mask" + b"m"
        theirs = ServerPerMessageDeflateFactory().process_request_params([], [])[1]
        ours = outcome_of(receive(agreed(False), [stream], 1000))
        assert ours == by_websockets([stream], 1000, [theirs]), hex(first)


@takeovers
@pytest.mark.parametrize("first", [0, 1, MAX_SIZE])
def test_bomb_is_stopped_before_it_grows(takeover, first):
    """Also where what came before left room for nothing more."""
    bomb = compressed(bytes(64 << 20))
    start = frame(BINARY, compressed(bytes(first)) + TAIL, fin=False, rsv=4)
    deflate = agreed(takeover)
    tracemalloc.start()
    try:
        received = receive(deflate, [start, frame(CONT, bomb)], MAX_SIZE)
        _held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received.connection.failure is not None
    assert received.connection.failure.code == 1009
    assert peak < 1 << 20


@takeovers
def test_final_block_ends_a_message(takeover):
    """RFC 7692, 7.2.3.4, and its example."""
    example = bytes.fromhex("f3 48 cd c9 c9 07 00 00")
    received = receive(agreed(takeover), [frame(TEXT, example, rsv=4) * 2], 1000)
    assert received.messages == ["Hello", "Hello"]
