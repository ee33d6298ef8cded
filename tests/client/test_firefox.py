"""The same in Firefox, where browsers differ: what a break looks like, and what a request."""

import pytest

from ..browser.firefox import Firefox, find_firefox
from .test_wire import TestComingBack, TestFallingBack, TestPolling

__all__ = ["TestComingBack", "TestFallingBack", "TestPolling"]


@pytest.fixture(scope="module")
def firefox():
    path = find_firefox()
    if path is None:
        pytest.fail("No Firefox found. Install 'firefox-esr' (apt-get install firefox-esr).")
    firefox = Firefox(path)
    yield firefox
    firefox.stop()


@pytest.fixture
def page(firefox, peer):
    peer.begin()
    firefox.goto(peer.url)
    firefox.evaluate("sessionStorage.clear()")
    yield firefox
    firefox.goto("about:blank")
