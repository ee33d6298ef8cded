from django.urls import path
from django.views.generic import TemplateView

from ticker import views

urlpatterns = [
    path("", TemplateView.as_view(template_name="ticker/ticker.html"), name="ticker_page"),
    path("socket/", views.load, name="ticker"),
]
