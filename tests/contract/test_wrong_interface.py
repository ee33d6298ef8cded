"""An ASGI application that a WSGI server calls says what it is, and which server it is for."""

import pytest

from ..raw_client import RawClient
from ..servers.rows import Row

APPLICATION = "dwebsocket.asgi:get_websocket_application"
SERVERS = [
    Row("gunicorn-asgi-as-wsgi", ("-m", "gunicorn", "--bind", "127.0.0.1:0", f"{APPLICATION}()")),
    Row(
        "uvicorn-asgi-as-wsgi",
        (
            "-m",
            "uvicorn",
            "--interface",
            "wsgi",
            "--ws",
            "none",
            "--port",
            "0",
            "--factory",
            APPLICATION,
        ),
        package="uvicorn",
    ),
    Row(
        "granian-asgi-as-wsgi",
        ("-m", "granian", "--interface", "wsgi", "--port", "{port}", "--factory", APPLICATION),
        package="granian",
    ),
]


@pytest.mark.parametrize("wrong", SERVERS, ids=lambda row: row.name)
def test_the_log_says_which_server_it_is_for(start_server, wrong):
    if wrong.missing:
        pytest.skip(f"{wrong.missing} is not installed")
    server = start_server(wrong)
    text = r"This is an ASGI application, .* `uvicorn mysite\.asgi:application` .* `gunicorn mysite"
    for is_websocket in (False, True):
        mark = server.log.mark()
        client = RawClient(server)
        client.send_request("/middleware-last/plain/", websocket=is_websocket)
        assert client.read_response().status == 500
        client.hang_up()
        server.log.wait_for(text, since=mark)
    server.stop()
