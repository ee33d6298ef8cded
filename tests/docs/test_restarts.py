"""The script that restarts its server, and the servers that it starts."""

import signal
from types import SimpleNamespace

import pytest

from ..raw_client import RawClient
from .pages import page
from .projects import SETTINGS
from .running import RunningServer

#: A busy machine takes its time to start a server.
TIMEOUT = 60

#: What cannot go on elsewhere.
MORE = """
from django.urls import path
from dwebsocket import WebSocketHandler, require_websocket

class Fixed(WebSocketHandler):
    resumable = False

@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)

more = [path("fixed/", Fixed.as_view()), path("echo/", echo)]
"""


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_script(make_page_project, name):
    project = make_page_project(page("docs/howto/deploy.md"))
    script = project / "run.py"
    script.write_text(script.read_text().replace("8000", "0"))
    (project / "chat" / "more.py").write_text(MORE)
    with (project / "mysite" / "urls.py").open("a") as urls:
        urls.write("from chat.more import more\nurlpatterns += more\n")
    with (project / SETTINGS).open("a") as settings:
        settings.write("WEBSOCKET_DRAIN = 0.5\n")
    with RunningServer(f"python run.py serve_{name}.py", project) as server:
        address = SimpleNamespace(host="127.0.0.1", port=server.port, client_context=None)
        room, view, fixed = clients = [RawClient(address, timeout=TIMEOUT) for _ in range(3)]
        for client, path in zip(clients, ["/ws/lobby/", "/echo/", "/fixed/"], strict=True):
            client.open(path)
        room.send_text("a")
        assert room.read_text() == "1: a"

        server.signal(signal.SIGHUP)
        assert view.read_close().close_code == fixed.read_close().close_code == 1012
        room.send_text("b")
        assert room.read_text() == "2: b"

        server.terminate()
        assert room.read_close().close_code == 1001
        server.wait()
        for client in clients:
            client.hang_up()
