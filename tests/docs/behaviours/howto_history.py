import json

from chat import gauges
from django.test import SimpleTestCase

from dwebsocket import Group
from dwebsocket.testing import WebSocketClient


class History(SimpleTestCase):
    client_class = WebSocketClient

    def test_newest_then_live_then_from_where_it_was(self):
        for number in range(60):
            Group("room.7", history=100).send(str(number))
        with self.client.websocket("/ws/7/") as page:
            told = [json.loads(page.receive()) for _ in range(51)]
            assert told[0]["recovered"] is True
            assert [one["data"] for one in told[1:]] == [*map(str, range(10, 60))]
            page.send("live")
            last = json.loads(page.receive())
            assert last["data"] == "live"
        Group("room.7", history=100).send("missed")
        with self.client.websocket(f"/ws/7/?since={last['position']}") as page:
            first = json.loads(page.receive())
            assert (first["recovered"], first["position"]) == (True, last["position"])
            assert json.loads(page.receive())["data"] == "missed"
        with self.client.websocket("/ws/7/?since=of+another+memory") as page:
            assert json.loads(page.receive())["recovered"] is False
            assert json.loads(page.receive())["data"] == "12"

    def test_the_setting(self):
        Group("room.set").send("kept")
        assert Group("room.set").history().messages == ["kept"]
        assert Group("gauge.x")._find_rule().sends_newest

    def test_gauge(self):
        gauges.measured(20)
        gauges.measured(21)
        assert json.loads(gauges.temperature.history().messages[-1]) == {"degrees": 21}
        assert gauges.temperature._find_rule() == (1, 3600.0, True)

    def test_board(self):
        with self.client.websocket("/ws/board/") as page:
            page.send("plain")
            assert page.receive() == "plain"
