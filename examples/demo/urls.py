from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from django.views.generic import TemplateView

from demo import views

urlpatterns = [
    path("", TemplateView.as_view(template_name="demo/index.html"), name="index"),
    path("windows/", views.Window.as_view(), name="windows"),
    path("chat/", include("chat.urls")),
    path("echo/", include("echo.urls")),
    path("notifications/", include("notifications.urls")),
    path("ticker/", include("ticker.urls")),
    path("terminal/", include("terminal.urls")),
    path("wall/", include("wall.urls")),
    # runserver serves static files by itself; the other servers need this (DEBUG only).
    *staticfiles_urlpatterns(),
]
