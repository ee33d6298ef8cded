"""Servers that do not let go of their socket: 501 that names servers that do, and a log line."""

import pytest

from ..raw_client import RawClient
from ..servers.rows import Row

APPLICATION = "tests.project.wsgi:application"
UNSUPPORTED = [
    Row(
        "granian-wsgi",
        ("-m", "granian", "--interface", "wsgi", "--port", "{port}", APPLICATION),
        package="granian",
    ),
    Row(
        "uvicorn-wsgi",
        ("-m", "uvicorn", "--interface", "wsgi", "--ws", "none", "--port", "0", APPLICATION),
        package="uvicorn",
    ),
]
NAMES = ("gunicorn", "gevent", "runserver", "mysite.asgi, and without --interface wsgi")


@pytest.fixture(scope="module", params=UNSUPPORTED, ids=lambda row: row.name)
def unsupported_server(request, start_server):
    if request.param.missing:
        pytest.skip(f"{request.param.missing} is not installed")
    process = start_server(request.param)
    yield process
    process.stop()


@pytest.mark.parametrize("path", ["/echo/", "/middleware-last/placing/marked/"])
def test_501_names_servers_that_work(unsupported_server, path):
    log = unsupported_server.log
    mark = log.mark()
    client = RawClient(unsupported_server)
    client.send_request(path)
    response = client.read_response()
    client.hang_up()
    assert response.status == 501
    assert all(name in response.body.decode() for name in NAMES)
    line = log.wait_for(r"^ERROR dwebsocket\.handshake: .*$", since=mark)[0]
    assert all(name in line for name in NAMES)
    assert not log.find_faults(mark)


def test_http_is_not_disturbed(unsupported_server):
    client = RawClient(unsupported_server)
    client.send_request("/middleware-last/plain/", websocket=False)
    assert client.read_response().body == b"plain"
    client.hang_up()
