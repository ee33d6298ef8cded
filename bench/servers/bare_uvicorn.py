"""A bare ASGI application on uvicorn: what the server alone costs."""

from bench.servers.on_uvicorn import serve


async def application(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if (text := event.get("text")) is not None:
            await send({"type": "websocket.send", "text": text})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


if __name__ == "__main__":
    serve("bench.servers.bare_uvicorn:application")
