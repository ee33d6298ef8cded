"""Messages in, messages out."""

import os
import socket

from dwebsocket import ConnectionClosed, require_websocket

from ..journal import record, recorded


@require_websocket
@recorded
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
def echo_quietly(request):
    """Without the descriptor that a report takes."""
    for message in request.websocket:
        request.websocket.send(message)


@require_websocket
async def echo_quietly_async(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


@require_websocket
@recorded
def lengths(request):
    for message in request.websocket:
        request.websocket.send(str(len(message)))


@require_websocket
@recorded
def echo_by_wait(request):
    while True:
        message = request.websocket.wait()
        if message is None:
            break
        request.websocket.send(message)


@require_websocket
def types(request):
    """Answer with the Python type of each message, and accept every bytes-like answer."""
    for message in request.websocket:
        request.websocket.send(type(message).__name__)
        if isinstance(message, bytes):
            request.websocket.send(bytearray(message))
            request.websocket.send(memoryview(message))
            try:
                request.websocket.send(42)
            except TypeError:
                request.websocket.send("TypeError")


@require_websocket
def as_json(request):
    value = request.websocket.wait_json()
    request.websocket.send_json({"you sent": value})


@require_websocket
def pinging(request):
    request.websocket.ping(b"are you there")
    request.websocket.send(request.websocket.wait())


@require_websocket
async def echo_async(request):
    async for message in request.websocket:
        await request.websocket.asend(message)
    await request.websocket.aclose()
    record(request, "ended", close_code=request.websocket.close_code)


@require_websocket
def nodelay(request):
    """Whether the kernel holds small frames back for the acknowledgement of earlier ones."""
    with socket.socket(fileno=os.dup(request.websocket.fileno())) as sock:
        request.websocket.send_json(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@require_websocket
@recorded
def after_the_end(request):
    """Everything one can ask of a connection that the client has closed."""
    websocket = request.websocket
    results = {"messages": list(websocket)}
    results["closed"] = [websocket.closed, websocket.is_closed(), websocket.connected]
    results["has_messages"] = [websocket.has_messages(), websocket.count_messages()]
    for name, call in {
        "wait": websocket.wait,
        "read": websocket.read,
        "send": lambda: websocket.send("too late"),
    }.items():
        try:
            results[name] = repr(call())
        except ConnectionClosed as error:
            results[name] = f"ConnectionClosed, EOFError: {isinstance(error, EOFError)}"
    websocket.close()
    record(request, "results", **results)


@require_websocket
def keeping(request):
    record(request, "kept", messages=list(request.websocket))
