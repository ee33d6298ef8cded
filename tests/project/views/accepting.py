"""Subprotocols, and views that accept or refuse by themselves."""

import time
from pathlib import Path

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from dwebsocket import require_websocket
from dwebsocket.exceptions import InvalidState

from ..journal import record, recorded
from .ending import DeliberateError


@require_websocket(subprotocols=["superchat", "chat"])
@recorded
def subprotocols(request):
    for _ in request.websocket:
        request.websocket.send(str(request.websocket.subprotocol))


@require_websocket(auto_accept=False)
@recorded
def manual_accept(request):
    request.websocket.accept(subprotocol="chat", headers={"X-Room": "blue"})
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket(auto_accept=False)
def manual_accept_again(request):
    """The first tries are refused, and nothing has happened."""
    for headers in ({"Upgrade": "twice"}, {"X-Name": "caf\u00e9 \u2615"}):
        try:
            request.websocket.accept(headers=headers)
        except ValueError:
            pass
    try:
        request.websocket.send("too early")
    except InvalidState as error:
        request.websocket.accept()
        request.websocket.send(str(error))


@require_websocket(auto_accept=False)
def manual_refuse(request):
    return HttpResponse("the room is full", status=403)


@require_websocket(auto_accept=False)
def manual_refuse_late(request):
    """When there is the file that the query names."""
    record(request, "deciding")
    end = time.monotonic() + 60
    while not Path(request.GET["until"]).exists() and time.monotonic() < end:
        time.sleep(0.01)
    return HttpResponse("the room is full", status=403)


@require_websocket(auto_accept=False)
def manual_raise(request):
    raise DeliberateError("before the 101")


@require_websocket(auto_accept=False)
def manual_deny(request):
    raise PermissionDenied("must not reach the socket")


@require_websocket(auto_accept=False)
def manual_forget(request):
    """Neither accepts nor refuses, which is an error of the view's."""


def manual_replaced(request):
    """As a decorator does that has answers of its own."""
    manual_refuse(request)
    return HttpResponse("another room", status=404)


@require_websocket(auto_accept=False)
async def async_refuse(request):
    return HttpResponse("the room is full", status=403)


@require_websocket(auto_accept=False)
async def async_raise(request):
    raise DeliberateError("before the 101")
