"""As many WebSockets as there are descriptors: what is too much is refused, with 503, and never is
there a byte of HTTP behind a 101.
"""

from contextlib import suppress

import pytest

from ..servers.process import (
    count_descriptors,
    wait_for_descriptors,
    wait_until,
    wait_until_joined,
)
from .conftest import DESCRIPTORS, check_echo, open_in_the_end, rows

PATHS = ("/echo/quietly/", "/handler/echo/quietly/", "/async/echo/quietly/")

#: What the log says of it.
SHORTAGE = "This process may open"

#: How often a client comes again when it was refused.
STUBBORN = 10


@pytest.fixture(scope="session")
def server(row, start_server):
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, descriptors=DESCRIPTORS)
    yield process
    process.stop()
    assert "refused with 503" in process.log.text()


@pytest.fixture
def worker(server, visitors, journal, case):
    """The process that runs the views, which has opened what it opens once."""
    for path in ("/echo/", "/handler/echo/"):
        visitors.open(path)
    visitors.leave()
    pid = journal.wait(case, "started", count=2)["pid"]
    journal.wait(case, "ended", count=2)
    wait_until_joined(server, pid)
    return pid


def check_refusal(response):
    assert response.status == 503
    words = (b"descriptors", b"WEBSOCKET_MAX_CONNECTIONS")
    assert any(word in response.body for word in words), response


@rows(
    "gevent-pywsgi",
    "eventlet",
    "gunicorn-gthread",
    "runserver",
    "uwsgi-threads",
    "uwsgi-http-socket",
    "uvicorn",
)
@pytest.mark.parametrize("path", PATHS)
def test_websockets_until_there_is_no_room(row, server, worker, visitors, path):
    if path.startswith("/async/") and not row.coroutines:
        pytest.skip("there are no coroutines")
    before, mark = count_descriptors(worker), server.log.mark()
    accepted, refused = [], []
    while len(accepted) < DESCRIPTORS and len(refused) < STUBBORN:
        client, response = visitors.ask(path)
        (accepted if response.status == 101 else refused).append((client, response))
    assert len(refused) == STUBBORN
    for _, response in refused:
        check_refusal(response)
    for client, _ in accepted:
        check_echo(client)
    assert visitors.get("/plain/") == b"plain"
    assert server.log.text(mark).count(SHORTAGE) <= 1  # said once in a while
    visitors.leave()
    open_in_the_end(visitors, path)
    visitors.leave()
    wait_for_descriptors(worker, before)
    assert not server.log.find_faults(mark)


@rows("gevent-pywsgi", "runserver", "uvicorn")  # eventlet and gunicorn end when they cannot accept
@pytest.mark.parametrize("path", PATHS[:2])
def test_a_table_that_others_have_filled(server, worker, visitors, path):
    """They connect and say nothing, until there is no further descriptor."""
    before = count_descriptors(worker)
    clients = []
    while (opened := count_descriptors(worker)) < DESCRIPTORS:
        clients.append(visitors.connect())
        with suppress(AssertionError):  # when one of an earlier client was closed meanwhile
            wait_until(lambda: count_descriptors(worker) > opened, "it is accepted", 5)
    first, *others = clients
    _, response = visitors.ask(path, first)
    check_refusal(response)
    accepted = []
    for client in others:
        _, response = visitors.ask(path, client)
        if response.status == 101:
            accepted.append(client)
        else:
            check_refusal(response)
    assert accepted  # in the room of those who were refused
    for client in accepted:
        check_echo(client)
    visitors.leave()
    open_in_the_end(visitors, path)
    visitors.leave()
    wait_for_descriptors(worker, before)
