import time
from contextlib import ExitStack

import pytest
from chat import orders
from chat.models import Order
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from dwebsocket import Group
from dwebsocket.groups.current import get_backend
from dwebsocket.testing import WebSocketClient

MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}


def wait_for_members(room, count):
    end = time.monotonic() + 30
    while len(Group(room)) != count:
        assert time.monotonic() < end, f"{len(Group(room))} members, not {count}"
        time.sleep(0.01)


class TheSetting(SimpleTestCase):
    def test_redis_is_chosen(self):
        backend = get_backend()
        assert backend.shared
        assert type(backend).__name__ == "RedisGroupBackend"
        assert run_checks() == []


@override_settings(WEBSOCKET_GROUPS=MEMORY)
class Groups(SimpleTestCase):
    client_class = WebSocketClient

    def test_views_and_handlers_get_what_is_sent(self):
        with ExitStack() as stack:
            ada, bob, zoe = (
                stack.enter_context(self.client.websocket(address))
                for address in ("/ws/lobby/", "/ws/lobby/", "/listen/lobby/")
            )
            wait_for_members("lobby", 3)
            ada.send("Hello")
            assert bob.receive() == zoe.receive() == "Hello"
            assert self.client.get("/say/lobby/?text=Tea").content == b"Said"
            assert ada.receive() == bob.receive() == zoe.receive() == "Tea"
        wait_for_members("lobby", 0)

    def test_rooms_are_apart(self):
        with self.client.websocket("/ws/a/") as ada, self.client.websocket("/listen/b/") as bob:
            wait_for_members("a", 1)
            wait_for_members("b", 1)
            ada.send("for a alone")
            Group("b").send("for b")
            assert bob.receive() == "for b"

    def test_the_command_needs_a_backend_that_reaches_others(self):
        with pytest.raises(CommandError):
            call_command("websocket_send", "lobby", "Hello")


@override_settings(WEBSOCKET_GROUPS=MEMORY)
class Orders(TransactionTestCase):
    client_class = WebSocketClient

    def setUp(self):
        with connection.schema_editor() as editor:  # the page shows no migration
            editor.create_model(Order)
        self.addCleanup(self.remove)

    def remove(self):
        with connection.schema_editor() as editor:
            editor.delete_model(Order)

    def test_the_kitchen_hears_of_what_is_committed(self):
        with self.client.websocket("/listen/kitchen/") as kitchen:
            wait_for_members("kitchen", 1)
            with pytest.raises(ValueError, match="twenty tables"):
                orders.take_order(21)
            orders.take_order(20)
            (order,) = Order.objects.all()
            assert kitchen.receive_json() == {"order": order.pk}
