"""An async handler, for every server that can carry one."""

import os

from django.contrib.auth import get_user_model

from dwebsocket import WebSocketHandler

from ..journal import record
from .database import count_open_databases


class Async(WebSocketHandler):
    """Echoes; "ask" asks the database, in a task and in a plain method."""

    async def on_open(self):
        record(self.request, "started", pid=os.getpid())

    async def on_message(self, message):
        if message == "ask":
            self.start_task("ask", self.ask)
        elif message == "databases":
            self.send(str(count_open_databases()))
        else:
            self.send(message)

    async def ask(self):
        await self.send(f"counted {await get_user_model().objects.acount() >= 0}")

    def on_close(self):
        counted = get_user_model().objects.count() >= 0
        code = self.websocket.close_code
        record(self.request, "ended", outcome="on_close", close_code=code, counted=counted)
