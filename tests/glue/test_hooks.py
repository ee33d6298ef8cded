"""What groups call of a handler: each in its turn, and nobody is held up by another one's."""

import asyncio
import sys
import threading

import pytest

from dwebsocket import Group, WebSocketHandler

SOON = 20


@pytest.fixture
def room(request):
    return Group(f"hooks-{request.node.name}")


def test_a_call_that_hangs_holds_its_own_handler_only(serve_either, room):
    hangs = threading.Event()

    class Room(WebSocketHandler):
        def on_open(self):
            room.track(self.websocket, self.request.GET["name"])

        def on_presence(self, joined, left):
            if self.request.GET["name"] == "hangs":
                self.send("hangs")
                hangs.wait(SOON)
            self.send(",".join(sorted(joined)))

        def on_message(self, message):
            self.send(message)

    client = serve_either(Room.as_view())
    try:
        with client.websocket("/?name=hangs") as slow, client.websocket("/?name=ada") as ada:
            assert slow.receive(SOON) == "hangs"
            slow.send("waits for its turn")
            while "ada" not in ada.receive(SOON):
                pass
            ada.send("ada")
            assert ada.receive(SOON) == "ada"
            with client.websocket("/?name=bob"):
                assert ada.receive(SOON) == "bob"
                hangs.set()
                while slow.receive(SOON) != "waits for its turn":
                    pass
    finally:
        hangs.set()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_nothing_is_called_once_it_has_closed(serve_either, room, reports, kind):
    taken = []

    class Plain(WebSocketHandler):
        def on_message(self, message):
            self.websocket._hooks.tell("on_presence", "room", lambda: taken.append(1))
            self.close()

        def on_presence(self, joined, left):
            taken.append(2)

        def on_close(self):
            self.websocket._hooks.tell("on_presence", "room", lambda: taken.append(3))
            reports("closed")

    class Async(Plain):
        async def on_message(self, message):
            super().on_message(message)

    session = serve_either((Plain if kind == "plain" else Async).as_view()).websocket("/")
    session.send("x")
    assert reports.next() == "closed"
    session.close()
    assert 2 not in taken
    assert 3 not in taken


@pytest.mark.skipif(sys.version_info < (3, 11), reason="3.10 does not tell who was cancelled")
def test_something_that_it_awaits_is_cancelled(serve_either, room, reports):
    class Room(WebSocketHandler):
        async def on_open(self):
            room.track(self.websocket, 1)

        async def on_presence(self, joined, left):
            raise asyncio.CancelledError

        async def on_error(self, error):
            reports(type(error))

        async def on_close(self):
            reports(self.websocket.close_code)

    session = serve_either(Room.as_view(), raise_request_exception=False).websocket("/")
    assert reports.next() is asyncio.CancelledError
    assert reports.next() == 1011
    session.close()


def test_a_method_that_is_empty_costs_nothing(serve_either, reports):
    class Plain(WebSocketHandler):
        def on_open(self):
            Group("hooks").add(self.websocket)
            reports(self.websocket._hooks)

    with serve_either(Plain.as_view()).websocket("/"):
        assert reports.next() is None
