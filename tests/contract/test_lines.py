"""What a server's log says of WebSockets that open and end."""

import re

import pytest

OPENED = r"^INFO dwebsocket\.connection: WebSocket opened: {path}, user {user}, from {address}$"
ENDED = (
    r"^INFO dwebsocket\.connection: WebSocket ended: {path}, user {user}, from {address}, "
    r"code {code}(?: \"[^\"]*\")?, after \d+\.\d s, {received} received$"
)
#: An address, or nothing where a Unix socket has none.
ADDRESS = r"(?:127\.0\.0\.1|-)"
PATHS = ["echo/", "async/echo/", "handler/echo/", "async/handler/echo/"]


@pytest.fixture
def told(case):
    """Where addresses of this case alone begin: what is logged meanwhile is of others."""
    return f"/told/{case}/"


@pytest.mark.parametrize("below", PATHS)
def test_one_line_at_the_open_and_one_at_the_end(server, row, new_client, address, told, below):
    if not row.coroutines and below.startswith("async/"):
        pytest.skip("coroutines do not run here")
    path = told + below
    client = new_client()
    client.open(address(path))
    about = {"path": re.escape(path), "user": "-", "address": ADDRESS}
    server.log.wait_for(OPENED.format(**about))
    for text in ("one", "two", "three"):
        client.send_text(text)
        assert client.read_text() == text
    ended = ENDED.format(**about, code=row.heard(4321)[0], received="3 messages")
    assert not re.findall(ended, server.log.text(), re.M)
    client.send_close(4321)
    client.read_to_eof()
    server.log.wait_for(ended)
    lines = [re.findall(line, server.log.text(), re.M) for line in (OPENED.format(**about), ended)]
    assert [len(found) for found in lines] == [1, 1]


ANSWERS = {
    "echo": (301, "redirects to {path}/?case={case}, which no browser follows: the path needs a"),
    "no/such/address/": (404, "no URL pattern matches this path"),
    "plain/": (200, "tests.project.views.plain.plain has taken it for plain HTTP: decorate it"),
    "login/": (302, "the client is not logged in, or its cookie has not come"),
    "guarded/": (403, "tests.project.views.handlers.Guarded, has refused this client"),
}


@pytest.mark.parametrize(
    ("mount", "below"),
    [
        (mount, below)
        for mount in ("", "/middleware-last")
        for below in ANSWERS
        if (mount, below) != ("/middleware-last", "plain/")  # the middleware refuses it by itself
    ],
)
def test_a_handshake_that_somebody_else_answers(
    server, row, new_client, address, case, told, mount, below
):
    status, words = ANSWERS[below]
    path = mount + told + below
    client = new_client()
    client.send_request(address(path))
    shown = status if row.denies else 403
    assert client.read_response().status == shown
    said = status if row.denies else rf"{status}, of which the client gets 403"
    start = "WARNING dwebsocket.handshake: WebSocket handshake answered with"
    words = re.escape(words.format(case=case, path=path))
    server.log.wait_for(
        rf"^{start} {said}: GET {re.escape(path)}: .*{words}.* with code 1006\.$",
    )
    assert server.log.text().count(f"answered with {said}: GET {path}: ") == 1


def test_an_answer_behind_the_101_is_told_once(plain_server, new_client, address):
    for _ in range(2):
        client = new_client()
        client.open(address("/placing/login-below/"))
        assert client.read_close().close_code == 1000
        client.send_close()
        client.read_to_eof()
    line = (
        r"^WARNING dwebsocket\.connection: tests\.project\.views\.placing\.login_below has sent "
        r"its 101, and then answered with HTTP 302, which nobody gets: .*$"
    )
    plain_server.log.wait_for(line)
    assert len(re.findall(line, plain_server.log.text(), re.M)) == 1
