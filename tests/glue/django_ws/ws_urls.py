"""Found by its name, beside urls.py."""

from django.urls import include, path, re_path, reverse

from dwebsocket import WebSocketHandler, require_websocket

from .page import MySocket


class Telling(WebSocketHandler):
    async def on_open(self):
        self.send_json([list(self.args), self.kwargs, reverse("page")])


class PlainTelling(WebSocketHandler):
    def on_open(self):
        self.send_json([list(self.args), self.kwargs, reverse("page")])


@require_websocket
async def view(request, number):
    await request.websocket.asend(str(number))


urlpatterns = [
    path("ws", MySocket),
    path("telling/<int:number>/<slug:name>", Telling, {"extra": 1}),
    path("plain/<int:number>", PlainTelling),
    re_path(r"^positional/(\d+)/(\w+)$", Telling),
    path("as-view/<int:number>", Telling.as_view()),
    path("view/<int:number>", view),
    path("below/", include([path("<int:number>", Telling)])),
]
