"""Handlers: called when something happens."""

import os
import threading
import time

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext

from dwebsocket import JsonWebSocketHandler, WebSocketHandler

from ..journal import record
from .ending import DeliberateError


class Recorded(WebSocketHandler):
    """Tells the test when it began, and that it ended."""

    def on_open(self):
        record(self.request, "started", pid=os.getpid())

    def on_close(self):
        websocket = self.websocket
        record(
            self.request,
            "ended",
            outcome="on_close",
            close_code=websocket.close_code,
            close_reason=websocket.close_reason,
        )


class Echo(Recorded):
    subprotocols = ("echo.v2", "echo.v1")

    def on_message(self, message):
        self.send(message)


class Dropping(Echo):
    """Gives its request back, and tells what is left of it."""

    keep_request = False

    def on_close(self):
        pass

    def on_message(self, message):
        try:
            rest = f"{self.request.META}"
        except AttributeError as error:
            rest = str(error)
        self.send_json([self.request.path, str(self.request.user), self.kwargs, rest])


class Json(Recorded, JsonWebSocketHandler):
    def on_message(self, message):
        self.send_json({"got": message})

    def on_error(self, error):
        record(self.request, "error", error=type(error).__name__)


class Ending(Recorded):
    """Ends as the URL says, in on_open or in on_message."""

    def on_open(self):
        super().on_open()
        if self.kwargs["where"] == "open":
            self.end()

    def on_message(self, message):
        self.end()

    def end(self):
        self.send("work")
        getattr(self, "end_by_" + self.kwargs["how"])()

    def end_by_raising(self):
        raise DeliberateError("must not reach the socket")

    def end_by_closing(self):
        self.close(4000, "enough")

    def end_by_sending(self):
        self.close(4000, "enough")
        self.send("too late")

    def on_error(self, error):
        record(self.request, "error", error=type(error).__name__)


class Slow(Recorded):
    """Each message takes as many seconds as it says."""

    def on_message(self, message):
        self.send("begin")
        time.sleep(float(message))
        self.send(f"end {message}")


class Context(Recorded):
    """Says in which language, time zone and thread it is called, and asks the database."""

    def on_open(self):
        translation.activate("de")
        timezone.activate("Asia/Tokyo")

    def on_message(self, message):
        self.send_json(
            [gettext("Yes"), timezone.get_current_timezone_name(), Session.objects.count()]
        )

    def on_close(self):
        pass


class Held(Recorded):
    """Whether a database connection is open between two calls of this thread."""

    def on_message(self, message):
        before = connection.connection is not None
        Session.objects.count()
        self.send_json(before)


class Guarded(LoginRequiredMixin, Echo):
    raise_exception = True


class WithGet(Echo):
    def get(self, request):
        return HttpResponse("plain")


class Pushed(Recorded):
    """Other threads send, while nobody is in a call."""

    def on_message(self, message):
        threads = [threading.Thread(target=self.push, args=(mark,)) for mark in "ab"]
        for thread in threads:
            thread.start()

    def push(self, mark):
        for number in range(20):
            self.send(f"{mark}{number:02}" + mark * 100_000)


class Flood(Recorded):
    """For a client that does not read."""

    def on_message(self, message):
        try:
            while True:
                self.send(b"\0" * 100_000)
        except EOFError:
            record(self.request, "flooded", close_code=self.websocket.close_code)
            raise
