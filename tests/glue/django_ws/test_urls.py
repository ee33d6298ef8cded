"""``ROOT_WS_URLCONF``: it comes before ``ROOT_URLCONF``, and takes handlers as they are."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import path

from dwebsocket import WebSocketHandler
from dwebsocket.asgi import get_websocket_application
from dwebsocket.testing import WebSocketClient, WebSocketRefused

from ..asgi import AsgiClient

PACKAGE = __package__


@pytest.fixture(params=["asgi", "test client"])
def open_site(request, site):
    """Both look into ws_urls.py."""

    def open_site(**changed):
        site.change(**{"ROOT_URLCONF": f"{PACKAGE}.urls", **changed})
        if request.param == "asgi":
            return AsgiClient(request.getfixturevalue("loop"), get_websocket_application())
        return WebSocketClient(raise_request_exception=False)

    return open_site


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/telling/5/ada", [[], {"number": 5, "name": "ada", "extra": 1}, "/"]),
        ("/positional/12/ada", [["12", "ada"], {}, "/"]),
        ("/as-view/7", [[], {"number": 7}, "/"]),
        ("/plain/7", [[], {"number": 7}, "/"]),
        ("/below/8", [[], {"number": 8}, "/"]),
    ],
)
def test_arguments_of_the_address(open_site, address, told):
    with open_site().websocket(address) as session:
        assert session.receive_json() == told


def test_a_view_may_be_there(open_site):
    with open_site().websocket("/view/9") as session:
        assert session.receive() == "9"


def test_it_comes_first(open_site):
    client = open_site()
    with client.websocket("/ws") as session:
        session.send("{}")
        assert "reply" in session.receive_json()
    with client.websocket("/only-in-root") as session:
        assert session.receive() == "root /"


def test_the_setting(open_site):
    client = open_site(ROOT_WS_URLCONF=f"{PACKAGE}.other_ws_urls")
    with client.websocket("/other/here") as session:
        assert session.receive_json() == [[], {"where": "here"}, "/"]
    with client.websocket("/ws") as session:
        assert session.receive() == "root /"


@pytest.mark.parametrize("address", ["/nowhere", "/other/here", "/telling/5/", "/telling/x/ada"])
def test_no_such_address(open_site, caplog, address):
    with pytest.raises(WebSocketRefused) as caught:
        open_site().websocket(address)
    assert caught.value.status_code == 404
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("django.request", "WARNING"),
        ("dwebsocket.handshake", "WARNING"),
    ]


def test_no_such_address_where_the_server_knows_no_answer_but_one(site, loop):
    site.change(ROOT_URLCONF=f"{PACKAGE}.urls")
    client = AsgiClient(loop, get_websocket_application())
    for extensions in ({}, None):
        with pytest.raises(WebSocketRefused) as caught:
            client.websocket("/nowhere", extensions=extensions)
        assert caught.value.status_code == 403


def test_http_is_not_looked_for_there(open_site):
    client = open_site()
    assert client.get("/").content == b"page"
    assert client.get("/telling/5/ada").status_code == 404
    assert client.get("/ws").status_code == 400


def test_an_error_in_the_module_is_told(open_site, caplog):
    client = open_site(ROOT_WS_URLCONF=f"{PACKAGE}.broken.ws_urls")
    with pytest.raises(WebSocketRefused) as caught:
        client.websocket("/ws")
    assert caught.value.status_code == 500
    error = caplog.records[0].exc_info[1]
    assert isinstance(error, ImproperlyConfigured)
    assert "No module named 'no_such_module'" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_site_without_one(open_site):
    class Root(WebSocketHandler):
        async def on_open(self):
            self.send("root")

    with open_site(ROOT_URLCONF=(path("ws", Root.as_view()),)).websocket("/ws") as session:
        assert session.receive() == "root"
    with pytest.raises(WebSocketRefused):
        open_site(ROOT_URLCONF="django.contrib.auth.urls").websocket("/ws")


def choosing(get_response):
    """Middleware that chooses a URLconf by the host, as some packages have it."""

    def middleware(request):
        request.urlconf = "django.contrib.auth.urls"
        return get_response(request)

    return middleware


def test_middleware_that_chooses_a_urlconf(open_site):
    client = open_site(MIDDLEWARE=[f"{__name__}.choosing"])
    with client.websocket("/view/9") as session:
        assert session.receive() == "9"
    assert client.get("/").status_code == 404
