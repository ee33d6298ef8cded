"""A site of several workers is deployed anew, and the page's script notices nothing."""

import os

import pytest

from ..handover.test_gunicorn import SETTINGS, make_row, reload, wait_for_end
from ..servers.process import wait_until
from .conftest import STATIC
from .proxy import Proxy

#: How often all workers are restarted.
DEPLOYS = 10 if "DWEBSOCKET_TEST_DEPLOYS" in os.environ else 1
TIMEOUT = 60

#: Sockets that send numbers, each one after the other, and gather what comes back.
TALK = """(transports) => {
  window.talks = transports.map((names) => {
    const talk = { got: [], sent: 0, opened: [], closed: [] };
    const socket = talk.socket = new DWebSocket("/moving/echo/", [], {
      transports: names, minDelay: 1, maxDelay: 20, upgradeInterval: 200,
    });
    socket.onmessage = ({ data }) => talk.got.push(parseInt(data));
    socket.onopen = ({ resumed }) => talk.opened.push(resumed);
    socket.onclose = ({ code, reason }) => talk.closed.push([code, reason]);
    (function send() {
      if (window.enough) return;
      while (talk.sent - talk.got.length < 20) socket.send(`${talk.sent++} ${"x".repeat(50)}`);
      setTimeout(send, 5);
    })();
    return talk;
  });
}"""
TOLD = "talks.map(({ socket, ...talk }) => talk)"


@pytest.fixture(scope="module")
def server(start_server):
    patience = {"WEBSOCKET_RESUME_TIMEOUT": 30, "WEBSOCKET_HANDOVER_TIMEOUT": 30}
    settings = {**SETTINGS, **patience}
    server = start_server(make_row("gthread"), settings, measured=False)
    yield server
    server.stop(30)


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port, (STATIC / "websocket.js").read_bytes())
    yield proxy
    proxy.stop()


@pytest.mark.timeout(120 + 60 * DEPLOYS)
def test_sessions_go_on_through_deploys(server, proxy, tab):
    kinds = [["websocket"], ["polling"], ["websocket", "polling"]]
    tab.goto(proxy.url)
    tab.evaluate(TALK, kinds)

    def told():
        return tab.evaluate(TOLD)

    def wait_for_more():
        counts = [len(talk["got"]) for talk in told()]
        wait_until(
            lambda: all(
                len(talk["got"]) > count + 50 for talk, count in zip(told(), counts, strict=True)
            ),
            "all talk on",
            TIMEOUT,
        )

    wait_for_more()
    for _ in range(DEPLOYS):
        old = reload(server)
        wait_for_end(server, old)
        wait_for_more()
    tab.evaluate("window.enough = true")
    wait_until(lambda: all(len(one["got"]) == one["sent"] for one in told()), "all came", TIMEOUT)
    for kind, talk in zip(kinds, told(), strict=True):
        assert talk["got"] == list(range(talk["sent"]))
        assert talk["closed"] == []
        # A worker that ends may drop a request that it has just accepted: who polls comes back.
        resumed = [True] * (len(talk["opened"]) - 1) if kind == ["polling"] else []
        assert talk["opened"] == [False, *resumed]
