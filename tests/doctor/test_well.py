"""Set-ups in which all is well: no warning, no fault."""

import pytest

from .conftest import SETTINGS, row

PINGING = {**SETTINGS, "WEBSOCKET_PING_INTERVAL": 0.5}
ALL = ("--idle", "3", "--size")


@pytest.fixture
def pinging_server(start_server):
    process = start_server(row("gunicorn-gthread"), PINGING)
    yield process
    process.stop()


def test_behind_nginx(pinging_server, start_nginx, examine, redis_server):
    address = f"wss://localhost:{start_nginx(pinging_server)}/subprotocols/"
    settings = {**PINGING, "WEBSOCKET_GROUPS": redis_server.setting}
    report = examine(address, *ALL, "--subprotocol", "chat", settings=settings)
    report.check_well()
    steps = [one["step"] for one in report.findings]
    assert steps == [
        *("descriptors", "threads", "processors", "settings", "middleware", "groups"),
        *("installed", "server", "dns", "tcp", "tls", "handshake", "subprotocol"),
        *("compression", "latency", "idle", "size", "size"),
    ]
    (idle,) = report.step("idle")
    assert "Open after 3 s of silence; " in idle["text"]
    assert "; 0 Pings" not in idle["text"]
    assert "One byte more is refused with 1009." in report.step("size")[1]["text"]
    assert "RedisGroupBackend is reached" in report.step("groups")[0]["text"]
    assert "agreed on" in report.step("compression")[0]["text"]


@pytest.mark.parametrize("name", ["gevent-pywsgi", "uvicorn", "wsgiref", "haproxy-gevent-tls"])
def test_other_servers(start_server, examine, name):
    chosen = row(name)
    if chosen.missing:
        pytest.skip(f"{chosen.missing} is not installed")
    server = start_server(chosen, {"WEBSOCKET_MAX_MESSAGE_SIZE": 100_000})
    secure = {"SECURE_PROXY_SSL_HEADER": None, "WEBSOCKET_MAX_MESSAGE_SIZE": 100_000}
    scheme, further = ("wss", ["--origin", ""]) if chosen.tls else ("ws", [])
    try:
        address = f"{scheme}://localhost:{server.port}/echo/"
        report = examine(address, "--size", *further, settings=secure)
        assert not server.log.find_faults()
    finally:
        server.stop()
    report.check_well()


def test_a_page_s_address_is_as_good(server, examine):
    """http:// and https:// stand for ws:// and wss://."""
    examine(f"http://localhost:{server.port}/echo/").check_well()


def test_who_has_logged_in(server, examine, session_key):
    address = f"ws://localhost:{server.port}/placing/login/"
    assert "302" in examine(address).fault
    examine(address, "--cookie", f"sessionid={session_key}").check_well()
    examine(address, "--header", f"Cookie: sessionid={session_key}").check_well()


def test_for_people(server, run_doctor):
    """A line for each finding, in colour where that is wanted; the number of faults at the end."""
    address = f"ws://localhost:{server.port}/nowhere/"
    result = run_doctor(address)
    assert result.returncode == 1
    assert result.stderr == "CommandError: Faults: 1.\n"
    lines = result.stdout.splitlines()
    assert all(line.startswith(("ok       ", "warning  ", "fault    ")) for line in lines)
    assert lines[-1].startswith("fault    handshake     404")
    coloured = run_doctor(address, "--force-color").stdout.splitlines()
    assert "\x1b[" in coloured[-1]


def test_a_view_that_talks(server, examine):
    """There is no silence to be tried."""
    report = examine(f"ws://localhost:{server.port}/push/", "--idle", "1")
    (idle,) = report.step("idle")
    assert "no silence" in idle["text"]
