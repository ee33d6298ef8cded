"""What must hold for any bytes at all. The first byte of an input chooses the check."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable

from websockets.headers import parse_extension

from dwebsocket.protocol.connection import ServerConnection
from dwebsocket.protocol.deflate import negotiate
from dwebsocket.protocol.exceptions import InvalidHandshake, ProtocolError
from dwebsocket.protocol.handshake import (
    HandshakeRequest,
    build_response,
    check_request,
    select_subprotocol,
)
from tests.properties.known_differences import differences
from tests.properties.peers import PEERS
from tests.properties.streams import split
from tests.protocol.feeding import Received

LIMITS = (0, 1, 20, 125, 126, 300, 1000, 1 << 20)

OFFER = "permessage-deflate; client_max_window_bits"


def check(data: bytes) -> None:
    if len(data) >= 3:
        CHECKS[data[0] % len(CHECKS)](data[1], data[2], data[3:])


def feed(pieces: Iterable[bytes], max_size: int, takeover: bool | None) -> Received:
    """``takeover`` is that of permessage-deflate, ``None`` for none agreed on."""
    received = Received(max_size)
    if takeover is not None:
        _answer, deflate = negotiate(OFFER, context_takeover=takeover)
        received.connection = ServerConnection(max_size, deflate)
    for piece in pieces:
        received.feed(piece)
    return received


def check_frames(limit: int, cut: int, stream: bytes) -> None:
    """No exception, no message over the limit, and no difference however the stream is cut."""
    max_size = LIMITS[limit % len(LIMITS)]
    whole = feed([stream], max_size, None)
    check_messages(whole, max_size)
    assert feed(single_bytes(stream), max_size, None).outcome == whole.outcome
    halves = split(stream, [min(cut, len(stream))])
    assert feed(halves, max_size, None).outcome == whole.outcome


def single_bytes(stream: bytes) -> list[bytes]:
    return [stream[index : index + 1] for index in range(len(stream))]


def check_messages(received: Received, max_size: int) -> None:
    for message in received.messages:
        size = len(message) if isinstance(message, bytes) else len(message.encode())
        assert size <= max_size
    failure = received.connection.failure
    if failure is not None:
        assert isinstance(failure, ProtocolError)
        assert failure.code in (1002, 1007, 1009)
        assert len(failure.reason.encode()) <= 123


def check_compressed_frames(limit: int, takeover: int, stream: bytes) -> None:
    """As above, but where compressed data break two rules, the cut may decide which is named."""
    max_size = LIMITS[limit % len(LIMITS)]
    outcomes = []
    for pieces in ([stream], single_bytes(stream)):
        received = feed(pieces, max_size, bool(takeover & 1))
        check_messages(received, max_size)
        failure = received.connection.failure
        kind = failure and (failure.code in (1007, 1009) or (failure.code, failure.reason))
        outcomes.append((received.messages, received.replies, received.connection.close, kind))
    assert outcomes[0] == outcomes[1]


def check_peers(cut: int, _unused: int, stream: bytes) -> None:
    """The verdict of two other implementations, or a known difference."""
    if not stream:
        return
    pieces = [piece for piece in split(stream, [min(cut, len(stream))]) if piece]
    for peer in PEERS:
        case, known = differences(stream, pieces, peer)
        assert case.ours == case.theirs or known, (peer, case)


#: A message being assembled, with room for zlib's window and state (40 KiB), and for what the
#: traceback of a failure holds: its frames, which are larger under atheris, and the last batch.
MEMORY_LIMIT = 300
MEMORY_ALLOWED = 6 * MEMORY_LIMIT + (64 << 10)


def check_memory(start: int, compressed: int, stream: bytes) -> None:
    """The end of the stream, repeated for long, makes a connection hold no more than it may."""
    prefix, again = split(stream, [min(start, len(stream))])
    if not again:
        return
    received = feed([prefix], MEMORY_LIMIT, (None, False, True)[compressed % 3])
    batch = again * (4096 // len(again) + 1)
    tracemalloc.start()
    try:
        for _ in range(48):  # thrice what is allowed, in all
            received.feed(batch)
            received.messages.clear()
            received.replies.clear()
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < MEMORY_ALLOWED, held


FIELDS = ("connection", "upgrade", "sec-websocket-version", "sec-websocket-key")
SEPARATOR = "\x1e"
SUPPORTED = ("chat", "v1")


def check_handshake(present: int, takeover: int, data: bytes) -> None:
    """Accepted, or refused by an ``InvalidHandshake``; and the answer holds what was given."""
    values = iter(data.decode("latin-1").split(SEPARATOR))
    fields = {name: next(values, "") for index, name in enumerate(FIELDS) if present >> index & 1}
    offered, offer = next(values, ""), next(values, "")
    headers = list(zip(values, values, strict=False))
    request = HandshakeRequest("GET", "HTTP/1.1", fields, has_body=False)
    try:
        key = check_request(request)
        subprotocol = select_subprotocol(offered, SUPPORTED)
        answer, _deflate = negotiate(offer, context_takeover=bool(takeover & 1))
    except InvalidHandshake as refusal:
        check_refusal(refusal)
        return
    assert subprotocol is None or subprotocol in SUPPORTED
    assert answer is None or parse_extension(answer)
    check_answer(key, subprotocol, headers, answer)


def check_refusal(refusal: InvalidHandshake) -> None:
    assert refusal.status_code in (400, 426)
    assert str(refusal)


def check_answer(
    key: str, subprotocol: str | None, headers: list[tuple[str, str]], extensions: str | None
) -> None:
    try:
        response = build_response(key, subprotocol, headers, extensions)
    except ValueError:
        return
    fixed = 4 + (subprotocol is not None) + (extensions is not None)
    lines = response.decode("latin-1").split("\r\n")
    assert not any({"\r", "\n", "\0"} & set(line) for line in lines)
    assert lines[fixed:] == [f"{name}: {value}" for name, value in headers] + ["", ""]


CHECKS: list[Callable[[int, int, bytes], None]] = [
    check_frames,
    check_compressed_frames,
    check_peers,
    check_handshake,
    check_memory,
]
