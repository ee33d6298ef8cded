"""The two smallest views: an echo, and one view that speaks WebSocket and plain HTTP."""

from django.http import HttpResponse

from dwebsocket import accept_websocket, require_websocket


@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


@accept_websocket
def lower_case(request):
    if not request.is_websocket():
        message = request.GET.get("message", "")
        return HttpResponse(message.lower(), content_type="text/plain; charset=utf-8")
    for message in request.websocket:
        request.websocket.send(message.lower())
    return None
