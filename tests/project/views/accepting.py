"""Subprotocols, and views that accept or refuse by themselves."""

from django.http import HttpResponse

from dwebsocket import require_websocket

from ..journal import recorded
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
def manual_refuse(request):
    return HttpResponse("the room is full", status=403)


@require_websocket(auto_accept=False)
def manual_raise(request):
    raise DeliberateError("before the 101")
