"""Errors that come behind the 101 are logged once each, whatever the settings."""

import pytest
from django.core.signals import got_request_exception

from dwebsocket import WebSocketHandler, require_websocket

from .site import wait_until


@require_websocket
def view(request):
    request.websocket.wait()
    raise KeyError("a mistake")


@require_websocket
async def coroutine(request):
    await request.websocket.areceive()
    raise KeyError("a mistake")


class Handler(WebSocketHandler):
    def on_message(self, message):
        raise KeyError("a mistake")


class AsyncHandler(WebSocketHandler):
    async def on_message(self, message):
        raise KeyError("a mistake")


VIEWS = {
    "view": view,
    "coroutine": coroutine,
    "handler": Handler.as_view(),
    "async handler": AsyncHandler.as_view(),
}


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("kind", VIEWS)
def test_one_line_and_one_signal(serve_either, caplog, kind, propagate):
    """DEBUG_PROPAGATE_EXCEPTIONS has Django raise an error that it would have logged."""
    signals = []

    def receiver(**kwargs):
        signals.append(kwargs)

    got_request_exception.connect(receiver)
    try:
        client = serve_either(VIEWS[kind], DEBUG_PROPAGATE_EXCEPTIONS=propagate)
        with client.websocket("/") as websocket:
            websocket.send("hello")
            websocket.close()
        wait_until(lambda: errors_of(caplog) and signals)  # the view may end behind its Close
    finally:
        got_request_exception.disconnect(receiver)
    [record] = errors_of(caplog)
    assert record.name == "django.request"
    assert record.getMessage() == "Internal Server Error: /"
    assert record.exc_info[0] is KeyError
    assert len(signals) == 1


def errors_of(caplog):
    return [record for record in caplog.records if record.levelname == "ERROR"]
