from django.urls import path

from notes import views

urlpatterns = [
    path("", views.page, name="notes_page"),
    path("socket/", views.Notes.as_view(), name="notes"),
]
