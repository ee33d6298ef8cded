import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from chat import views
from django.test import LiveServerTestCase, override_settings
from django.urls import path

urlpatterns = [path("shout/", views.shout), path("exact/", views.exact)]


@override_settings(ROOT_URLCONF=__name__)
class Polling(LiveServerTestCase):
    def ask(self, address, query, body=None):
        url = f"{self.live_server_url}{address}?EIO=4&transport=polling{query}"
        with urlopen(Request(url, data=body), timeout=10) as response:
            return response.read().decode()

    def test_a_view_is_polled(self):
        sid = json.loads(self.ask("/shout/", "")[1:])["sid"]
        assert self.ask("/shout/", f"&sid={sid}", b"4hello") == "ok"
        assert self.ask("/shout/", f"&sid={sid}") == "4HELLO (polling)"
        assert self.ask("/shout/", f"&sid={sid}", b"1") == "ok"

    def test_where_it_is_switched_off(self):
        with pytest.raises(HTTPError) as refused:
            self.ask("/exact/", "")
        assert refused.value.code == 400
        refused.value.close()
