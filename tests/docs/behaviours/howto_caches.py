import logging

from chat import views
from django.core.cache import cache
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, override_settings
from django.urls import path
from mysite.settings import is_page

from dwebsocket import require_websocket
from dwebsocket.testing import WebSocketClient


@require_websocket
def setting(request):
    response = HttpResponse()
    response.set_cookie("seen", "1")
    return response


urlpatterns = [
    path("news/", views.news),
    path("ticker/", views.Ticker.as_view()),
    path("echo/", views.echo),
    path("setting/", setting),
]


@override_settings(ROOT_URLCONF=__name__)
class Caches(SimpleTestCase):
    client_class = WebSocketClient

    def setUp(self):
        cache.clear()

    def echo(self, address):
        with self.client.websocket(address) as websocket:
            websocket.send("Hello")
            assert websocket.receive() == "Hello"
        assert websocket.close_code == 1000

    def test_pages_vary_and_are_no_answers(self):
        for address in ["/news/", "/ticker/"]:
            with self.subTest(address):
                for _ in range(2):
                    assert "Upgrade" in self.client.get(address).headers["Vary"]
                    self.echo(address)

    def test_decorator_below(self):
        self.echo("/echo/")

    def test_cookie_that_comes_too_late(self):
        with self.assertLogs("dwebsocket.connection", logging.WARNING) as caught:
            with self.client.websocket("/setting/"):
                pass
            with self.client.websocket("/setting/"):
                pass
        assert len(caught.records) == 1
        assert "the cookie seen was set" in caught.records[0].getMessage()

    def test_pages_are_told_from_websockets(self):
        request = RequestFactory().get("/")
        assert is_page(request)
        assert not is_page(RequestFactory().get("/", headers={"Upgrade": "websocket"}))
