"""The page on ASGI servers: the options that matter, TLS, and what does not work."""

import inspect
from urllib.error import HTTPError

import pytest

from ..servers.process import wait_until
from .asgi_servers import NAMES, ROWS, close_of, make_probed_project, serve  # noqa: F401
from .conversations import TIMEOUT, check_echo, check_http, open_websocket
from .pages import code_in, page
from .projects import SETTINGS, make_project
from .running import RunningServer
from .test_asgi import state_of
from .test_servers import ASGI, configure


def test_limit_concurrency(project):
    with (
        serve("uvicorn", project, "--limit-concurrency 2") as server,
        open_websocket(server, ["/echo/"]) as websocket,
    ):
        with pytest.raises(HTTPError) as refused:
            state_of(server)
        assert refused.value.code == 503
        check_echo(websocket)


def test_limit_max_requests(project):
    with (
        serve("uvicorn", project, "--limit-max-requests 1") as server,
        open_websocket(server, ["/echo/"]) as websocket,
    ):
        check_http(server)
        assert close_of(websocket)[0] == 1012


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("daphne", "--websocket_timeout 2"),
        ("hypercorn", "--read-timeout 2"),
        ("gunicorn", "--timeout 3"),  # its workers say each second that they are there
    ],
)
def test_time_outs(name, option, project):
    with serve(name, project, option) as server, open_websocket(server, ["/echo/"]) as websocket:
        check_echo(websocket)
        with pytest.raises(TimeoutError):
            websocket.recv(5)
        check_echo(websocket)


def test_options_are_all_tried():
    source = inspect.getsource(inspect.getmodule(test_time_outs))
    for row in ASGI.table("Option").rows:
        name, option = code_in(row[0])[0].split()
        assert name in NAMES
        assert any(f"{option} {number}" in source for number in (1, 2, 3))


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn --ws none --port 0 mysite.asgi:application",
        "granian --interface wsgi --port 0 mysite.wsgi:application",
    ],
)
def test_what_does_not_work(command, project):
    option = " ".join(command.split()[1:3])
    assert f"With `{option}` a handshake is answered with 501" in " ".join(ASGI.text.split())
    with (
        RunningServer(command, project) as server,
        pytest.raises(AssertionError, match=r"501 .*WebSockets cannot work here"),
    ):
        open_websocket(server, ["/echo/"])


@pytest.mark.parametrize("name", NAMES)
def test_djangos_own_application(name, skeleton, tmp_path):
    project = make_project(skeleton, tmp_path / "project", page("README.md"))
    words = "Django can only handle ASGI/HTTP connections"
    assert words in page("docs/servers/index.md").text
    command = code_in(ROWS[name][1])[0].replace("8000", "0")
    with RunningServer(command, project, may_log=[words]) as server:
        with pytest.raises(AssertionError, match=r": (500|403) "):
            open_websocket(server)
        wait_until(lambda: words in server.log, "the log says why", timeout=TIMEOUT)


def test_runserver_of_daphne(project):
    """It is one of ASGI: it looks into ws_urls.py."""
    (block,) = [block for block in ASGI.blocks if block.file == SETTINGS]
    configure(project, block.code)
    with (
        RunningServer("python manage.py runserver --noreload 0", project) as server,
        open_websocket(server, ["/ws/lobby/"]) as websocket,
    ):
        check_echo(websocket)


# TLS


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_the_site_may_connect_over_tls(name, project, certificates):
    command = tls_command(name).replace("8000", "0")
    command = command.replace("cert.pem", str(certificates.certificate))
    command = command.replace("key.pem", str(certificates.key))
    with RunningServer(command, project) as server:
        options = {"ssl": certificates.client_context}
        site = f"https://127.0.0.1:{server.port}"
        with open_websocket(server, ["/echo/"], origin=site, **options) as websocket:
            check_echo(websocket)


def tls_command(name):
    commands = [command for block in ASGI.blocks_in("console") for command in block.commands]
    (command,) = [c for c in commands if c.startswith(f"{name} ") and "cert.pem" in c]
    return command
