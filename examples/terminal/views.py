"""A web terminal: one view that waits for the browser and for a process at the same time.

Whoever reaches this view runs commands as the user of the server. It is here to show how to wait
for two things; it answers only with DEBUG on and only to this machine. Do not publish it.
"""

import functools
import selectors
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.shortcuts import render

from dwebsocket import require_websocket
from dwebsocket.http import WebSocket, WebSocketRequest
from terminal.shell import Shell

View = Callable[[HttpRequest], HttpResponseBase]


def this_machine_only(view: View) -> View:
    @functools.wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        local = request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}
        # Behind a proxy on this machine everybody seems to come from here.
        if not settings.DEBUG or not local or "X-Forwarded-For" in request.headers:
            return HttpResponseForbidden("The terminal is for DEBUG and for this machine only.")
        return view(request)

    return guarded


@this_machine_only
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "terminal/terminal.html")


@this_machine_only  # outside: it refuses with a real 403, before the handshake
@require_websocket
def terminal(request: WebSocketRequest) -> None:
    with Shell() as shell:
        connect(request.websocket, shell)


def connect(websocket: WebSocket, shell: Shell) -> None:
    """Pass on what either side says, until one of them ends."""
    # A selector rather than select(): it takes descriptors above 1023, and gevent and eventlet
    # replace it by one that lets other greenlets run.
    with selectors.DefaultSelector() as selector:
        selector.register(websocket, selectors.EVENT_READ)
        selector.register(shell, selectors.EVENT_READ)
        while True:
            # First what has been read already: the descriptor would not tell.
            while websocket.has_messages():
                shell.write(websocket.read(b""))
            if websocket.close_code is not None:  # `closed` would read once more
                return
            ready = [key.fileobj for key, _ in selector.select()]
            if shell in ready:
                output = shell.read()
                if not output:
                    return
                websocket.send(output)
