import pytest

from ..browser.conftest import TIMEOUT, chromium  # noqa: F401  (a fixture)
from ..servers.process import ROOT
from .driving import Driver
from .peer import Peer

STATIC = ROOT / "dwebsocket" / "static" / "dwebsocket"


@pytest.fixture(scope="module")
def peer():
    peer = Peer((STATIC / "websocket.js").read_text())
    yield peer
    peer.stop()


@pytest.fixture(scope="module")
def tab(chromium):  # noqa: F811
    """One for a module; a script error on a page of it fails the test."""
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT)
    errors = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    page.script_errors = errors
    yield page
    context.close()


@pytest.fixture
def page(tab, peer):
    """A page with the script and nothing else."""
    peer.begin()
    tab.goto(peer.url)
    tab.evaluate("sessionStorage.clear()")
    yield tab
    tab.goto("about:blank")  # it asks for no more
    errors, tab.script_errors = tab.script_errors[:], []
    assert errors == []


@pytest.fixture
def driver(page, peer):
    return Driver(page, peer)


@pytest.fixture
def polling(driver):
    return driver.make(transports=["polling"])
