"""One WebSocket: the view's end in the test's own hands, the peer's end as a client of bytes."""

import threading

import pytest

from dwebsocket import require_websocket

from ..site import TIMEOUT, Site, make_reports, make_site

__all__ = ["make_reports", "make_site"]


class OpenPair:
    """``websocket`` is the view's object; its view waits until the test is over.

    ``offer``: further headers of the handshake.
    """

    def __init__(self, site: Site, offer=None, **settings):
        self._over = threading.Event()
        found = []
        here = threading.Event()

        @require_websocket
        def view(request):
            found.append(request.websocket)
            here.set()
            self._over.wait(6 * TIMEOUT)

        site.serve(view, **settings)
        self.peer = site.open(headers=offer or {})
        assert here.wait(TIMEOUT)
        self.websocket = found[0]

    def end(self):
        self._over.set()


@pytest.fixture
def open_pair(site):
    pairs = []

    def make(**settings):
        pairs.append(OpenPair(site, **settings))
        return pairs[-1].websocket, pairs[-1].peer

    yield make
    for pair in pairs:
        pair.peer.hang_up()
        pair.end()


@pytest.fixture
def pair(open_pair):
    return open_pair()
