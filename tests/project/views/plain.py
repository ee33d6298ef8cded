"""Ordinary HTTP views, beside the WebSockets."""

import ctypes
import gc
import json

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from ..journal import record


def plain(request):
    record(request, "http")
    return HttpResponse("plain")


@csrf_exempt  # garbled bytes before the GET make another method of it
def smuggled(request):
    """Only ever requested behind a WebSocket's Close: no server may serve it."""
    record(request, "smuggled")
    return HttpResponse("smuggled")


changed = []


def change_settings(request):
    """Change settings of this process, until the next call changes others."""
    from django.test.utils import override_settings  # which loads Django's test client

    while changed:
        changed.pop().disable()
    changed.append(override_settings(**json.loads(request.GET["settings"])))
    changed[-1].enable()
    return HttpResponse("changed")


@csrf_exempt
def posted(request):
    return HttpResponse("posted")


def trim(request):
    """What nobody refers to any more goes back to the system: malloc_trim(3)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return HttpResponse(b"trimmed")
