from django.urls import path

from wall import views

urlpatterns = [
    path("htmx2/", views.page, {"template": "wall/htmx2.html"}, name="wall_htmx2"),
    path("htmx4/", views.page, {"template": "wall/htmx4.html"}, name="wall_htmx4"),
    path("turbo/", views.turbo_page, name="wall_turbo"),
    path("socket/htmx/", views.HtmxWall.as_view(), name="wall_htmx_socket"),
    path("socket/turbo/", views.TurboWall.as_view(), name="wall_turbo_socket"),
]
