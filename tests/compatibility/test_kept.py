"""WebSockets kept in lists, sets and dicts, and used by other threads and views."""

import threading

import pytest
from django.http import HttpResponse

from dwebsocket.decorators import accept_websocket, require_websocket

from ..glue.site import TIMEOUT

either = pytest.mark.parametrize("legacy", [False, True])


def text_of(message):
    """A legacy view answers the bytes it got as text; both look the same to a browser."""
    return message.decode() if isinstance(message, bytes) else message


@either
def test_clients_in_a_list(site, legacy):
    """Echo to all but oneself, and leave the list at the end: the shipped example."""
    clients = []

    @accept_websocket
    def view(request):
        if request.is_websocket:  # not called: always true here
            clients.append(request.websocket)
            request.websocket.send("welcome")
            try:
                for message in request.websocket:
                    for client in clients:
                        if client != request.websocket and client.connected:
                            client.send(message)
            finally:
                clients.remove(request.websocket)

    # What a legacy iteration yields last is None, and sending that is an error, as it was.
    site_client = site.serve(view, WEBSOCKET_LEGACY=legacy, raise_request_exception=not legacy)
    with site_client.websocket("/") as first:
        assert first.receive() == "welcome"
        with site_client.websocket("/") as second:
            assert second.receive() == "welcome"
            first.send("to the other")
            assert text_of(second.receive()) == "to the other"
        with pytest.raises(TimeoutError):
            first.receive(timeout=0.02)
    assert clients == []


@either
def test_clients_in_a_set_and_a_dict(site, legacy):
    members, by_name = set(), {}

    @require_websocket
    def view(request):
        websocket = request.websocket
        members.add(websocket)
        members.add(websocket)
        by_name[request.GET["name"]] = websocket
        assert websocket in members
        assert websocket in list(by_name.values())
        websocket.send(str(len(members)))
        websocket.wait()
        members.discard(websocket)
        del by_name[request.GET["name"]]

    client = site.serve(view, WEBSOCKET_LEGACY=legacy)
    with client.websocket("/?name=a") as first:
        assert first.receive() == "1"
        with client.websocket("/?name=b") as second:
            assert second.receive() == "2"
            by_name["a"].send("from outside")
            assert first.receive() == "from outside"
    assert (members, by_name) == (set(), {})


@either
def test_another_view_sends(site, legacy):
    from django.urls import path

    clients = {}

    @accept_websocket
    def listen(request):
        clients["it"] = request.websocket
        request.websocket.send("ready")
        request.websocket.wait()

    def notify(request):
        clients["it"].send("an order has come in")
        return HttpResponse("told")

    client = site.serve(listen, path("notify/", notify), WEBSOCKET_LEGACY=legacy)
    with client.websocket("/") as websocket:
        websocket.receive()
        assert client.get("/notify/").content == b"told"
        assert websocket.receive() == "an order has come in"


@either
def test_a_thread_sends_while_the_view_waits(site, legacy):
    """The web terminal: one thread reads the shell and sends, the view waits for keys."""
    keys = []

    @require_websocket
    def view(request):
        def pump():
            for number in range(5):
                request.websocket.send(f"line {number}")

        thread = threading.Thread(target=pump)
        thread.start()
        for key in request.websocket:
            keys.append(key)
        thread.join(TIMEOUT)

    with site.serve(view, WEBSOCKET_LEGACY=legacy).websocket("/") as websocket:
        websocket.send("k")
        assert [websocket.receive() for _ in range(5)] == [f"line {n}" for n in range(5)]
    assert [text_of(key) for key in keys] == (["k", None] if legacy else ["k"])
