"""Options with which WebSockets cannot work are refused with words, those that harm logged once."""

from types import SimpleNamespace

import pytest
from django.test import override_settings

from dwebsocket.backends.uwsgi import advice
from dwebsocket.backends.uwsgi.server import Server
from dwebsocket.exceptions import SocketTakeoverError

from ..docs.pages import code_in, page
from ..glue import site
from ..servers.rows import UWSGI_SOCKET, UWSGI_TLS, uwsgi
from .conftest import SETTINGS_OF_NATIVE

__all__ = ["site"]  # configures Django

ROUTED = {"UWSGI_ROUTER": "http"}
WARNING = r"^WARNING dwebsocket\.handshake: uWSGI: "


def build_server(loop=None, has_threads=1, workers=1, **options):
    """A uWSGI with these options, as its module shows them."""
    opt = {name.replace("_", "-"): value for name, value in options.items()}
    return Server(SimpleNamespace(opt=opt, loop=loop, has_threads=has_threads, numproc=workers))


def warnings_of(server, environ=()):
    return list(advice.find_warnings(server, dict(environ)))


def test_values_of_options():
    server = build_server(http=[b"127.0.0.1:1", b":2"], master=True, harakiri=b"30")
    assert list(server.values("http")) == ["127.0.0.1:1", ":2"]
    assert (server.number("harakiri"), server.number("threads", 7)) == (30, 7)
    assert server.has("https", "master")
    assert not server.has("https")


@pytest.mark.parametrize(
    ("options", "shared"),
    [
        ({}, False),
        ({"threads": b"8"}, False),
        ({"gevent": b"50", "loop": b"gevent"}, False),
        ({"async": b"30", "ugreen": True}, True),
        ({"async": b"30"}, True),
        ({"async": b"30", "loop": b"asyncio"}, True),
        ({"async": b"30", "loop": b"gevent"}, False),
    ],
)
def test_whether_requests_take_turns(options, shared):
    assert build_server(**options).is_shared is shared


def test_router_that_keeps_frames_back():
    keeps, passes = build_server(http=b":1"), build_server(http=b":1", http_websockets=True)
    with pytest.raises(SocketTakeoverError, match="--http-websockets"):
        advice.check_server(keeps, ROUTED)
    advice.check_server(passes, ROUTED)
    advice.check_server(build_server(http=b":1", http_raw_body=True), ROUTED)
    # There may be another way in beside the router, and a router in front that is not this uWSGI's.
    advice.check_server(keeps, {})
    advice.check_server(build_server(), ROUTED)


def test_turns_without_threads():
    turns = {"async": b"30", "ugreen": True}
    advice.check_server(build_server(**turns), {})
    with pytest.raises(SocketTakeoverError, match=r"--gevent N or --threads N"):
        advice.check_server(build_server(has_threads=0, **turns), {})


def test_harakiri():
    assert "30" in warnings_of(build_server(harakiri=b"30", has_threads=0))[0]
    assert warnings_of(build_server(harakiri=b"0")) == []
    assert warnings_of(build_server(harakiri=b"30")) == []
    with override_settings(WEBSOCKET_VIEW_THREADS=0):
        assert "30" in warnings_of(build_server(harakiri=b"30"))[0]
    # There the request ends with the handshake.
    assert warnings_of(build_server(harakiri=b"30", loop=b"gevent")) == []
    assert warnings_of(build_server(harakiri=b"30", **{"async": b"30"})) == []


@pytest.mark.parametrize(
    ("timeout", "interval", "warned"),
    [
        (None, 20, False),
        (None, 60, True),
        (None, None, True),
        (b"10", 20, True),
        (b"30", 20, False),
    ],
)
def test_http_timeout_against_the_ping_interval(timeout, interval, warned):
    options = {"http": b":1"} | ({"http_timeout": timeout} if timeout else {})
    with override_settings(WEBSOCKET_PING_INTERVAL=interval):
        assert len(warnings_of(build_server(**options), ROUTED)) == warned
        assert warnings_of(build_server(**options)) == []  # did not come through the router


def test_no_threads():
    assert "--enable-threads" in warnings_of(build_server(has_threads=0))[0]
    assert warnings_of(build_server(has_threads=0, loop=b"gevent")) == []


@pytest.mark.parametrize(
    ("workers", "options", "room"),
    [(1, {}, 450), (4, {}, 112), (2, {"http_processes": b"2"}, 450), (2000, {}, 1)],
)
def test_room_in_the_router(workers, options, room, monkeypatch):
    monkeypatch.setattr("dwebsocket.transports.descriptors.find_limit", lambda: 1000)
    server = build_server(workers=workers, http=b":1", http_websockets=True, **options)
    assert server.router_room == room
    for limit, warned in [(None, False), (room, False), (room + 1, True)]:
        with override_settings(WEBSOCKET_MAX_CONNECTIONS=limit):
            assert any(str(room) in line for line in warnings_of(server, ROUTED)) == warned
            assert warnings_of(server) == []  # did not come through the router


def test_refusal_reaches_the_client_and_the_log(run_server, connect):
    server = run_server(uwsgi("uwsgi-plain-router", "--http", "127.0.0.1:PORT", "--threads", "2"))
    client = connect(server)
    client.send_request("/echo/")
    response = client.read_response()
    assert response.status == 501
    assert b"--http-websockets" in response.body
    server.log.wait_for(r"^ERROR dwebsocket\.handshake: .*--http-websockets")
    other = connect(server)
    other.send_request("/plain/", websocket=False)
    assert other.read_response().body == b"plain"


def test_warning_is_logged_once(run_server, connect):
    server = run_server(
        uwsgi("uwsgi-harakiri", *UWSGI_SOCKET, "--processes", "1", "--harakiri", "60"),
        {"WEBSOCKET_VIEW_THREADS": 0},
    )
    for _ in range(3):
        client = connect(server, "/echo/")
        client.send_text("warned")
        assert client.read_text() == "warned"
        client.send_close()  # the only process is free again
        client.read_close()
    server.log.wait_for(WARNING + ".*--harakiri 60")
    assert server.log.text().count("--harakiri 60") == 1


def test_tls_that_uwsgi_ends_is_refused(run_server, connect):
    server = run_server(
        uwsgi("uwsgi-https-socket", "--threads", "2", tls=("--https-socket", UWSGI_TLS))
    )
    client = connect(server)
    client.send_request("/echo/")
    response = client.read_response()
    assert response.status == 501
    assert b"Use --https with --http-websockets" in response.body


def test_tls_in_turns_is_refused(run_server, connect):
    server = run_server(
        uwsgi("uwsgi-turns", "--async", "10", "--ugreen", tls=("--https-socket", UWSGI_TLS)),
        SETTINGS_OF_NATIVE,
    )
    client = connect(server)
    client.send_request("/echo/")
    response = client.read_response()
    assert response.status == 501
    assert b"--gevent N or --threads N" in response.body


def test_page_explains_each():
    """Every option that a refusal or a warning names stands in the page's table."""
    explained = {
        option
        for row in page("docs/howto/uwsgi.md").table("Option").rows
        for option in code_in(row[0])
    }
    named = {
        "--harakiri",
        "--http-timeout",
        "--enable-threads",
        "--http-websockets",
        "--max-fd",
        "--ugreen",
    }
    assert named <= explained
