"""Channels: the same consumer on daphne."""

# First: daphne chooses Twisted's reactor, which must not be loaded before.
from daphne.server import Server  # isort: skip

import os

from bench.servers import BACKLOG, announce


def main():
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    from bench.project.channels_asgi import application

    endpoint = f"tcp:port=0:interface=127.0.0.1:backlog={BACKLOG}"
    server = Server(application, endpoints=[endpoint], verbosity=0, ping_interval=600)
    server.ready_callable = lambda: announce(server.listening_addresses[0][1])
    server.run()


if __name__ == "__main__":
    main()
