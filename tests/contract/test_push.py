"""Views that send and never look: they end soon after their client has gone."""

import time

import pytest

from ..raw_client import CLOSE, TEXT

# These views sleep.
pytestmark = pytest.mark.rows(patched=True, thorough=True)

# How the client leaves, and whether a message of it lies unread before.
WAYS = [(leave, unread) for leave in ("close", "hang_up", "reset") for unread in (False, True)]
# A second until send() looks at the socket, the rest for a busy machine; a Ping comes after 20.
SOON = 10


@pytest.mark.parametrize("path", ["/push/", "/push/connected/"])
def test_view_ends_soon_after_its_client(server, row, new_client, journal, case, path):
    """All ways at once where the server can: the view's second is waited for only once."""
    groups = [WAYS] if row.concurrent else [[way] for way in WAYS]
    for group in groups:
        clients = {}
        for leave, unread in group:
            name = f"{case}-{leave}-{unread}"
            clients[name] = client = new_client()
            client.open(f"{path}?case={name}")
            assert client.read_frame().opcode == TEXT
            if unread:
                client.send_text("never read")
            go(client, leave)
        deadline = time.monotonic() + SOON
        for name in clients:
            timeout = deadline - time.monotonic()
            ended = journal.wait(name, "ended", timeout=max(timeout, 0.01))
            expected = {row.heard(4001)[0]} if "-close-" in name else row.vanished
            assert ended["close_code"] in expected, name


def go(client, leave):
    if leave == "close":
        client.send_close(4001)
    else:
        getattr(client, leave)()


def test_push_view_answers_the_close(server, row, open_websocket):
    client = open_websocket("/push/")
    assert client.read_text() == "tick"
    client.send_close(4001)
    deadline = time.monotonic() + SOON
    while (frame := client.read_frame()).opcode != CLOSE:
        assert frame.payload == b"tick"
        assert time.monotonic() < deadline
    assert frame.close_code == row.answered(4001)
    assert client.read_to_eof() == b""


@pytest.mark.rows(paces=True)
def test_client_that_does_not_read(tuned_server, new_client, address, journal, case):
    """The view's send() fails after WEBSOCKET_SEND_TIMEOUT, which is 1 second here."""
    client = new_client(tuned_server)
    client.open(address("/flood/"))
    ended = journal.wait(case, "ended", timeout=10)
    assert ended["outcome"] == "ConnectionClosed"
