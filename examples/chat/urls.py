from django.urls import path
from django.views.generic import RedirectView

from chat import views

urlpatterns = [
    path("", RedirectView.as_view(url="lobby/"), name="chat_page"),
    path("<slug:room>/", views.page, name="chat_room"),
    path("<slug:room>/socket/", views.Chat.as_view(), name="chat"),
]
