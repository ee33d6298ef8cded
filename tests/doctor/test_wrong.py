"""Set-ups that are wrong in one point each: the doctor names it, and what to do."""

from datetime import datetime, timedelta, timezone

import pytest

from ..servers.certificates import make_certificates
from ..servers.redis import BACKEND, RedisServer
from ..servers.rows import Row
from .conftest import SETTINGS, row

CONNECTION = "proxy_set_header Connection $connection_upgrade;"


@pytest.fixture
def echo(start_nginx):
    """The address through nginx, whose lines may be changed."""
    return lambda path="/echo/", **changes: f"wss://localhost:{start_nginx(**changes)}{path}"


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
    assert "idle: Cut after 2 s" in report.fault
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


def test_wrong_origin(echo, examine):
    fault = examine(echo(), "--origin", "https://elsewhere.test").fault
    assert "the origin https://elsewhere.test is another site's than https://localhost:" in fault
    assert "WEBSOCKET_ALLOWED_ORIGINS = ['https://elsewhere.test']" in fault


def test_name_of_the_certificate(start_nginx, examine):
    address = ["wss://www.example.com/echo/", "--connect", f"localhost:{start_nginx()}"]
    settings = {**SETTINGS, "ALLOWED_HOSTS": ["*"]}
    report = examine(*address, settings=settings)
    name = report.marked("fault")[0]
    assert "tls: The certificate is not for www.example.com but for 127.0.0.1, localhost." in name
    assert "server_name" in name
    assert report.step("handshake"), "the rest of the way is looked at, too"


def test_a_certificate_that_nobody_trusts(start_nginx, examine, tmp_path):
    port = start_nginx(certificates=make_certificates(tmp_path))
    fault = examine(f"wss://localhost:{port}/echo/").fault
    assert "Browsers do not trust the certificate: unable to get local issuer" in fault
    assert "fullchain.pem" in fault


@pytest.mark.parametrize(("days", "mark"), [(-1, "fault"), (3, "warning")])
def test_a_certificate_that_ends(start_nginx, examine, tmp_path, days, mark):
    end = datetime.now(timezone.utc) + timedelta(days=days, hours=1)
    made = make_certificates(tmp_path, not_before=end - timedelta(days=90), not_after=end)
    address = f"wss://localhost:{start_nginx(certificates=made)}/echo/"
    report = examine(address, trusted=False, SSL_CERT_FILE=str(made.authority))
    (found,) = report.marked(mark)
    assert "tls: " in found
    assert "expired" in found or "good for 3 days" in found
    assert "Renew" in found


def test_no_slash(echo, examine):
    fault = examine(echo("/echo")).fault
    assert "301" in fault
    assert "the slash is missing (APPEND_SLASH)" in fault


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


def test_a_view_that_accepts_both_has_answered_as_a_page(echo, examine):
    fault = examine(echo("/placing/accepting/", upgrade="")).fault
    assert "has answered as plain HTTP" in fault
    assert "proxy_set_header Upgrade $http_upgrade;" in fault


def test_the_servers_setting_is_less(echo, examine):
    """The server runs with other settings than are in the file."""
    settings = {**SETTINGS, "WEBSOCKET_MAX_MESSAGE_SIZE": 200_000}
    fault = examine(echo(), "--size", settings=settings).fault
    assert "A message of 200000 bytes is too long: 1009." in fault
    assert "WEBSOCKET_MAX_MESSAGE_SIZE is 200000 here" in fault
    assert "it runs with other settings" in fault


def test_the_setting_is_less(echo, examine):
    fault = examine(echo(), "--size", "150000").fault
    assert "A message of 150000 bytes is too long: 1009." in fault
    assert "WEBSOCKET_MAX_MESSAGE_SIZE = 150000" in fault


def test_the_setting_is_not_what_the_server_has(echo, examine):
    settings = {**SETTINGS, "WEBSOCKET_MAX_MESSAGE_SIZE": 50_000}
    (found,) = examine(echo(), "--size", settings=settings).marked("warning")
    assert "A message of 50001 bytes is taken" in found
    assert "Restart it" in found


def test_the_servers_own_limit(start_server, start_nginx, examine):
    usual = row("uvicorn")
    limited = Row("uvicorn-limited", (*usual.arguments, "--ws-max-size", "2000"), package="uvicorn")
    server = start_server(limited, SETTINGS)
    try:
        address = f"wss://localhost:{start_nginx(server)}/echo/"
        fault = examine(address, "--size", "3000").fault
    finally:
        server.stop()
    assert "A message of 3000 bytes is too long: 1009." in fault
    assert "uvicorn --ws-max-size" in fault


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


def test_a_project_with_another_key(echo, examine):
    """What has arrived is not told; the refusal's own words are understood."""
    settings = {**SETTINGS, "SECRET_KEY": "another"}
    fault = examine(echo(upgrade=""), settings=settings).fault
    assert "The Upgrade header did not arrive." in fault
    fault = examine(echo(proto=""), settings=settings).fault
    assert "takes https:// for http://" in fault
    fault = examine(echo(host=""), settings=settings).fault
    assert "the Host header has arrived as '127.0.0.1:" in fault


def test_a_bare_refusal(start_server, examine):
    server = start_server(row("daphne"), SETTINGS)
    try:
        address = f"ws://127.0.0.1:{server.port}/echo/"
        fault = examine(address, "--origin", "https://elsewhere.test").fault
    finally:
        server.stop()
    assert "403" in fault
    assert "daphne and gunicorn's asgi worker answer so" in fault


def test_no_subprotocol(echo, examine):
    assert "Of chat the view takes none" in examine(echo(), "--subprotocol", "chat").fault


def test_a_view_that_fails(echo, examine):
    fault = examine(echo("/close/")).fault  # without the code that it wants
    assert "connection: The server has closed with 1011" in fault


def test_a_view_that_leaves(echo, examine):
    (found,) = examine(echo("/close/?code=4001&reason=Log+in+first")).marked("warning")
    assert "connection: The server has closed with 4001 Log in first" in found
    assert "--cookie" in found


def test_nobody_behind_the_proxy(start_server, start_nginx, examine):
    server = start_server(row("gunicorn-gthread"), SETTINGS)
    port = start_nginx(server)
    server.stop()
    assert "502" in (fault := examine(f"wss://localhost:{port}/echo/").fault)
    assert "proxy_pass" in fault


def test_tls_where_there_is_none(server, echo, examine):
    assert "Use ws://" in examine(f"wss://127.0.0.1:{server.port}/echo/").fault
    assert "Use wss://" in examine(echo().replace("wss", "ws")).fault


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
