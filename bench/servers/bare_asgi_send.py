"""A bare ASGI application on uvicorn: `await send` to every connection, nothing else."""

from bench.servers.on_uvicorn import serve

EVENT = {"type": "websocket.send", "text": "x" * 125}
members = []


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    members.append(send)
    while (await receive())["type"] == "websocket.receive":
        for member in members:
            await member(EVENT)


if __name__ == "__main__":
    serve("bench.servers.bare_asgi_send:application")
