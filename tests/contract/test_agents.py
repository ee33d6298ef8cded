"""What Sentry reports of a client is that client's: its request, its user."""

import pytest

from ..raw_client import RawClient
from ..servers.rows import FEW

pytestmark = pytest.mark.rows(name=[*FEW, "gevent-unpatched", "gunicorn-gthread-tls"])

#: Who is first: what is left of ada is nobody's, and the other way round.
KINDS = {"view": "ada", "coroutine": "nobody", "handler": "nobody", "async-handler": "ada"}


@pytest.fixture(scope="session")
def watched_server(row, start_server):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, {"WATCHED_BY_SENTRY": True}, measured=False)
    yield process
    process.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_each_connection_is_reported_as_itself(
    watched_server, row, journal, session_key, case, kind
):
    if kind in ("coroutine", "async-handler") and not row.coroutines:
        pytest.skip("no coroutines here")
    clients = {}
    users = ["ada", "nobody"] if KINDS[kind] == "ada" else ["nobody", "ada"]
    for user in users:
        client = clients[user] = RawClient(watched_server)
        headers = {"Cookie": f"sessionid={session_key}"} if user == "ada" else {}
        client.open(f"/watched/{kind}/?case={case}-{user}", headers=headers)
        client.send_text("hello")
        assert client.read_text() == user
    for user in reversed(users):
        client = clients[user]
        client.send_text("fail")
        assert client.read_text() == user
        report = journal.wait(f"{case}-{user}", "reported")
        assert report["query"] == f"case={case}-{user}"
        assert report["user"] == (user if user == "ada" else None)
        client.read_close()
        client.hang_up()
        assert len(journal.events(f"{case}-{user}", "reported")) == 1
