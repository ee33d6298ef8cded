"""Headers that want to become more than headers: in our answer, in the log, in memory."""

import re

import pytest

from ..raw_client import KEY, build_request

# Bytes that end a line for somebody, and a line that goes on (obs-fold, RFC 9112, 5.2).
BREAKS = {"cr": b"\r", "lf": b"\n", "nul": b"\0", "fold": b"\r\n ", "escape": b"\x1b[31m"}
VALUES = {
    "Sec-WebSocket-Protocol": b"chat",
    "Sec-WebSocket-Extensions": b"permessage-deflate",
    "Sec-WebSocket-Key": KEY.encode(),
    "Origin": b"https://trusted.test",
}
# What a control character of a header may not become, anywhere in the answer's head or the log.
INJECTED = re.compile(rb"^\s*X-Injected:", re.M | re.I)


def build_with(client, path, *lines):
    """A handshake with further header lines; they stand behind the usual ones."""
    replaced = {line.partition(b":")[0].decode(): None for line in lines}
    replaced.pop("X-Long", None)
    request = build_request(path, client.host, headers=replaced)
    return request[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def read_answer(client):
    """The answer's head, or nothing if the server hung up without one."""
    try:
        return client.read_head()
    except EOFError:
        return b""


def status_of(head):
    return int(head.split(b" ", 2)[1]) if head else None


def our_lines(server, mark):
    """What dwebsocket wrote into the log; some servers colour what they write themselves."""
    lines = server.log.text(mark).splitlines()
    return [line for line in lines if "dwebsocket.handshake" in line]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("characters", BREAKS)
def test_line_breaks_in_a_header(server, meter, new_client, address, name, characters):
    mark = server.log.mark()
    client = new_client()
    value = VALUES[name] + BREAKS[characters] + b"X-Injected: yes"
    with meter.bounds(seconds=20):
        line = f"{name}: ".encode() + value
        client.send_bytes(build_with(client, address("/subprotocols/"), line))
        head = read_answer(client)
    assert status_of(head) in (None, 101, 400, 403)
    assert not INJECTED.search(head)
    assert not re.search(rb"[\0\x1b]|\r(?!\n)|(?<!\r)\n", head)
    assert not re.search(r"^\s*X-Injected", server.log.text(mark), re.M)
    assert not re.search(r"[\0\x1b]", "".join(our_lines(server, mark)))


def test_line_breaks_in_the_path(server, meter, new_client, address, case):
    """Nobody writes a line of his own into the log by what he asks for."""
    mark = server.log.mark()
    client = new_client()
    path = address("/ending/x%0aERROR%20forged%1b%5b31m/")
    with meter.bounds(seconds=20):
        client.send_request(path, headers={"Origin": "http://evil.test"})
        assert client.read_response().status == 403
        server.log.wait_for(r"WebSocket refused with 403", since=mark)
    assert not re.search(r"^ERROR forged", server.log.text(mark), re.M)
    assert "\x1b" not in "".join(our_lines(server, mark))


def skip_if_only_the_last_is_shown(row):
    if row.package == "cheroot":
        pytest.skip("cheroot shows the application only the last of two headers")


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        pytest.param([b"Sec-WebSocket-Key: " + KEY.encode()] * 2, {400}, id="two-keys"),
        pytest.param([b"Sec-WebSocket-Version: 13"] * 2, {400, 426}, id="two-versions"),
        pytest.param(
            [b"Origin: https://trusted.test", b"Origin: http://evil.test"],
            {400, 403},
            id="two-origins",
        ),
        pytest.param(
            [b"Origin: http://evil.test", b"Origin: https://trusted.test"],
            {400, 403},
            id="two-origins-evil-first",
        ),
        pytest.param([b"Upgrade: websocket", b"Upgrade: h2c"], {400}, id="two-upgrades"),
    ],
)
def test_duplicate_headers(row, meter, new_client, address, journal, case, lines, statuses):
    skip_if_only_the_last_is_shown(row)
    if row.package == "hypercorn" and b"Upgrade: h2c" in lines:
        pytest.skip("hypercorn upgrades it to HTTP/2")
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_bytes(build_with(client, address("/echo/"), *lines))
        assert status_of(client.read_head()) in statuses
    assert not journal.events(case, "started")


@pytest.mark.parametrize("evil_first", [True, False])
def test_two_hosts(row, meter, new_client, address, journal, case, evil_first):
    """A second Host does not make another site's page one of ours."""
    skip_if_only_the_last_is_shown(row)
    client = new_client()
    hosts = [f"Host: {client.host}".encode(), b"Host: evil.test"]
    lines = [*(reversed(hosts) if evil_first else hosts), b"Origin: http://evil.test"]
    with meter.bounds(seconds=20):
        client.send_bytes(build_with(client, address("/echo/"), *lines))
        assert status_of(client.read_head()) in (400, 403)
    assert not journal.events(case, "started")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"X-Long: " + b"x" * 65536, id="any"),
        pytest.param(b"Sec-WebSocket-Key: " + b"A" * 65536, id="key"),
        pytest.param(b"Sec-WebSocket-Protocol: " + b"a, " * 20000 + b"a", id="protocol"),
        pytest.param(b"Sec-WebSocket-Protocol: " + b"," * 60000 + b"a", id="commas"),
        pytest.param(
            b"Sec-WebSocket-Extensions: " + b"permessage-deflate; x=1, " * 2500 + b"a", id="offers"
        ),
        pytest.param(b"Origin: http://" + b"e" * 60000, id="origin"),
        pytest.param(b"Connection: Upgrade" + b", x" * 20000, id="connection"),
    ],
)
def test_64_kibibyte_headers(row, server, meter, new_client, address, line):
    """Some servers refuse such a header; where it reaches us it costs no more than its length."""
    mark = server.log.mark()
    client = new_client()
    with meter.bounds(seconds=20):
        client.send_bytes(build_with(client, address("/echo/"), line))
        if "length" in row.checks:
            client.hang_up()
            return
        head = read_answer(client)
    assert status_of(head) in (None, 101, 400, 403, 414, 431)
    assert len(head) < 4096
    assert all(len(line) < 4096 for line in our_lines(server, mark))
