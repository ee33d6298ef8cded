"""Wrong code: each line with a mark gives these errors, and no other line gives any."""

from __future__ import annotations

import asyncio

from dwebsocket import (
    ConnectionClosed,
    Group,
    JsonWebSocketHandler,
    WebSocketHandler,
    accept_websocket,
    require_websocket,
)
from dwebsocket.http import HttpOrWebSocketRequest, WebSocket, WebSocketRequest
from dwebsocket.testing import WebSocketClient


@require_websocket
def chat(request: WebSocketRequest, room: str, *, page: int = 1) -> None:
    websocket = request.websocket
    websocket.send("text")
    websocket.send(bytearray(b"binary"))
    websocket.send(memoryview(b"binary"))
    websocket.send(3)  # wrong: arg-type reportArgumentType
    websocket.send(None)  # wrong: arg-type reportArgumentType
    websocket.sendall("text")  # wrong: attr-defined reportAttributeAccessIssue
    websocket.close_nowait(1000, "")  # wrong: attr-defined reportAttributeAccessIssue
    websocket.close("now")  # wrong: arg-type reportArgumentType
    websocket.closed()  # wrong: operator reportCallIssue
    first = websocket.wait()
    first.encode()  # wrong: union-attr reportOptionalMemberAccess reportAttributeAccessIssue
    websocket.wait("1")  # wrong: arg-type reportArgumentType
    read: str | bytes = websocket.read(b"")
    one: str | bytes = websocket.read()  # wrong: assignment reportAssignmentType
    for message in websocket:
        message.encode()  # wrong: union-attr reportAttributeAccessIssue
        if isinstance(message, str):
            message.encode()
    websocket.accept(headers={"Set-Cookie": 3})  # wrong: dict-item reportArgumentType


@accept_websocket
def either(request: HttpOrWebSocketRequest) -> None:
    request.websocket.send("text")  # wrong: union-attr reportOptionalMemberAccess
    if not request.is_websocket():
        return
    request.websocket.send("text")  # wrong: union-attr reportOptionalMemberAccess
    if isinstance(request, WebSocketRequest):
        tell(request)
    if request.websocket is not None:
        request.websocket.send("text")


def tell(request: WebSocketRequest) -> None:
    chat(request, "lobby", page=2)
    chat(request, 3)  # wrong: arg-type reportArgumentType
    chat(request)  # wrong: call-arg reportCallIssue
    chat(request, "lobby", page="2")  # wrong: arg-type reportArgumentType


def options() -> None:
    require_websocket(subprotocols=3)  # wrong: call-overload reportArgumentType
    require_websocket(["chat"])  # wrong: call-overload reportCallIssue reportArgumentType
    accept_websocket(auto_accept="no")  # wrong: call-overload reportArgumentType


@require_websocket
async def achat(request: WebSocketRequest, room: str) -> None:
    async for message in request.websocket:
        await request.websocket.asend(3)  # wrong: arg-type reportArgumentType
        message.encode()  # wrong: union-attr reportAttributeAccessIssue
    last = await request.websocket.areceive()
    last.encode()  # wrong: union-attr reportOptionalMemberAccess reportAttributeAccessIssue


class Handler(WebSocketHandler):
    subprotocols = ("chat",)
    keep_request = False

    def on_open(self) -> None:
        self.room = Group(self.kwargs["room"])
        self.room.add(self.websocket)
        self.request.websocket.send("text")
        self.kwargs.room  # wrong: attr-defined reportAttributeAccessIssue
        self.args.append(1)  # wrong: attr-defined reportAttributeAccessIssue
        self.websocket.send_nowait  # wrong: attr-defined reportAttributeAccessIssue

    def on_message(self, message: str | bytes) -> None:
        self.send(message)
        self.send({"text": message})  # wrong: arg-type reportArgumentType
        self.send_json({"text": 1})
        self.send(message).upper()  # wrong: attr-defined reportAttributeAccessIssue
        self.close("now")  # wrong: arg-type reportArgumentType
        self.room.send(message, exclude=self.websocket)

    def on_error(self, error: Exception) -> None:
        print(error)


class TextHandler(WebSocketHandler):
    keep_request = "yes"  # wrong: assignment reportAssignmentType

    def on_open(self, name: str) -> None:  # wrong: override reportIncompatibleMethodOverride
        pass

    def on_message(self, message: str) -> None:  # wrong: override reportIncompatibleMethodOverride
        pass


class AsyncHandler(WebSocketHandler):
    async def on_open(self) -> None:
        await super().on_open()
        self.start_task("tick", self.sleep_loop, args=(self.ping, 60))
        task = self.start_task("sum", self.add, self.tell, args=(1, 2))
        total: int = await task
        text: str = await task  # wrong: assignment reportAssignmentType
        self.start_task("sum", self.add, self.tell_text)  # wrong: misc reportArgumentType
        self.start_task(["sum"], self.add)  # wrong: arg-type reportArgumentType
        self.start_task("sum", 3)  # wrong: arg-type reportArgumentType
        await self.sleep_loop(self.add, 60, 1, 2)
        await self.sleep_loop(self.add, 60, 1, "2")  # wrong: arg-type reportArgumentType
        await self.sleep_loop(self.add, "60", 1, 2)  # wrong: arg-type reportArgumentType

    async def on_message(self, message: str | bytes) -> None:
        await self.send(message)
        await self.send(3)  # wrong: arg-type reportArgumentType
        await self.close(4000, "bye")

    async def add(self, one: int, other: int) -> int:
        return one + other

    def tell(self, task: asyncio.Task[int]) -> None:
        print(task.result() + 1)

    def tell_text(self, task: asyncio.Task[str]) -> None:
        print(task.result())


class JsonHandler(JsonWebSocketHandler):
    def on_message(self, message: dict[str, str]) -> None:  # wrong: override
        self.send({"text": message["text"], "number": 1})


def groups(websocket: WebSocket) -> None:
    group = Group("lobby")
    Group(3)  # wrong: arg-type reportArgumentType
    group.add(websocket)
    group.add(None)  # wrong: arg-type reportArgumentType
    group.send("text", websocket)
    group.send({"text": 1})  # wrong: arg-type reportArgumentType
    group.send("text", exclude="lobby")  # wrong: arg-type reportArgumentType
    group.send_json({"text": 1}, exclude=websocket)
    group.close("now")  # wrong: arg-type reportArgumentType
    members: int = len(group)
    present: bool = websocket in group
    group.name.append("x")  # wrong: attr-defined reportAttributeAccessIssue


def handshake() -> None:
    client = WebSocketClient()
    with client.websocket("/chat/", subprotocols=["chat"]) as session:
        session.send(b"binary")
        session.send(3)  # wrong: arg-type reportArgumentType
        session.receive().encode()  # wrong: union-attr reportAttributeAccessIssue
        chosen: str = session.subprotocol  # wrong: assignment reportAssignmentType
        code: int | None = session.close_code
    client.websocket("/chat/", subprotocol="chat")  # wrong: call-arg reportCallIssue
    client.websocket("/chat/", timeout="1")  # wrong: arg-type reportArgumentType


def closed(error: ConnectionClosed) -> None:
    number: int = error.code
    reason: int = error.reason  # wrong: assignment reportAssignmentType
