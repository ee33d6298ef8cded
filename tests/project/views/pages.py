"""Pages at the addresses of WebSockets, and decorators that want a response."""

from itertools import count

from django.http import HttpResponse
from django.views.decorators.cache import cache_page, never_cache
from django.views.decorators.vary import vary_on_cookie

from dwebsocket import WebSocketHandler, accept_websocket, require_websocket

from ..journal import recorded

numbers = count(1)


def echo(request):
    if request.websocket is None:
        return HttpResponse(f"page {next(numbers)}")
    for message in request.websocket:
        request.websocket.send(message)
    return None


class Echo(WebSocketHandler):
    def get(self, request):
        return HttpResponse(f"page {next(numbers)}")

    def on_message(self, message):
        self.send(message)


view = accept_websocket(echo)
handler = Echo.as_view()
cached_above = cache_page(60)(accept_websocket(echo))
cached_below = accept_websocket(cache_page(60)(echo))
cached_handler = cache_page(60)(Echo.as_view())

never_cached = require_websocket(never_cache(recorded(echo)))
varying = require_websocket(vary_on_cookie(recorded(echo)))


def of_rest_framework(request):
    """What it needs takes longer to load than all the rest of the site: not before it is asked."""
    from rest_framework.decorators import api_view

    return require_websocket(api_view(["GET"])(recorded(echo)))(request)
