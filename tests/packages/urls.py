from debug_toolbar.toolbar import debug_toolbar_urls
from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("page/", views.page),
    path("api/", views.api),
    path("view/", views.view),
    path("handler/", views.Handler.as_view()),
    path("coroutine/", views.coroutine),
    path("coroutines/", views.Coroutines.as_view()),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("metrics/", include("django_prometheus.urls")),
    path("reload/", include("django_browser_reload.urls")),
    path("security/", include("session_security.urls")),
    path("silk/", include("silk.urls", namespace="silk")),
    *debug_toolbar_urls(),
]
