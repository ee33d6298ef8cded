"""Views that tell what middleware has set up for them."""

from django.http import HttpResponse

from dwebsocket import accept_websocket, require_websocket

from ..holding import see
from ..journal import recorded


@require_websocket
@recorded
def view(request):
    for _ in request.websocket:
        request.websocket.send_json(see(request))


@require_websocket(auto_accept=False)
@recorded
def accepting(request):
    request.websocket.accept()
    for _ in request.websocket:
        request.websocket.send_json(see(request))


def marked(request):
    """``WebSocketMiddleware`` runs it."""
    return view.__wrapped__(request)


marked.require_websocket = True


@accept_websocket
def session(request):
    """Keeps the last message in the session, which plain HTTP shows."""
    if not request.is_websocket():
        return HttpResponse(request.session.get("holding", ""))
    for message in request.websocket:
        request.session["holding"] = message
        request.websocket.send("kept")
    return None
