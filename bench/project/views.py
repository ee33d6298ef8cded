from django.http import HttpResponse

from dwebsocket import WebSocketHandler, require_websocket


@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.websocket.send(message)


def plain(request):
    return HttpResponse("plain")
