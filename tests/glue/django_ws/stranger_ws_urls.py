from django.urls import include, path
from django.views import View

from dwebsocket import WebSocketHandler


class Stranger(View):
    pass


urlpatterns = [
    path("handler/", WebSocketHandler),
    path("view/", Stranger.as_view()),
    path("inner/", include([path("class/", Stranger)])),
]
