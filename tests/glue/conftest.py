"""Views in the test process."""

from functools import partial

import pytest

from dwebsocket.backends import view_threads
from dwebsocket.testing import WebSocketClient

from .asgi import Loop, serve_asgi
from .site import make_reports, make_site, make_user, wait_until

__all__ = ["make_reports", "make_site", "make_user"]


@pytest.fixture(name="loop")
def make_loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def serve(site, loop):
    """serve(view, *more, **settings): a client of the application for ASGI servers."""
    return lambda view, *more, **changed: serve_asgi(site, loop, view, *more, **changed)


@pytest.fixture(params=["asgi", "held", "left"])
def serve_either(request, site):
    """The same, and through the test client that the package ships: what is said is the same, also
    of errors.

    There a WebSocket is held in the thread of its request, or leaves it as on other servers.
    """
    if request.param == "asgi":
        return request.getfixturevalue("serve")

    def serve(view, *more, **changed):
        site.serve(view, *more, **changed)
        client_class = HeldClient if request.param == "held" else LeftClient
        return client_class(raise_request_exception=False)

    return serve


@pytest.fixture(params=["asgi", "left"])
def serve_beside(request, site):
    """The same, where the connection goes on when its request has ended."""
    if request.param == "asgi":
        return request.getfixturevalue("serve")
    return partial(site.serve, raise_request_exception=False)


class HeldClient(WebSocketClient):
    """Has all of it in the thread of the request."""

    def websocket(self, *args, **kwargs):
        return super().websocket(*args, in_request=True, **kwargs)


class LeftClient(WebSocketClient):
    """Waits for the thread in which a view goes on, as its base waits for the server's."""

    def __init__(self, **options):
        super().__init__(**options)
        self._open = set()

    def websocket(self, *args, **kwargs):
        session = super().websocket(*args, **kwargs)
        self._open.add(session)
        wait = session._server.wait

        def wait_for_both(timeout):
            ended = wait(timeout)
            self._open.discard(session)
            wait_until(lambda: view_threads.running <= len(self._open))
            return ended

        session._server.wait = wait_for_both
        return session
