from django.urls import path

from bench.project import views

urlpatterns = [
    path("echo/", views.echo),
    path("async/", views.async_echo),
    path("handler/async/", views.AsyncEcho.as_view()),
    path("handler/async/light/", views.AsyncEcho.as_view(keep_request=False)),
    path("handler/", views.Echo.as_view()),
    path("handler/light/", views.Echo.as_view(keep_request=False)),
    path("fanout/", views.Member.as_view()),
    path("fanout/async/", views.AsyncMember.as_view()),
    path("fanout/counts/", views.counts),
    path("handler/slow/", views.Slow.as_view()),
    path("deploy/", views.Deployed.as_view()),
    path("deploy/member/", views.DeployedMember.as_view()),
    path("plain/", views.plain),
]
