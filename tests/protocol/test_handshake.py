"""The opening handshake: what passes, what is refused and with which words."""

from __future__ import annotations

import pytest

from dwebsocket.protocol.exceptions import InvalidHandshake, UnsupportedVersion
from dwebsocket.protocol.handshake import (
    HandshakeRequest,
    build_response,
    check_request,
    select_subprotocol,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": KEY,
}


def request(method="GET", protocol="HTTP/1.1", has_body=False, **headers):
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {**GOOD, **changed}
    kept = {name: value for name, value in merged.items() if value is not None}
    return HandshakeRequest(method, protocol, kept, has_body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"connection": "keep-alive, Upgrade"},
        {"connection": "UPGRADE"},
        {"upgrade": "WebSocket"},
        {"sec_websocket_key": f" {KEY} "},
    ],
)
def test_good_request_gives_its_key(headers):
    assert check_request(request(**headers)) == KEY


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "POST"}, "GET"),
        ({"protocol": "HTTP/1.0"}, "HTTP/1.1"),
        ({"protocol": "HTTP/2.0"}, "HTTP/1.1"),
        ({"has_body": True}, "body"),
        ({"connection": None}, "Connection"),
        ({"connection": "keep-alive"}, "proxy"),
        ({"connection": "Upgrade;"}, "Connection"),
        ({"upgrade": None}, "Upgrade"),
        ({"upgrade": "websocket, h2c"}, "Upgrade"),
        ({"sec_websocket_version": None}, "Sec-WebSocket-Version"),
        ({"sec_websocket_key": None}, "Sec-WebSocket-Key"),
        ({"sec_websocket_key": "short"}, "base64"),
        ({"sec_websocket_key": "c2hvcnQ="}, "16 bytes"),
        ({"sec_websocket_key": f"{KEY}, {KEY}"}, "base64"),
        ({"sec_websocket_key": "é" * 24}, "base64"),
    ],
)
def test_bad_request_is_refused_with_400_and_says_why(changes, words):
    with pytest.raises(InvalidHandshake, match=words) as caught:
        check_request(request(**changes))
    assert caught.value.status_code == 400


@pytest.mark.parametrize("version", ["8", "0", "14", "13, 8", "x"])
def test_other_versions_get_426_and_ours(version):
    with pytest.raises(UnsupportedVersion) as caught:
        check_request(request(sec_websocket_version=version))
    assert caught.value.status_code == 426
    assert caught.value.headers == {"Sec-WebSocket-Version": "13"}


def test_answer_is_the_rfc_example():
    assert build_response(KEY) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_answer_carries_subprotocol_and_headers():
    answer = build_response(KEY, "chat", [("Set-Cookie", "a=b; Path=/"), ("X-Say", "grüße")])
    assert answer.endswith(
        b"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b; Path=/\r\nX-Say: gr\xfc\xdfe\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Evil", "a\r\nX-Injected: b"),
        ("X-Evil", "a\nb"),
        ("X-Evil", "a\x00b"),
        ("X\r\nY", "a"),
        ("X: Y", "a"),
        ("", "a"),
        ("Ünicode", "a"),
        ("Upgrade", "h2c"),
        ("sec-websocket-accept", "x"),
        ("Content-Length", "1"),
    ],
)
def test_answer_refuses_headers_that_would_break_it(name, value):
    with pytest.raises(ValueError, match="header"):
        build_response(KEY, None, [(name, value)])


def test_answer_refuses_a_subprotocol_that_would_break_it():
    with pytest.raises(ValueError, match="subprotocol"):
        build_response(KEY, "chat\r\nX: y")


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        (None, ["chat"], None),
        ("chat", [], None),
        ("other", ["chat"], None),
        ("superchat, chat", ["chat", "superchat"], "chat"),
        ("CHAT", ["chat"], None),
    ],
)
def test_subprotocol_is_the_first_of_ours_that_is_offered(offered, supported, chosen):
    assert select_subprotocol(offered, supported) == chosen


def test_malformed_subprotocols_are_refused():
    with pytest.raises(InvalidHandshake, match="Sec-WebSocket-Protocol"):
        select_subprotocol("chat, @", ["chat"])
