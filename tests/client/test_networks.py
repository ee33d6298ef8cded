"""The page's script and a server, and between them what networks do to a connection."""

import os
import re

import pytest

from ..servers.process import wait_until
from ..servers.rows import ROWS
from .conftest import STATIC
from .proxy import Proxy, answer_200, stay_silent, strip_upgrade

#: How often what carries the messages breaks.
BREAKS = int(os.environ.get("DWEBSOCKET_TEST_BREAKS", "15"))
QUICK = {"minDelay": 1, "maxDelay": 20, "upgradeInterval": 200}

#: Sends numbers, one after the other, until it is told that they are enough, and gathers what comes
#: back until all have.
TALK = """([url, options]) => {
  window.got = [];
  window.resumed = [];
  window.enough = false;
  window.socket = new DWebSocket(url, [], options);
  let number = 0;
  window.all = new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      got.push(parseInt(data));
      if (enough && got.length === number) resolve();
    };
    socket.onopen = (event) => resumed.push(event.resumed);
    socket.onclose = ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`));
  });
  (function send() {
    const last = enough;
    while (number - got.length < 20) {
      let text = `${number++} \\u00fc`; // which compression does not make small
      while (Math.random() < 0.8) text += Math.random().toString(36);
      socket.send(text);
    }
    if (!last) setTimeout(send, 5);
  })();
}"""
#: What has come, and how.
END = """async () => {
  enough = true;
  await all;
  const { transport } = socket;
  socket.onclose = null;
  socket.close();
  return { got, resumed, transport };
}"""


@pytest.fixture(scope="module")
def start(start_server):
    """start(**settings): one more server of the kind that most sites have."""
    (row,) = [row for row in ROWS if row.name == "gunicorn-gthread"]
    servers = []

    def start(**settings):
        servers.append(start_server(row, settings, measured=False))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(start):
    return start()


@pytest.fixture(scope="module")
def debugging(start):
    return start(DEBUG=True)


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port, (STATIC / "websocket.js").read_bytes())
    yield proxy
    proxy.stop()


class Talk:
    """A page that sends numbers and gathers what comes back."""

    def __init__(self, tab, proxy):
        self.tab, self.proxy = tab, proxy

    def start(self, path="/echo/", **options):
        self.tab.goto(self.proxy.url)
        self.tab.evaluate(TALK, [path, {**QUICK, **options}])
        return self

    def evaluate(self, script):
        return self.tab.evaluate(script)

    def wait(self, condition):
        wait_until(condition, "as much as is wanted", timeout=60 + BREAKS)

    def wait_for(self, expression):
        self.tab.wait_for_function(expression)

    def end(self):
        """What has come, and how; each number once and in its order."""
        told = self.evaluate(END)
        assert told["got"] == list(range(len(told["got"])))
        return told


@pytest.fixture
def talk(tab, proxy):
    yield Talk(tab, proxy)
    tab.context.set_offline(False)
    tab.goto("about:blank")


def transports_of(proxy):
    return re.findall("transport=(\\w+)", b"".join(proxy.carried).decode())


def test_who_has_websockets_never_polls(talk, proxy):
    talk.start().wait_for("got.length > 100")
    assert talk.end() == {
        **talk.evaluate("({ got })"),
        "resumed": [False],
        "transport": "websocket",
    }
    assert transports_of(proxy) == ["websocket"]


@pytest.mark.parametrize("upgrade", [strip_upgrade, answer_200, stay_silent])
def test_where_websockets_are_blocked_it_polls(talk, proxy, upgrade):
    proxy.upgrade = upgrade
    talk.start(openTimeout=2500, minDelay=100).wait_for("got.length > 100")
    told = talk.end()
    assert (told["transport"], told["resumed"]) == ("polling", [False])
    assert transports_of(proxy)[:2] == ["websocket", "polling"]


@pytest.mark.timeout(200 + 2 * BREAKS)
@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["websocket", "polling"]])
def test_everything_arrives_once_and_in_order_whatever_breaks(talk, proxy, transports):
    proxy.longest = 10_000  # what is on its way at once is less
    talk.start(transports=transports).wait(lambda: proxy.breaks >= BREAKS)
    told = talk.end()
    assert told["resumed"][0] is False
    assert all(told["resumed"][1:])
    assert set(transports_of(proxy)) == set(transports)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_the_view_hears_that_its_page_was_left(tab, proxy, journal, transport):
    case = f"left-{transport}"
    tab.goto(proxy.url)
    opened = """([url, transports]) => new Promise((resolve) => {
      window.socket = new DWebSocket(url, [], { transports });
      socket.onopen = resolve;
    })"""
    tab.evaluate(opened, [f"/echo/?case={case}", [transport]])
    journal.wait(case, "started")
    tab.goto("about:blank")
    assert journal.wait(case, "ended")["close_code"] == 1001


def test_a_network_that_is_away_for_a_while(talk, tab, proxy):
    talk.start(minDelay=10**6, maxDelay=10**6).wait_for("got.length > 20")
    proxy.refuses = True
    tab.context.set_offline(True)
    proxy.cut()
    talk.wait_for("!navigator.onLine")  # and perhaps it hears that its connection is cut
    proxy.refuses = False
    tab.context.set_offline(False)
    talk.wait_for("resumed.length > 1")
    told = talk.end()
    assert not told["resumed"].pop(0)
    assert all(told["resumed"])


def test_a_page_that_was_frozen(talk, tab, proxy):
    talk.start().wait_for("got.length > 20")
    devtools = tab.context.new_cdp_session(tab)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    proxy.cut()
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    talk.wait_for("resumed.length === 2")
    assert talk.end()["resumed"] == [False, True]


def test_a_server_that_is_restarted(talk, tab, proxy, start, debugging):
    old = start()
    proxy.port = old.port
    talk.start().wait_for("got.length > 20")
    tab.evaluate("enough = true")
    tab.evaluate("all")
    proxy.port = debugging.port
    old.terminate()
    talk.wait_for("resumed.length === 2")
    assert tab.evaluate("resumed") == [False, False]
    tab.evaluate("() => { got.length = 0; socket.send('17'); }")
    talk.wait_for("got.length === 1")
    assert tab.evaluate("got") == [17]


#: A view that raises when it gets a message.
FAIL = """() => new Promise((resolve) => {
  const socket = new DWebSocket("/ending/error/", [], { retry: () => false });
  socket.send("now");
  socket.onclose = ({ code }) => resolve(code);
})"""


def test_under_debug_the_console_says_what_went_wrong(tab, proxy, debugging):
    proxy.port = debugging.port
    tab.goto(proxy.url)
    with tab.expect_console_message(lambda said: "DeliberateError" in said.text) as said:
        assert tab.evaluate(FAIL) == 1011
    assert said.value.type == "error"
    assert "Traceback" in said.value.text


def test_without_debug_nothing_is_said(tab, proxy):
    tab.goto(proxy.url)
    texts = []
    tab.once("console", lambda said: texts.append(said.text))
    assert tab.evaluate(FAIL) == 1011
    assert texts == []
