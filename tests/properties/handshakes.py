"""Handshake requests, good and bad, for us and for ``websockets`` to judge."""

from __future__ import annotations

import base64
from typing import NamedTuple

from hypothesis import strategies as st

from dwebsocket.protocol.handshake import HandshakeRequest

# What may stand in a header's value (RFC 9110, 5.5); servers refuse the rest before we see it.
value_characters = st.characters(max_codepoint=0xFF, exclude_categories=["Cc"]) | st.just("\t")
junk = st.text(value_characters, max_size=12)
spaces = st.sampled_from(["", "", " ", "\t", " \t "])
keys = st.binary(min_size=16, max_size=16).map(lambda raw: base64.b64encode(raw).decode())
tokens = st.sampled_from(["chat", "Chat", "super.chat", "v1", "a", "x-y_z", "keep-alive", "h2c"])


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A comma-separated list with the freedom RFC 9110, 5.6.1 gives a sender, and a bit more."""
    commas = st.tuples(spaces, st.sampled_from([",", ",", ",,", ", ,", ";"]), spaces).map("".join)
    pairs = st.lists(st.tuples(items, commas), max_size=2)
    return st.builds(
        lambda pairs, last: "".join(item + comma for item, comma in pairs) + last, pairs, items
    )


class Fields(NamedTuple):
    """The lines of a request, each header with the values of all its lines."""

    method: str
    protocol: str
    headers: dict[str, list[str]]
    content_length: str | None


connections = listed(tokens | st.sampled_from(["Upgrade", "upgrade", "UPGRADE"]))
upgrades = listed(st.sampled_from(["websocket", "WebSocket", "websocket/13", "h2c"]))
versions = st.sampled_from(["13", "8", "7, 13", "013", "13.0", "+13", "\xa013", "13\x85", ""])
good_lists = st.builds("{}, Upgrade{}".format, tokens, spaces)
bad_keys = st.one_of(
    st.binary(max_size=18).map(lambda raw: base64.b64encode(raw).decode()),
    keys.map(lambda key: key[:-1]),
    keys.map(lambda key: key + "="),
    keys.map(lambda key: key[:5] + " " + key[5:]),
    keys.map(lambda key: key[:5] + "=" + key[6:]),
    keys.map(lambda key: key.replace(key[0], "-")),
)


def sometimes_padded(value: str) -> st.SearchStrategy[list[str]]:
    return st.builds("{}{}{}".format, spaces, st.just(value), spaces).map(lambda line: [line])


@st.composite
def fields(draw: st.DrawFn) -> Fields:
    """A good request, but for one header that may be anything, and at times one more."""
    good = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": draw(keys),
    }
    others = {
        "Connection": connections | good_lists | junk,
        "Upgrade": upgrades | junk,
        "Sec-WebSocket-Version": versions | junk,
        "Sec-WebSocket-Key": bad_keys | keys | junk,
        "Sec-WebSocket-Protocol": listed(tokens) | junk,
    }
    headers = {name: draw(sometimes_padded(value)) for name, value in good.items()}
    for name in draw(st.lists(st.sampled_from(list(others)), max_size=2)):
        line = others[name]
        lines = st.lists(line | st.just(good[name]) if name in good else line, max_size=2)
        headers[name] = draw(st.tuples(line).map(list) | lines)
    return Fields(
        method=draw(st.sampled_from(["GET"] * 12 + ["POST", "get", "CONNECT"])),
        protocol=draw(st.sampled_from(["HTTP/1.1"] * 12 + ["HTTP/1.0", "HTTP/2.0"])),
        headers=headers,
        content_length=draw(st.sampled_from([None] * 12 + ["0", "5"])),
    )


def as_wsgi(given: Fields) -> HandshakeRequest:
    """As a WSGI server passes it on: values stripped, lines of one name joined by commas."""
    return HandshakeRequest(
        method=given.method,
        protocol=given.protocol,
        headers={
            name.lower(): ",".join(line.strip(" \t") for line in lines)
            for name, lines in given.headers.items()
            if lines
        },
        has_body=given.content_length not in (None, "0"),
    )


def as_bytes(given: Fields) -> bytes:
    lines = [f"{given.method} / {given.protocol}"]
    if given.content_length is not None:
        lines.append(f"Content-Length: {given.content_length}")
    for name, values in given.headers.items():
        lines += [f"{name}: {value}" for value in values]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
