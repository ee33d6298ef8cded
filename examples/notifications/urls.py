from django.urls import path

from notifications import views

urlpatterns = [
    path("", views.page, name="notifications_page"),
    path("socket/", views.Notifications.as_view(), name="notifications"),
]
