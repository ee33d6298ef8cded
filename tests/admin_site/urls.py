from django.contrib import admin
from django.urls import path

from dwebsocket import Group, WebSocketHandler


class Chat(WebSocketHandler):
    """Knows who has come: looked up, the user can be told of."""

    def on_open(self):
        room = self.kwargs["room"]
        Group(room).add(self.websocket)
        self.send(f"hello, {self.request.user.get_username() or 'you'}")


def restrict(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data:"
        return response

    return middleware


urlpatterns = [
    path("admin/", admin.site.urls),
    path("chat/<str:room>/", Chat.as_view()),
]
