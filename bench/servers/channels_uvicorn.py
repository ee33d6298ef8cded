"""Channels: an async consumer on uvicorn, with uvloop and uvicorn's default WebSocket code."""

import os
import socket

import uvicorn

from bench.servers import announce


class Uvicorn(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        announce(sockets[0].getsockname()[1])


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        "bench.project.asgi:application",
        loop="uvloop",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )
    Uvicorn(config).run(sockets=[listener])
