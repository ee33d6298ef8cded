"""Every way in which a view ends."""

import time
from pathlib import Path

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse

from dwebsocket import require_websocket

from ..journal import recorded


class DeliberateError(Exception):
    """Raised on purpose: the only traceback that a server's log may hold."""


def return_none(request):
    return None


def return_response(request):
    return HttpResponse("must not reach the socket")


def return_json(request):
    return JsonResponse({"must not": "reach the socket"})


def return_stream(request):
    return StreamingHttpResponse(iter(["must not ", "reach the socket"]))


def raise_error(request):
    raise DeliberateError(f"must not reach the socket: {request.path}")


def raise_404(request):
    raise Http404("must not reach the socket")


def raise_permission_denied(request):
    raise PermissionDenied("must not reach the socket")


def raise_closed(request):
    request.websocket.close()
    request.websocket.send("too late")


def raise_closed_by_client(request):
    while True:
        request.websocket.wait()


ENDINGS = {
    "none": return_none,
    "response": return_response,
    "json": return_json,
    "stream": return_stream,
    "error": raise_error,
    "404": raise_404,
    "permission-denied": raise_permission_denied,
    "closed": raise_closed,
    "closed-by-client": raise_closed_by_client,
}


@require_websocket
@recorded
def waiting(request):
    """Answer messages; but wait until there is the file that one names, or end as another says."""
    for message in request.websocket:
        if message == "return":
            return
        if message == "raise":
            raise_error(request)
        elif message == "close":
            request.websocket.close(4000)
        elif message.startswith("until "):
            end = time.monotonic() + 60
            while not Path(message.removeprefix("until ")).exists() and time.monotonic() < end:
                time.sleep(0.01)
        if message != "nothing":
            request.websocket.send(message)


@require_websocket
@recorded
def ending(request, how, name=""):
    request.websocket.send("hello")
    request.websocket.wait()
    return ENDINGS[how](request)
