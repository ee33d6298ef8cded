"""Views that make a query and then wait for the client."""

import os

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from dwebsocket import require_websocket

from ..journal import recorded


def count_open_databases():
    """How often this process has the database file open, seen by the kernel."""
    path = str(connection.settings_dict["NAME"])
    count = 0
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            count += os.readlink(f"/proc/self/fd/{number}") == path  # noqa: PTH115
        except FileNotFoundError:  # closed meanwhile, such as listdir's own descriptor
            continue
    return count


def count_and_query():
    before = count_open_databases()
    get_user_model().objects.count()
    return [before, count_open_databases()]


@require_websocket
@recorded
def query_then_wait(request):
    """Once it is told to."""
    request.websocket.wait()
    request.websocket.send_json(count_and_query())
    request.websocket.wait()
    request.websocket.send(str(get_user_model().objects.count()))


@require_websocket
@recorded
def query_then_wait_in_atomic(request):
    request.websocket.wait()
    with transaction.atomic():
        request.websocket.send_json(count_and_query())
        request.websocket.wait()
        request.websocket.send(str(get_user_model().objects.count()))
