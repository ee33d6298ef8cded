"""Both clients, and each way in which the first one has a view run, under the same tests."""

import pytest

from dwebsocket.testing import AsyncWebSocketClient, WebSocketClient


class Driven:
    """A session in an event loop, whose methods are called from outside."""

    def __init__(self, run, session):
        self._run = run
        self._session = session

    def __getattr__(self, name):
        found = getattr(self._session, name)
        return (
            (lambda *args, **kwargs: self._run(found(*args, **kwargs)))
            if callable(found)
            else found
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._run(self._session.__aexit__(*exc_info))

    def __iter__(self):
        messages = self._session.__aiter__()
        while True:
            try:
                yield self._run(self._next(messages))
            except StopAsyncIteration:
                return

    async def _next(self, messages):
        return await anext(messages)


class DrivenClient:
    """An async client, called from outside of its event loop."""

    def __init__(self, run, client):
        self._run = run
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def websocket(self, *args, **kwargs):
        async def open_session():
            return await self._client.websocket(*args, **kwargs)

        return Driven(self._run, self._run(open_session()))


@pytest.fixture(params=["sockets", "in request", "asgi"])
def serve(request, site):
    """serve(view, *more, client={…}, **settings): a client."""

    def serve(view, *more, client=None, **changed):
        site.serve(view, *more, **changed)
        if request.param == "asgi":
            run = request.getfixturevalue("loop").run
            return DrivenClient(run, AsyncWebSocketClient(**(client or {})))
        client_class = WebSocketClient if request.param == "sockets" else HeldClient
        return client_class(**(client or {}))

    return serve


class HeldClient(WebSocketClient):
    """Has all of it in the thread of the request."""

    def websocket(self, *args, **kwargs):
        return super().websocket(*args, in_request=True, **kwargs)
