from django.urls import path
from django.views.generic import TemplateView

from echo import views

urlpatterns = [
    path(
        "",
        TemplateView.as_view(template_name="echo/echo.html", extra_context={"socket": "echo"}),
        name="echo_page",
    ),
    path("socket/", views.echo, name="echo"),
    path(
        "lower/",
        TemplateView.as_view(
            template_name="echo/lower_case.html", extra_context={"socket": "lower_case"}
        ),
        name="lower_case_page",
    ),
    path("lower/socket/", views.lower_case, name="lower_case"),
]
