"""Clients that flood who answers them, and are gone."""

import pytest

from ..raw_client import TEXT, build_frame

pytestmark = pytest.mark.rows(asgi=True, typical=True)

FLOOD = build_frame(TEXT, "x" * 10) * 2000
CLIENTS = 20


@pytest.mark.parametrize(
    "path", ["/echo/", "/handler/echo/", "/async/echo/", "/async/handler/echo/"]
)
def test_nothing_is_written_to_who_has_gone(server, new_client, journal, case, path):
    """asyncio warns of each write to a connection that is lost."""
    since = server.log.mark()
    for _ in range(CLIENTS):
        client = new_client()
        client.open(f"{path}?case={case}")
        client.shrink_receive_buffer(1024)
        client.send_bytes(FLOOD)
        client.reset()
    journal.wait(case, "ended", count=CLIENTS, timeout=20)
    assert "socket.send() raised exception" not in server.log.text(since)
