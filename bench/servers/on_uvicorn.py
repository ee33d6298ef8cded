"""uvicorn, with uvloop and its default WebSocket code, for any ASGI application."""

import os
import socket

import uvicorn

from bench import certificate
from bench.servers import announce


class Uvicorn(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        announce(sockets[0].getsockname()[1])


def serve(application: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        loop="uvloop",
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the loads do not answer Pings
        access_log=False,
        log_level="warning",
        **certificate.options("ssl_certfile", "ssl_keyfile"),
    )
    Uvicorn(config).run(sockets=[listener])
