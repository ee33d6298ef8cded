"""``MySocket`` and ``AuthAsyncMiddleware`` run as they stand on the page."""

import json

import pytest

from dwebsocket.asgi import get_websocket_application

from ..asgi import AsgiClient
from ..site import MIDDLEWARE
from . import page

PACKAGE = __package__
SESSIONS_ALONE = ["django.contrib.sessions.middleware.SessionMiddleware"]


@pytest.fixture
def serve_page(site, loop):
    def serve(**changed):
        site.change(ROOT_URLCONF=f"{PACKAGE}.urls", **changed)
        page.calls.clear()
        return AsgiClient(loop, get_websocket_application())

    return serve


def talk(client):
    with client.websocket("/ws") as session:
        for _ in range(2):
            session.send('{"any": "thing"}')
            assert session.receive() == json.dumps({"reply": "sending data back"})
    assert page.calls == ["open", "message", "message", "close"]


def test_my_socket(serve_page):
    talk(serve_page())


@pytest.mark.parametrize("middleware", [MIDDLEWARE, SESSIONS_ALONE, []])
@pytest.mark.parametrize("login", [False, True])
def test_auth_async_middleware(serve_page, user, capsys, middleware, login):
    """Django's own has looked the user up; without it the page's does."""
    client = serve_page(
        MIDDLEWARE=middleware, WS_MIDDLEWARE=[f"{PACKAGE}.page.AuthAsyncMiddleware"]
    )
    if login:
        client.force_login(user)
    talk(client)
    name = "ada" if login else "AnonymousUser"
    assert capsys.readouterr().out == f"Pre Run Loop\nUSER: {name}\nPOST Run Loop\n"
