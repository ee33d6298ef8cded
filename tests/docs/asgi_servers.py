"""The page on ASGI servers: its tables, and a project in which each server is asked."""

from types import SimpleNamespace

import pytest
from websockets.exceptions import ConnectionClosed

from ..raw_client import RawClient
from .conversations import TIMEOUT
from .pages import code_in, page
from .projects import make_project
from .running import RunningServer
from .test_asgi import URLS
from .test_servers import ASGI, TABLE, configure

MATTERS = {row[0]: row[1:] for row in ASGI.table("Matter").rows}
# Those from which the connection is taken, and those that keep it, by their own names.
TAKEN = ["uvicorn", "daphne", "hypercorn", "gunicorn"]
KEEPING = ASGI.table("Matter").header[2:]
NAMES = [*TAKEN, *KEEPING]
# The name there: the name in the table of all servers, if that is another.
IN_INDEX = {"gunicorn": "`gunicorn -k asgi`"}
ROWS = {name: row for name in NAMES for row in TABLE.rows if row[0] == IN_INDEX.get(name, name)}

# Beside the addresses of test_asgi.py: what each server is asked.
PROBES = """
from django.http import JsonResponse
from django.urls import path
from mysite import more_urls

from dwebsocket import WebSocketHandler, require_websocket

codes = []


@require_websocket
def broken(request):
    raise ValueError("broken on purpose")


@require_websocket
def closes(request):
    request.websocket.close(4001, "Log in first")


@require_websocket(auto_accept=False)
def with_cookie(request):
    request.websocket.accept(headers={"Set-Cookie": "a=b"})


@require_websocket
async def listens(request):
    async for _ in request.websocket:
        pass
    codes.append([request.websocket.close_code, request.websocket.close_reason])


@require_websocket
async def empty(request):
    await request.websocket.asend("")


@require_websocket
async def waits(request):
    try:
        async for message in request.websocket:
            await request.websocket.asend(message)
    finally:
        print("the view has ended", flush=True)


class Waits(WebSocketHandler):
    def on_message(self, message):
        self.send(message)

    def on_close(self):
        print("the handler has ended", flush=True)


urlpatterns = [
    *more_urls.urlpatterns,
    path("broken/", broken),
    path("closes/", closes),
    path("cookie/", with_cookie),
    path("listens/", listens),
    path("codes/", lambda request: JsonResponse({"codes": codes})),
    path("empty/", empty),
    path("waits/", waits),
    path("handler-waits/", Waits.as_view()),
]
"""


@pytest.fixture(name="project")
def make_probed_project(skeleton, tmp_path):
    directory = make_project(skeleton, tmp_path / "project", page("docs/howto/asgi.md"))
    (directory / "mysite" / "more_urls.py").write_text(URLS)
    (directory / "mysite" / "probes.py").write_text(PROBES)
    configure(directory, 'ROOT_URLCONF = "mysite.probes"')
    return directory


def serve(name, project, *options):
    command = " ".join([code_in(ROWS[name][1])[0].replace("8000", "0"), *options])
    return RunningServer(command, project, may_log=["broken on purpose"])


def said(matter, name):
    return MATTERS[matter][1 + KEEPING.index(name) if name in KEEPING else 0]


def open_raw(server, path, **request):
    client = RawClient(SimpleNamespace(host="127.0.0.1", port=server.port, client_context=None))
    return client, client.open(path, **request)


def close_of(websocket):
    """The code and the reason with which the server closes."""
    with websocket, pytest.raises(ConnectionClosed):
        websocket.recv(TIMEOUT)
    return websocket.protocol.close_code, websocket.protocol.close_reason
