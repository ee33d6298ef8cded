"""Loops as they are found in the wild, and how each ends. With LEGACY and without."""

import pytest

from dwebsocket.decorators import require_websocket

either = pytest.mark.parametrize("legacy", [False, True])


def text_of(message):
    """A legacy view answers the bytes it got as text; both look the same to a browser."""
    return message.decode() if isinstance(message, bytes) else message


@require_websocket
def until_not_message(request):
    while True:
        message = request.websocket.wait()
        if not message:
            break
        request.websocket.send(message)


@require_websocket
def until_message_is_none(request):
    for message in request.websocket:
        if message is None:
            break
        request.websocket.send(message)


@require_websocket
def until_not_message_in_a_for(request):
    for message in request.websocket:
        if not message:
            break
        request.websocket.send(message)


@require_websocket
def until_an_eof_error(request):
    while True:
        try:
            message = request.websocket.read()
        except EOFError:
            break
        if message:
            request.websocket.send(message)


@require_websocket
def until_any_exception(request):
    while True:
        try:
            message = request.websocket.wait()
            request.websocket.send(message)
        except:  # noqa: E722
            break


@require_websocket
def while_not_closed(request):
    while not request.websocket.closed:
        message = request.websocket.wait()
        if message:
            request.websocket.send(message)


@require_websocket
def while_not_is_closed(request):
    while not request.websocket.is_closed():
        message = request.websocket.wait()
        if message:
            request.websocket.send(message)


@require_websocket
def while_connected(request):
    while request.websocket.connected:
        message = request.websocket.wait()
        if message:
            request.websocket.send(message)


@require_websocket
def while_it_has_messages(request):
    while not request.websocket.is_closed():
        if request.websocket.has_messages():
            request.websocket.send(request.websocket.read())


@require_websocket
def without_an_end(request):
    while True:
        message = request.websocket.wait()
        request.websocket.send(message or "")


LOOPS = [
    until_not_message,
    until_message_is_none,
    until_not_message_in_a_for,
    until_an_eof_error,
    until_any_exception,
    while_not_closed,
    while_not_is_closed,
    while_connected,
    while_it_has_messages,
    without_an_end,
]


@either
@pytest.mark.parametrize("view", LOOPS, ids=lambda view: view.__name__)
def test_loops_echo_and_end_with_their_client(site, caplog, view, legacy):
    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        for message in ("one", "\u20ac"):
            websocket.send(message)
            assert text_of(websocket.receive()) == message
    # The with block has waited for the view; it ended without a traceback.
    assert caplog.records == []
