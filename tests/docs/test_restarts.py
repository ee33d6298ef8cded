"""The script that restarts its server, and the servers that it starts."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ..raw_client import RawClient
from .pages import page
from .projects import SETTINGS, environment
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


def connect(server):
    address = SimpleNamespace(host="127.0.0.1", port=server.port, client_context=None)
    return RawClient(address, timeout=TIMEOUT)


@pytest.fixture
def project(make_page_project):
    project = make_page_project(page("docs/howto/deploy.md"))
    script = project / "run.py"
    script.write_text(script.read_text().replace("8000", "0"))
    return project


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_script(project, name):
    (project / "chat" / "more.py").write_text(MORE)
    with (project / "mysite" / "urls.py").open("a") as urls:
        urls.write("from chat.more import more\nurlpatterns += more\n")
    with (project / SETTINGS).open("a") as settings:
        settings.write("WEBSOCKET_DRAIN = 0.5\n")
    with RunningServer(f"python run.py serve_{name}.py", project) as server:
        room, view, fixed = clients = [connect(server) for _ in range(3)]
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


def test_told_while_it_starts(project):
    """The server listens, and serves nobody yet."""
    with RunningServer("python run.py serve_gevent.py", project) as server:
        server.signal(signal.SIGHUP)
        server.terminate()
        server.wait(TIMEOUT)  # until two have started


@pytest.mark.parametrize("last_words", ["print('serving')", ""])
def test_one_that_ends_by_itself(project, last_words):
    (project / "serve.py").write_text(last_words)
    command = [sys.executable, "run.py", "serve.py"]
    subprocess.run(command, cwd=project, env=environment(), timeout=TIMEOUT, check=True)
