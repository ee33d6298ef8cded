"""A page and a WebSocket at one address, with Django's cache between them; and decorators that want
a response where a WebSocket ends.
"""

import pytest

from ..project import settings
from ..raw_client import RawClient
from ..servers.rows import FEW

pytestmark = pytest.mark.rows(name=FEW)

UPDATE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH = "django.middleware.cache.FetchFromCacheMiddleware"


@pytest.fixture(scope="session")
def caching_server(row, start_server):
    """All of its pages are cached."""
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    middleware = [UPDATE, *settings.MIDDLEWARE, FETCH]
    process = start_server(row, {"MIDDLEWARE": middleware}, measured=False)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


@pytest.fixture(scope="session")
def fresh_server(row, start_server):
    """One whose threads no other test has left in another language, which is part of a key."""
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    process = start_server(row, measured=False)
    yield process
    process.stop()
    assert not process.log.find_faults(), process.log.text()


def read_page(server, address):
    client = RawClient(server)
    client.send_request(address, websocket=False)
    response = client.read_response()
    client.hang_up()
    assert response.status == 200
    assert "Upgrade" in response.headers["vary"].split(", ")
    return response.body


def check_websocket(server, address):
    client = RawClient(server)
    client.open(address)
    client.send_text("hello")
    assert client.read_text() == "hello"
    client.send_close()
    assert client.read_close().close_code == 1000


@pytest.mark.parametrize("first", ["page", "handshake"])
@pytest.mark.parametrize("mount", ["", "/middleware-last", "/middleware-first"])
@pytest.mark.parametrize("path", ["/page/view/", "/page/handler/"])
def test_middleware_of_the_cache(caching_server, row, address, path, mount, first):
    check_apart(caching_server, address(mount + path), first)


@pytest.mark.parametrize("first", ["page", "handshake"])
@pytest.mark.parametrize("where", ["above", "below", "handler"])
def test_decorator_of_the_cache(fresh_server, row, address, where, first):
    check_apart(fresh_server, address(f"/page/cached/{where}/"), first)


def check_apart(server, address, first):
    if first == "handshake":
        check_websocket(server, address)
    page = read_page(server, address)
    check_websocket(server, address)
    assert read_page(server, address) == page
    check_websocket(server, address)


@pytest.mark.parametrize("mount", ["", "/middleware-last", "/middleware-first"])
def test_refusals_are_not_stored(caching_server, row, address, mount):
    for path in ("/echo/", "/handler/echo/"):
        client = RawClient(caching_server)
        client.send_request(address(mount + path), headers={"Origin": "https://evil.test"})
        response = client.read_response()
        assert response.status == 403
        assert "no-store" in response.headers["cache-control"]
        check_websocket(caching_server, address(mount + path))


@pytest.mark.parametrize("name", ["never-cache", "vary", "api-view"])
def test_decorators_below_ours_get_a_response(server, open_websocket, journal, case, name):
    client = open_websocket(f"/decorated/{name}/")
    client.send_text("hello")
    assert client.read_text() == "hello"
    client.send_close(1000)
    assert client.read_close().close_code == 1000
    assert client.read_to_eof() == b""
    assert journal.wait(case, "ended")["outcome"] == "returned"
