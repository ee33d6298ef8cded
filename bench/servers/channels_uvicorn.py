"""Channels on uvicorn."""

from bench.servers.on_uvicorn import serve

if __name__ == "__main__":
    serve("bench.project.channels_asgi:application")
