from django.urls import path

from .ws_urls import Telling

urlpatterns = [path("other/<str:where>", Telling)]
