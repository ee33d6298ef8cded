"""Any handshake request: accepted or refused as ``websockets`` does; any answer: well formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from websockets.exceptions import NegotiationError
from websockets.http11 import Request
from websockets.server import ServerProtocol

from dwebsocket.protocol.exceptions import InvalidHandshake, UnsupportedVersion
from dwebsocket.protocol.handshake import (
    HandshakeRequest,
    build_response,
    check_request,
    select_subprotocol,
)

from .handshakes import Fields, as_bytes, as_wsgi, fields, keys

SUPPORTED = ["super.chat", "chat", "v1"]


class Answer(NamedTuple):
    """What becomes of a request: the two headers of a 101, or why not."""

    accept: str | None
    subprotocol: str | None
    error: Exception | None


def by_dwebsocket(request: HandshakeRequest) -> Answer:
    try:
        key = check_request(request)
        offered = request.headers.get("sec-websocket-protocol")
        subprotocol = select_subprotocol(offered, SUPPORTED)
    except InvalidHandshake as error:
        return Answer(None, None, error)
    return Answer(read_header(build_response(key), "Sec-WebSocket-Accept"), subprotocol, None)


def by_websockets(data: bytes) -> Answer:
    protocol = ServerProtocol(subprotocols=SUPPORTED)  # type: ignore[arg-type]
    protocol.receive_data(data)
    requests = protocol.events_received()
    if not requests:
        return Answer(None, None, protocol.handshake_exc)
    assert isinstance(requests[0], Request)
    try:
        response = protocol.accept(requests[0])
    except UnicodeEncodeError:  # releases before 17 stumble while they word their refusal
        return Answer(None, None, protocol.handshake_exc)
    if response.status_code != 101:
        return Answer(None, None, protocol.handshake_exc)
    headers = response.headers
    return Answer(headers["Sec-WebSocket-Accept"], headers.get("Sec-WebSocket-Protocol"), None)


def read_header(response: bytes, name: str) -> str:
    (line,) = [line for line in response.decode().split("\r\n") if line.startswith(f"{name}: ")]
    return line.partition(": ")[2]


class KnownDifference(NamedTuple):
    section: str
    reason: str
    applies: Callable[[Fields, Answer, Answer], bool]
    example: Fields


def empty_line_of_list(given: Fields, ours: Answer, theirs: Answer) -> bool:
    """One line of a list header is empty or blank, beside others or alone."""
    return ours.error is None and any(
        not line.strip(" \t,")
        for name in ("Connection", "Upgrade", "Sec-WebSocket-Protocol")
        for line in given.headers.get(name, [])
    )


def no_common_subprotocol(given: Fields, ours: Answer, theirs: Answer) -> bool:
    return (
        ours.error is None
        and ours.subprotocol is None
        and isinstance(theirs.error, NegotiationError)
    )


GOOD = {
    "Connection": ["Upgrade"],
    "Upgrade": ["websocket"],
    "Sec-WebSocket-Version": ["13"],
    "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
    "Sec-WebSocket-Protocol": ["chat"],
}

KNOWN_DIFFERENCES = [
    KnownDifference(
        "RFC 9110, 5.3 and 5.6.1.2",
        "lines of one name are one list, and its empty elements are ignored; websockets reads "
        "each line by itself and refuses an empty one",
        empty_line_of_list,
        Fields("GET", "HTTP/1.1", {**GOOD, "Connection": ["", "Upgrade"]}, None),
    ),
    KnownDifference(
        "RFC 6455, 4.2.2",
        "when there is no subprotocol in common the answer has none; websockets refuses",
        no_common_subprotocol,
        Fields("GET", "HTTP/1.1", {**GOOD, "Sec-WebSocket-Protocol": ["other"]}, None),
    ),
]


@given(given=fields())
@example(Fields("GET", "HTTP/1.1", {**GOOD, "Sec-WebSocket-Version": ["\xa013"]}, None))
@example(Fields("GET", "HTTP/1.1", {**GOOD, "Sec-WebSocket-Version": ["13\x85"]}, None))
@example(Fields("GET", "HTTP/1.1", {**GOOD, "Sec-WebSocket-Key": ["c2hvcnQ="]}, None))
def test_request_is_accepted_or_refused_as_websockets_does(given):
    ours, theirs = by_dwebsocket(as_wsgi(given)), by_websockets(as_bytes(given))
    event(f"ours: {ours.error and type(ours.error).__name__}")
    if ours[:2] == theirs[:2]:
        return
    known = [item for item in KNOWN_DIFFERENCES if item.applies(given, ours, theirs)]
    assert known, f"{given}: {ours} but {theirs}"
    event(f"known: {known[0].reason}")


@pytest.mark.parametrize("known", KNOWN_DIFFERENCES, ids=lambda known: known.applies.__name__)
def test_known_difference_is_one(known):
    given = known.example
    ours, theirs = by_dwebsocket(as_wsgi(given)), by_websockets(as_bytes(given))
    assert ours[:2] != theirs[:2]
    assert known.applies(given, ours, theirs)


@given(given=fields())
def test_refusal_has_a_status_and_says_why(given):
    error = by_dwebsocket(as_wsgi(given)).error
    if error is not None:
        assert isinstance(error, InvalidHandshake)
        assert error.status_code == (426 if isinstance(error, UnsupportedVersion) else 400)
        assert len(str(error)) > 10


any_text = st.text(max_size=30)
header_names = st.sampled_from(["Set-Cookie", "X-A"]) | any_text


@given(
    key=keys,
    subprotocol=st.none() | st.sampled_from(["chat"]) | any_text,
    headers=st.lists(st.tuples(header_names, any_text | st.just("a\r\nX-B: c")), max_size=3),
)
def test_answer_holds_the_headers_given_and_nothing_else(key, subprotocol, headers):
    try:
        response = build_response(key, subprotocol, headers)
    except ValueError:
        event("refused")
        return
    head, end, rest = response.partition(b"\r\n\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    _status, *lines = head.decode("latin-1").split("\r\n")
    assert not any({"\r", "\n", "\0"} & set(line) for line in lines)
    expected = list(headers)
    if subprotocol is not None:
        expected.insert(0, ("Sec-WebSocket-Protocol", subprotocol))
    found = [line.partition(": ") for line in lines[3:]]
    assert [(name, value) for name, _colon, value in found] == expected


@given(
    name=st.sampled_from(["X-A", "Set-Cookie"]),
    before=any_text,
    breaking=st.sampled_from(["\r", "\n", "\r\n", "\0", "\x0b", "\x1f", "\x7f"]),
    after=any_text,
)
def test_control_characters_are_refused_wherever_they_stand(name, before, breaking, after):
    text = before + breaking + after
    for headers, subprotocol in (([(name, text)], None), ([(text, "a")], None), ([], text)):
        with pytest.raises(ValueError, match=r"."):
            build_response("dGhlIHNhbXBsZSBub25jZQ==", subprotocol, headers)
