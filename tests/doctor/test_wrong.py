"""Addresses, origins, views and servers that are wrong in one point each: the doctor names it."""

import pytest

from ..servers.redis import BACKEND, RedisServer
from ..servers.rows import Row
from .conftest import SETTINGS, row


def test_wrong_origin(echo, examine):
    fault = examine(echo(), "--origin", "https://elsewhere.test").fault
    assert "the origin https://elsewhere.test is another site's than https://localhost:" in fault
    assert "WEBSOCKET_ALLOWED_ORIGINS = ['https://elsewhere.test']" in fault


def test_no_slash(echo, examine):
    fault = examine(echo("/echo")).fault
    assert "301" in fault
    assert "the slash is missing (APPEND_SLASH)" in fault


@pytest.mark.parametrize(
    "name",
    [
        *("eventlet", "gevent-pywsgi", "cheroot", "waitress", "uwsgi-http-socket"),
        *("uvicorn", "hypercorn", "granian"),
    ],
)
def test_nothing_else_is_named(start_server, examine, name):
    """What a server does not tell (eventlet says HTTP/1.0) has not got lost on the way."""
    server = start_server(row(name), SETTINGS)
    try:
        address = f"ws://localhost:{server.port}/echo/"
        fault = examine(address, "--origin", "https://elsewhere.test").fault
    finally:
        server.stop()
    assert "WEBSOCKET_ALLOWED_ORIGINS" in fault


def test_settings_that_are_wrong_here(server, examine):
    settings = {**SETTINGS, "WEBSOCKET_PING_INTERVAL": "20"}
    report = examine(f"ws://localhost:{server.port}/echo/", "--idle", "1", settings=settings)
    first, last = report.marked("fault")
    assert "(dwebsocket.E005)" in first
    assert "settings: They are needed to go on: WEBSOCKET_PING_INTERVAL" in last


def test_login(echo, examine):
    fault = examine(echo("/placing/login/")).fault
    assert "302" in fault
    assert "--cookie sessionid=" in fault


def test_wrong_path(echo, examine):
    fault = examine(echo("/nowhere/")).fault
    assert "404" in fault
    assert "there is no /nowhere/" in fault
    assert "Addresses that accept WebSockets: /" in fault


@pytest.mark.parametrize("path", ["/plain/", "/middleware-last/plain/"])
def test_a_page(echo, examine, path):
    assert "Addresses that accept WebSockets: /" in examine(echo(path)).fault


def test_a_server_that_cannot(start_server, examine):
    application = "tests.project.wsgi:application"
    arguments = ("--interface", "wsgi", "--ws", "none", "--port", "0", application)
    server = start_server(Row("uvicorn-wsgi", ("-m", "uvicorn", *arguments)), SETTINGS)
    try:
        fault = examine(f"ws://127.0.0.1:{server.port}/echo/").fault
    finally:
        server.stop()
    assert "501" in fault
    assert "does not let go of its socket" in fault
    assert "gunicorn" in fault
    assert "Take another server" in fault


@pytest.fixture
def redis_away(tmp_path):
    server = RedisServer(tmp_path / "redis")
    server.start()
    server.kill()
    return {"BACKEND": BACKEND, "LOCATION": server.location}


def test_redis_is_away(examine, redis_away):
    fault = examine(settings={"WEBSOCKET_GROUPS": redis_away}).fault
    assert "groups: RedisGroupBackend is not reached: " in fault
    assert "LOCATION in WEBSOCKET_GROUPS" in fault


def test_a_bare_refusal(start_server, examine):
    server = start_server(row("daphne-untaken"), SETTINGS)
    try:
        address = f"ws://127.0.0.1:{server.port}/echo/"
        fault = examine(address, "--origin", "https://elsewhere.test").fault
    finally:
        server.stop()
    assert "403" in fault
    assert "ASGI servers that keep their connections may answer so" in fault


def test_no_subprotocol(echo, examine):
    assert "Of chat the view takes none" in examine(echo(), "--subprotocol", "chat").fault


def test_a_view_that_fails(echo, examine):
    fault = examine(echo("/close/")).fault  # without the code that it wants
    assert "connection: The server has closed with 1011" in fault


def test_a_view_that_leaves(echo, examine):
    (found,) = examine(echo("/close/?code=4001&reason=Log+in+first")).marked("warning")
    assert "connection: The server has closed with 4001 Log in first" in found
    assert "--cookie" in found


def test_nobody_there(server, examine):
    assert "dns: nowhere.invalid is not known" in examine("ws://nowhere.invalid/").fault
    report = examine("ws://127.0.0.1:1/")
    assert "tcp: Nothing answers at 127.0.0.1, port 1" in report.fault


@pytest.mark.parametrize(
    "arguments",
    [
        ["echo"],
        ["ftp://www.example.com/"],
        ["ws://www.example.com:port/"],
        ["ws://"],
        ["ws://user:password@www.example.com/"],
        ["ws://www.example.com/", "--header", "nothing"],
        ["ws://www.example.com/", "--connect", "host:port"],
        ["ws://www.example.com/", "--size", "0"],
        ["ws://www.example.com/", "--idle", "-1"],
    ],
)
def test_what_cannot_be_understood(run_doctor, arguments):
    result = run_doctor(*arguments)
    assert result.returncode > 0
    assert "Traceback" not in result.stderr
    words = ("must be", "Give one such as wss://", "invalid")
    assert any(one in result.stderr for one in words)
