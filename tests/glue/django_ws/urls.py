from django.http import HttpResponse
from django.urls import path, reverse

from dwebsocket import WebSocketHandler


def page(request):
    return HttpResponse("page")


class InRoot(WebSocketHandler):
    async def on_open(self):
        self.send(f"root {reverse('page')}")


urlpatterns = [
    path("", page, name="page"),
    path("ws", InRoot.as_view()),
    path("only-in-root", InRoot.as_view()),
]
