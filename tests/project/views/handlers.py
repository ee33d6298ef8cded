"""Handlers: called when something happens."""

import os
import threading
import time
from contextvars import ContextVar
from pathlib import Path

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from dwebsocket import ConnectionClosed, JsonWebSocketHandler, WebSocketHandler
from dwebsocket.exceptions import InvalidState

from ..journal import record
from .database import count_and_query
from .ending import DeliberateError


class DeliberateExit(BaseException):
    """As gevent's and eventlet's Timeout are, no Exception."""


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


class Lengths(Recorded):
    def on_message(self, message):
        self.send(str(len(message)))


class Quiet(WebSocketHandler):
    """Without the descriptor that a report takes."""

    def on_message(self, message):
        self.send(message)


class Keeping(Recorded):
    """Tells in the end what has come."""

    def on_open(self):
        self.messages = []

    def on_message(self, message):
        self.messages.append(message)

    def on_close(self):
        record(self.request, "kept", messages=self.messages)


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
    """Ends in the method and in the way that the URL says."""

    def on_open(self):
        super().on_open()
        self.end("open")

    def on_message(self, message):
        self.send("work")
        self.end("message")
        if self.kwargs["where"] == "error":
            raise self.error("raised for on_error")
        self.close(4000, "enough")

    def on_error(self, error):
        record(self.request, "error", error=type(error).__name__)
        self.end("error")

    def on_close(self):
        super().on_close()
        self.end("close")

    def end(self, where):
        if self.kwargs["where"] == where:
            getattr(self, "end_by_" + self.kwargs["how"])()

    def error(self, words):
        return DeliberateError(f"must not reach the socket, {words}: {self.request.path}")

    def end_by_raising(self):
        raise self.error("once")

    def end_by_exiting(self):
        raise DeliberateExit(f"must not reach the socket, once: {self.request.path}")

    def end_by_404(self):
        raise Http404("must not reach the socket")

    def end_by_closing(self):
        self.close(4000, "enough")
        self.close(4001, "too late")

    def end_by_sending(self):
        self.close(4000, "enough")
        self.send("too late")


class Waiting(Recorded):
    """A handler must not wait; what happens if it does, with another message at hand or not."""

    def on_message(self, message):
        websocket = self.websocket
        tries = {
            "wait": websocket.wait,
            "wait without waiting": lambda: websocket.wait(0),
            "wait_json": websocket.wait_json,
            "read": websocket.read,
            "iteration": lambda: next(iter(websocket)),
        }
        found = {}
        for name, call in tries.items():
            try:
                found[name] = f"returned {call()}"
            except InvalidState as error:
                found[name] = str(error)
        self.send_json([message, found])


class Closed(Recorded):
    """What the state says once the handler has closed."""

    def on_message(self, message):
        websocket = self.websocket
        before = [websocket.closed, websocket.is_closed(), websocket.connected]
        self.close(4000)
        after = [websocket.closed, websocket.is_closed(), websocket.connected]
        try:
            self.send("too late")
        except ConnectionClosed as error:
            sent = str(error)
        record(self.request, "results", before=before, after=after, sent=sent)


class Slow(Recorded):
    """Each message takes as many seconds as it says, or until the file is there that it names."""

    def on_message(self, message):
        self.send("begin")
        seconds, _, path = message.partition(" ")
        if path:
            end = time.monotonic() + float(seconds)
            while not os.path.exists(path) and time.monotonic() < end:  # noqa: PTH110
                time.sleep(0.01)
        else:
            time.sleep(float(seconds))
        self.send(f"end {seconds:.20}")


class Held(Recorded):
    """Is at work with each message until there is the file that it names."""

    def on_message(self, message):
        started = time.monotonic()
        while not Path(message.rstrip()).exists() and time.monotonic() - started < 60:
            time.sleep(0.01)


class Opening(Slow):
    """Takes as many seconds to open as the URL says."""

    def on_open(self):
        super().on_open()
        time.sleep(float(self.kwargs["seconds"]))
        self.send("opened")


class Busy(Recorded):
    """Is at work until its client has left, in the method and in the way that the URL says."""

    def on_open(self):
        super().on_open()
        self.work("open")

    def on_message(self, message):
        self.work("message")

    def work(self, where):
        if self.kwargs["where"] != where:
            return
        started = time.monotonic()
        try:
            while self.goes_on() and time.monotonic() - started < 20:
                time.sleep(0.05)
        finally:
            seconds, code = time.monotonic() - started, self.websocket.close_code
            record(self.request, "worked", seconds=seconds, close_code=code)

    def goes_on(self):
        if self.kwargs["how"] == "looking":
            return self.connected
        self.send("working")
        return True


class Catching(Recorded):
    """Works for as many seconds as a message says, and tells which others have come."""

    def on_message(self, message):
        record(self.request, "got", message=message)
        end = time.monotonic() + float(message)
        try:
            while time.monotonic() < end:
                time.sleep(0.05)
                self.send("working")
        except ConnectionClosed:  # what came before the end is still to come
            pass


class Timer(Recorded):
    def on_message(self, message):
        threading.Timer(0.01, self.send_json, [{message: 1}]).start()


class Ordered(Recorded):
    """Each call takes a while, during which no other one of this connection may begin."""

    calling = False

    def on_message(self, message):
        if self.calling:
            self.close(4000, "two calls at once")
        self.calling = True
        time.sleep(0.02)
        self.calling = False
        self.send(message)


mark = ContextVar("mark", default="none")


class Context(Recorded):
    """What is active in a call: what was so at the end of on_open, whatever a call changes."""

    def on_open(self):
        super().on_open()
        translation.activate("de")
        timezone.activate("Asia/Tokyo")
        mark.set("mine")

    def on_message(self, message):
        self.send_json(
            [
                gettext("Yes"),
                timezone.get_current_timezone_name(),
                mark.get(),
                reverse("handler-context"),
            ]
        )
        translation.activate("fr")
        timezone.activate("Asia/Kolkata")
        mark.set("changed")


class Untouched(Recorded):
    """What is active in a call if its request has changed nothing, whatever those before it in the
    same thread of the server have.
    """

    def on_message(self, message):
        self.send_json(
            [
                gettext("Yes"),
                timezone.get_current_timezone_name(),
                mark.get(),
                reverse("handler-context"),
            ]
        )


class Changing(WebSocketHandler):
    """What is active in a call of a handler whose request has changed nothing."""

    def on_message(self, message):
        self.send_json([translation.get_language(), mark.get()])
        if message != "leave it":
            translation.activate("fr")
            mark.set("changed")


class Querying(Recorded):
    """How often the database is open before a query and after it."""

    def on_message(self, message):
        self.send_json(count_and_query())


class Guarded(LoginRequiredMixin, Echo):
    raise_exception = True
    permission_denied_message = "must not reach the socket"


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
            self.send(f"{mark}{number:02}" + mark * 20_000)


class Flood(Recorded):
    """For a client that does not read."""

    def on_message(self, message):
        sent = 0
        try:
            while sent < int(message):
                self.send(bytes(100_000))
                sent += 100_000
        finally:
            record(self.request, "flooded", sent=sent)
