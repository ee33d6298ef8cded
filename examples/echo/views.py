"""The two smallest views: an echo, and one view that speaks WebSocket and plain HTTP."""

from django.http import HttpResponse

from dwebsocket import accept_websocket, require_websocket
from dwebsocket.http import HttpOrWebSocketRequest, WebSocketRequest


@require_websocket
def echo(request: WebSocketRequest) -> None:
    for message in request.websocket:
        request.websocket.send(message)


@accept_websocket
def lower_case(request: HttpOrWebSocketRequest) -> HttpResponse | None:
    if request.websocket is None:
        answer = request.GET.get("message", "").lower()
        return HttpResponse(answer, content_type="text/plain; charset=utf-8")
    for message in request.websocket:
        request.websocket.send(message.lower())
    return None
