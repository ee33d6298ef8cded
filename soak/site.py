"""An echo as a view and as a handler, and a census of the process that serves them."""

import ctypes
import gc
import os
import sys
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "soak.settings"

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from dwebsocket import WebSocketHandler, require_websocket
from dwebsocket.asgi import get_websocket_application

malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", int)  # glibc has it


@require_websocket
def echo(request: HttpRequest) -> None:
    for message in request.websocket:
        request.websocket.send(message)


class Echo(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.send(message)


def census(request: HttpRequest) -> JsonResponse:
    # What the next collection would free is not held, nor what the allocator keeps for later.
    gc.collect()
    malloc_trim(0)
    objects = gc.get_objects()
    greenlet = sys.modules.get("greenlet")
    return JsonResponse(
        {
            "memory": read_status("VmRSS"),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "threads": read_status("Threads"),
            # By type(): isinstance() would wake Django's lazy objects.
            "greenlets": sum(issubclass(type(entry), greenlet.greenlet) for entry in objects)
            if greenlet
            else 0,
            "objects": len(objects),
        }
    )


def read_status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def peak(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"memory": read_status("VmHWM")})


urlpatterns = [
    path("echo/", echo),
    path("handler/", Echo.as_view()),
    path("census/", census),
    path("peak/", peak),
]
application = get_wsgi_application()
asgi_application = get_websocket_application()
