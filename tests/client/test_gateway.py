"""The page's script at the gateway: it comes back by itself when what it talks to is replaced."""

import pytest

from ..gateway.processes import Gateway
from ..servers.process import wait_until
from .conftest import STATIC
from .proxy import Proxy

QUICK = {"minDelay": 1, "maxDelay": 20}

#: Two sockets of a page: a client of ours, and a plain WebSocket; and what happens to them.
OPEN = """([path, options]) => {
  window.got = [];
  window.opened = 0;
  window.plain = new WebSocket(path.replace("http", "ws"));
  window.plainCodes = [];
  plain.onclose = ({ code }) => plainCodes.push(code);
  window.socket = new DWebSocket(path, [], options);
  socket.onopen = () => opened++;
  socket.onmessage = ({ data }) => got.push(data.split(" "));
}"""


@pytest.fixture(scope="module")
def gateway():
    gateway = Gateway("--grace", "60")
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def proxy(gateway):
    """The page and the gateway at one port, as nginx would have them."""
    proxy = Proxy(gateway.port, (STATIC / "websocket.js").read_bytes())
    yield proxy
    proxy.stop()


@pytest.fixture
def open_page(tab, gateway, proxy):
    def start(**options):
        tab.goto(proxy.url)
        tab.evaluate("sessionStorage.clear()")
        tab.evaluate(OPEN, [f"{proxy.url}/counter/", {**QUICK, **options}])
        return tab

    yield start
    tab.goto("about:blank")
    gateway.stop_handlers()


def ask(page, message):
    """The answer to a message: of which process, and its how manyth."""
    before = page.evaluate("got.length")
    page.evaluate("(message) => socket.send(message)", message)
    page.wait_for_function("(before) => got.length > before", arg=before)
    count, echo, _, pid = page.evaluate("got.at(-1)")
    assert echo == message
    return int(pid), int(count)


def test_handlers_and_the_front_are_replaced(gateway, open_page):
    """Its session ends with its process, and the next one begins at once; a plain WebSocket stays.
    At the end of the front both are told so.
    """
    handlers = gateway.start_handlers(wait_for=1)
    page = open_page()
    assert ask(page, "a") == (handlers.pid, 1)
    page.wait_for_function("plain.readyState === 1")
    other = gateway.start_handlers(wait_for=2)
    assert handlers.stop() == 0
    page.wait_for_function("opened === 2")
    assert ask(page, "b") == (other.pid, 1)
    assert page.evaluate("[plain.readyState, socket.transport]") == [1, "websocket"]
    assert gateway.front.stop() == 0
    page.wait_for_function("plainCodes.length === 1")
    assert page.evaluate("plainCodes") == [1012]
    gateway.start_front()
    page.wait_for_function("opened === 3")
    assert ask(page, "c") == (other.pid, 1)


def test_a_client_that_finds_no_websocket_goes_on_to_try(gateway, proxy, open_page):
    """Its polls are answered in a way that is not the end for it."""
    page = open_page(openTimeout=500, upgradeInterval=200)
    wait_until(lambda: b"transport=polling" in b"".join(proxy.carried), "it polls", 30)
    handlers = gateway.start_handlers(wait_for=1)
    assert ask(page, "a") == (handlers.pid, 1)
    # A busy machine may need longer for a WebSocket; then it polls until one comes through.
    page.wait_for_function("socket.transport === 'websocket'")
