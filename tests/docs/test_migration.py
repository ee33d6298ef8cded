"""The pages for people who come from elsewhere: their samples on uvicorn, and their tables."""

import json
import re

import pytest

import dwebsocket

from ..servers.process import wait_until
from .asgi_servers import close_of
from .conversations import TIMEOUT, open_websocket
from .pages import code_in, page
from .running import RunningServer
from .test_asgi import UVICORN

DJANGO_WS = page("docs/migration/django-ws.md")

# A handler of django-ws that says what has become of it, at an address with an argument.
PROBE = """
from django.urls import path

from chat.ws import MySocket
from dwebsocket import JsonWebSocketHandler as WebSocketHandler


class Probe(WebSocketHandler):
    async def on_open(self):
        if self.kwargs["room"] == "soon":
            self.start_task("close", self.close_soon)
        self.start_task("sleep", self.sleep_loop, args=[self.ping, 1000])
        self.send([self.kwargs["room"], self.connected, str(self.request.user)])

    async def on_message(self, message):
        self.send(1 / message)

    async def on_error(self, error):
        print("on_error", type(error).__name__, flush=True)

    async def on_close(self):
        print("on_close", self.connected, len(self.tasks), flush=True)

    async def close_soon(self):
        await self.close(4000)


urlpatterns = [path("ws", MySocket), path("ws/<slug:room>", Probe)]
"""


@pytest.fixture
def project(make_page_project):
    return make_page_project(DJANGO_WS)


@pytest.fixture
def probe(project):
    (project / "mysite" / "ws_urls.py").write_text(PROBE)
    return project


def test_the_sample_of_django_ws(project):
    # So that 59 seconds and three minutes are over soon.
    socket = project / "chat" / "ws.py"
    socket.write_text(socket.read_text().replace("60 * 3", "0.2"))
    with (project / "mysite" / "asgi.py").open("a") as asgi:
        asgi.write("import dwebsocket.upgrade.tasks\ndwebsocket.upgrade.tasks.PING_INTERVAL = 0.2")
    with RunningServer(UVICORN, project) as server:
        with open_websocket(server, ["/ws"]) as websocket:
            websocket.send('{"a": 1}')
            kinds = set()
            while kinds != {"reply", "ping", "degrees"}:
                kinds |= set(json.loads(websocket.recv(TIMEOUT)))
        wait_until(lambda: "closed by AnonymousUser" in server.log, "on_close()", timeout=TIMEOUT)


def test_only_the_imports_have_changed():
    """What the files of the sample import from us."""
    blocks = [block for block in DJANGO_WS.blocks_in("python") if block.file != "chat/greeting.py"]
    lines = [line for block in blocks for line in block.code.splitlines()]
    assert [line for line in lines if "dwebsocket" in line] == [
        "from dwebsocket.asgi import get_websocket_application",
        "from dwebsocket import JsonWebSocketHandler as WebSocketHandler",
    ]


def test_names_that_are_the_same():
    handler = dwebsocket.JsonWebSocketHandler
    rows = [row for row in DJANGO_WS.tables[0].rows if row[1] == "the same"]
    assert rows
    for row in rows:
        for name in code_in(row[0]):
            assert hasattr(handler, name)


def test_what_behaves_differently(probe):
    rows = {row[0]: row[2] for row in DJANGO_WS.table("With").rows}
    with RunningServer(UVICORN, probe, may_log=["division by zero"]) as server:
        with open_websocket(server, ["/ws/lobby"]) as websocket:
            greeting = ["lobby", True, "AnonymousUser"]  # self.kwargs, and Django's middleware
            assert json.loads(websocket.recv(TIMEOUT)) == greeting
            websocket.send("{")
            check_end(server, websocket, rows["a message that is not JSON"], "JSONDecodeError")
        for message in (b"\xff", ""):
            with open_websocket(server, ["/ws/lobby"]) as websocket:
                websocket.recv(TIMEOUT)
                websocket.send(b"2")
                assert json.loads(websocket.recv(TIMEOUT)) == 0.5
                websocket.send(message)
                assert close_of(websocket)[0] == 1007
        with open_websocket(server, ["/ws/lobby"]) as websocket:
            websocket.recv(TIMEOUT)
            websocket.send("0")
            cell = rows["an exception in `on_message()`"]
            check_end(server, websocket, cell, "ZeroDivisionError")
        with open_websocket(server, ["/ws/soon"]) as websocket:
            websocket.recv(TIMEOUT)
            assert close_of(websocket)[0] == 4000
        with pytest.raises(AssertionError, match="404"):
            open_websocket(server, ["/ws/lobby/nowhere"])
        with pytest.raises(AssertionError, match="403"):
            open_websocket(server, ["/ws/lobby"], origin="https://evil.example")
        with open_websocket(server, ["/echo/"]) as websocket:  # urls.py
            websocket.send("Hello")
            assert websocket.recv(TIMEOUT) == "Hello"


def check_end(server, websocket, cell, error):
    """The handler is told, then the client, then the handler again."""
    assert close_of(websocket)[0] == int(re.search(r"Close (\d+)", cell)[1])
    said = rf"on_error {error}\non_close False 0\n"
    wait_until(lambda: re.search(said, server.log), said, timeout=TIMEOUT)
