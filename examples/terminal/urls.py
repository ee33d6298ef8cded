from django.urls import path

from terminal import views

urlpatterns = [
    path("", views.page, name="terminal_page"),
    path("socket/", views.terminal, name="terminal"),
]
