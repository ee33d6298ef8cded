"""Proxies that are wrong in one point each: the doctor names it, and the line to add."""

import re

import pytest

from ..servers.rows import Row
from .conftest import SETTINGS, row

CONNECTION = "proxy_set_header Connection $connection_upgrade;"


def test_both_headers_are_missing(echo, examine):
    report = examine(echo(upgrade="", connection=""))
    assert report.status == 1
    upgrade, connection = report.marked("fault")
    assert "The Upgrade header has not arrived." in upgrade
    assert "proxy_set_header Upgrade $http_upgrade;" in upgrade
    assert "The Connection header has arrived as 'close'." in connection
    assert CONNECTION in connection


def test_connection_is_missing(echo, examine):
    assert CONNECTION in examine(echo(connection="")).fault


@pytest.mark.parametrize("path", ["/echo/", "/handler/echo/", "/middleware-last/placing/marked/"])
def test_http_1_0(echo, examine, path):
    fault = examine(echo(path, version="")).fault
    assert "has arrived as HTTP/1.0" in fault
    assert "proxy_http_version 1.1;" in fault


def test_a_proxy_that_cuts(echo, examine):
    report = examine(echo(timeout="proxy_read_timeout 2s;"), "--idle", "4")
    assert re.search("idle: Cut after [23] s", report.fault)  # a busy machine rounds up
    assert "WEBSOCKET_PING_INTERVAL is 20 s" in report.fault
    assert "proxy_read_timeout 60s" in report.fault


def test_host_is_missing(echo, examine):
    fault = examine(echo(host="")).fault
    assert "the Host header has arrived as '127.0.0.1:" in fault
    assert "proxy_set_header Host $http_host;" in fault


def test_host_without_its_port(echo, examine):
    fault = examine(echo(host="proxy_set_header Host $host;")).fault
    assert "the Host header has arrived as 'localhost', 'localhost:" in fault


def test_host_is_not_allowed(echo, start_nginx, examine):
    """Django refuses it, before anything of ours is asked."""
    fault = examine(echo(host="proxy_set_header Host elsewhere.test;")).fault
    assert "localhost is in ALLOWED_HOSTS, so another has arrived" in fault
    assert "proxy_set_header Host $http_host;" in fault
    address = ["wss://www.example.com/echo/", "--connect", f"localhost:{start_nginx()}"]
    fault = examine(*address).marked("fault")[-1]
    assert "www.example.com is not in ALLOWED_HOSTS" in fault
    assert "ALLOWED_HOSTS = ['www.example.com']" in fault


def test_proto_is_missing(echo, examine):
    fault = examine(echo(proto="")).fault
    assert "takes https:// for http://" in fault
    assert "X-Forwarded-Proto has not arrived" in fault
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in fault


def test_proto_is_not_heeded(start_server, start_nginx, examine):
    settings = {**SETTINGS, "SECURE_PROXY_SSL_HEADER": None}
    server = start_server(row("gevent-pywsgi"), settings)  # gunicorn heeds it by itself
    try:
        fault = examine(f"wss://localhost:{start_nginx(server)}/echo/").fault
    finally:
        server.stop()
    assert "Django does not heed X-Forwarded-Proto" in fault
    assert 'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")' in fault


def test_a_redirect_to_the_same_address(start_server, start_nginx, examine):
    """SECURE_SSL_REDIRECT, and nobody says that the request was secure."""
    settings = {**SETTINGS, "SECURE_SSL_REDIRECT": True}
    server = start_server(row("gunicorn-gthread"), settings)
    try:
        fault = examine(f"wss://localhost:{start_nginx(server, proto='')}/echo/").fault
        assert "the server takes this for http://" in fault
        assert "proxy_set_header X-Forwarded-Proto $scheme;" in fault
        fault = examine(f"ws://localhost:{server.port}/echo/").fault
    finally:
        server.stop()
    assert "301" in fault
    assert "Use wss://." in fault


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"upgrade": ""}, "proxy_set_header Upgrade $http_upgrade;"),
        ({"connection": ""}, CONNECTION),
        ({"host": ""}, "proxy_set_header Host $http_host;"),
        ({"proto": ""}, "proxy_set_header X-Forwarded-Proto $scheme;"),
    ],
)
def test_in_front_of_uvicorn(uvicorn, start_nginx, examine, changes, words):
    fault = examine(f"wss://localhost:{start_nginx(uvicorn, **changes)}/echo/").fault
    assert words in fault


@pytest.fixture(scope="module")
def uvicorn(start_server):
    """It trusts nobody's X-Forwarded-Proto by itself; Django does."""
    usual = row("uvicorn")
    server = start_server(
        Row("uvicorn-bare", (*usual.arguments, "--no-proxy-headers"), package="uvicorn"), SETTINGS
    )
    yield server
    server.stop()


def test_a_view_that_accepts_both_has_answered_as_a_page(echo, examine):
    fault = examine(echo("/placing/accepting/", upgrade="")).fault
    assert "has answered as plain HTTP" in fault
    assert "proxy_set_header Upgrade $http_upgrade;" in fault


def test_a_project_with_another_key(echo, examine):
    """What has arrived is not told; the refusal's own words are understood."""
    settings = {**SETTINGS, "SECRET_KEY": "another"}
    fault = examine(echo(upgrade=""), settings=settings).fault
    assert "The Upgrade header did not arrive." in fault
    fault = examine(echo(proto=""), settings=settings).fault
    assert "takes https:// for http://" in fault
    fault = examine(echo(host=""), settings=settings).fault
    assert "the Host header has arrived as '127.0.0.1:" in fault


def test_nobody_behind_the_proxy(start_server, start_nginx, examine):
    server = start_server(row("gunicorn-gthread"), SETTINGS)
    port = start_nginx(server)
    server.stop()
    assert "502" in (fault := examine(f"wss://localhost:{port}/echo/").fault)
    assert "proxy_pass" in fault
