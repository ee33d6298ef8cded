"""What handlers may do to themselves before they raise; and a system that has no threads."""

import asyncio
import logging
import os
from typing import ClassVar

from django.core.signals import got_request_exception

from dwebsocket import WebSocketHandler

from ..journal import record
from .ending import DeliberateError
from .handlers import DeliberateExit


class DeliberateErrorOfMemory(MemoryError):
    """As if there were none."""


class RaisingLog(logging.Handler):
    """A handler of the log that is broken."""

    def emit(self, line):
        raise DeliberateError("must not reach the socket: the log fails")


def fail_to_hear(**kwargs):
    raise DeliberateError("must not reach the socket: a receiver fails")


class Damage:
    """What each name of a failure stands for. The test hears of the end by ``told``."""

    told: dict

    def do_request(self):
        self.request = None

    def do_websocket(self):
        del self.websocket

    def do_everything(self):
        self.__dict__.clear()
        self.request = self.websocket = self.kwargs = None

    def do_nothing(self):
        pass

    def do_log(self):
        broken, logger = RaisingLog(), logging.getLogger("django.request")
        logger.addHandler(broken)
        self.mend = lambda: logger.removeHandler(broken)

    def do_receiver(self):
        got_request_exception.connect(fail_to_hear)
        self.mend = lambda: got_request_exception.disconnect(fail_to_hear)

    def do_memory(self):
        raise DeliberateErrorOfMemory("must not reach the socket")

    def do_exit(self):
        raise DeliberateExit("must not reach the socket")

    def damage(self):
        request, how = self.request, self.kwargs["how"]
        type(self).told[id(self)] = request
        getattr(self, "do_" + how)()
        raise DeliberateError(f"must not reach the socket: {how}")

    def tell_end(self):
        mend = self.__dict__.pop("mend", None)
        if mend is not None:
            mend()
        request = type(self).told.pop(id(self), None)
        if request is not None:
            record(request, "told", pid=os.getpid())


class Failing(Damage, WebSocketHandler):
    told: ClassVar = {}

    def on_message(self, message):
        self.damage()

    def on_error(self, error):
        raise DeliberateError("must not reach the socket: on_error")

    def on_close(self):
        self.tell_end()
        raise DeliberateError("must not reach the socket: on_close")


class AsyncFailing(Damage, WebSocketHandler):
    told: ClassVar = {}

    async def on_message(self, message):
        await asyncio.sleep(0)
        self.damage()

    async def on_error(self, error):
        raise DeliberateError("must not reach the socket: on_error")

    async def on_close(self):
        self.tell_end()
        raise DeliberateError("must not reach the socket: on_close")
