"""Ordinary HTTP views, beside the WebSockets."""

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
