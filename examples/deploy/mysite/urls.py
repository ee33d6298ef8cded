from django.urls import path

from mysite import views

urlpatterns = [
    path("", views.page),
    path("talk/", views.Talk.as_view()),
    path("counter/", views.counter),
    path("count/", views.Count.as_view()),
]
