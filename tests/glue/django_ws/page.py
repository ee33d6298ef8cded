"""The samples of django-ws's page. Only the first import is another one."""

from importlib import import_module

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import auth

from dwebsocket import JsonWebSocketHandler as WebSocketHandler

calls = []


def do_something_on_open():
    calls.append("open")


def do_something_on_msg():
    calls.append("message")


def do_something_on_close():
    calls.append("close")


class MySocket(WebSocketHandler):
    async def on_open(self):
        do_something_on_open()

    async def on_message(self, data):
        do_something_on_msg()

        # send json data
        self.send({"reply": "sending data back"})

    async def on_close(self):
        do_something_on_close()


class AuthAsyncMiddleware:
    def __init__(self, func):
        self.func = func

    async def __call__(self, ws):
        print("Pre Run Loop")

        if not hasattr(ws.request, "user"):
            engine = import_module(settings.SESSION_ENGINE)
            SessionStore = engine.SessionStore  # noqa: N806
            session_key = ws.request.COOKIES.get(settings.SESSION_COOKIE_NAME)
            ws.request.session = SessionStore(session_key)
            ws.request.user = await sync_to_async(auth.get_user)(ws.request)

        print("USER:", ws.request.user)

        ret = await self.func(ws)

        print("POST Run Loop")

        return ret
