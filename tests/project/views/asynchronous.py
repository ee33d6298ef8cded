"""Async views and handlers, for servers with an event loop."""

import asyncio
import functools
import gc
import os
import threading

from django.contrib.auth import get_user_model
from django.http import HttpResponse, JsonResponse

from dwebsocket import Group, WebSocketHandler, accept_websocket, require_websocket

from ..journal import record
from .ending import DeliberateError


def recorded(view):
    """Record the beginning of an async view, and how it ended."""

    @functools.wraps(view)
    async def wrapper(request, *args, **kwargs):
        record(request, "started", pid=os.getpid())
        websocket = request.websocket
        outcome = "returned"
        try:
            return await view(request, *args, **kwargs)
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            record(
                request,
                "ended",
                outcome=outcome,
                close_code=websocket.close_code,
                close_reason=websocket.close_reason,
            )

    return wrapper


@require_websocket
@recorded
async def echo(request):
    async for message in request.websocket:
        await request.websocket.asend(message)


@require_websocket
@recorded
async def echo_by_receiving(request):
    while (message := await request.websocket.areceive()) is not None:
        await request.websocket.asend(message)


@accept_websocket
async def accepting(request):
    if not request.is_websocket():
        return HttpResponse("plain")
    return await echo(request)


@require_websocket(subprotocols=["chat"], auto_accept=False)
@recorded
async def accepts_itself(request):
    if request.GET.get("refuse"):
        return HttpResponse("the room is full", status=403)
    request.websocket.accept(subprotocol="chat")
    async for message in request.websocket:
        await request.websocket.asend(message)
    return None


@require_websocket
@recorded
async def receive_in_time(request):
    try:
        await request.websocket.areceive(timeout=0.2)
    except TimeoutError:
        await request.websocket.asend("timed out")
    await request.websocket.asend(await request.websocket.areceive(timeout=30))


@require_websocket
@recorded
async def close(request):
    await request.websocket.aclose(4000, "done")
    await request.websocket.aclose(4001, "closing twice changes nothing")


@require_websocket
@recorded
async def raising(request):
    await request.websocket.areceive()
    raise DeliberateError(f"must not reach the socket: {request.path}")


@require_websocket
@recorded
async def deaf(request):
    """Never asks the connection for anything."""
    await request.websocket.asend("asleep")
    await asyncio.sleep(3600)


@require_websocket
@recorded
async def flood(request):
    """For a client that does not read."""
    while True:
        await request.websocket.asend(bytes(100_000))


@require_websocket
@recorded
async def querying(request):
    async for _ in request.websocket:
        await request.websocket.asend(str(await get_user_model().objects.acount()))


@require_websocket
@recorded
async def member(request, name):
    Group(name).add(request.websocket)
    await request.websocket.asend("member")
    async for message in request.websocket:
        await Group(name).asend(message)


@require_websocket
@recorded
async def pushing(request):
    """As quickly as the client reads."""
    while True:
        await request.websocket.asend("x" * 100)
        await asyncio.sleep(0.05)


class Recorded(WebSocketHandler):
    async def on_open(self):
        record(self.request, "started", pid=os.getpid())

    async def on_close(self):
        websocket = self.websocket
        record(
            self.request,
            "ended",
            outcome="on_close",
            close_code=websocket.close_code,
            close_reason=websocket.close_reason,
        )


class Echo(Recorded):
    async def on_message(self, message):
        await self.send(message)


class Flood(Recorded):
    """For a client that does not read."""

    async def on_message(self, message):
        while True:
            await self.send(bytes(100_000))


class Raising(Recorded):
    async def on_message(self, message):
        raise DeliberateError(f"must not reach the socket: {self.request.path}")

    async def on_error(self, error):
        record(self.request, "error", error=type(error).__name__)


class Ticking(Recorded):
    """Tasks beside the calls; the client may ask for more of them."""

    async def on_open(self):
        await super().on_open()
        self.start_task("tick", self.sleep_loop, args=(self.tick, 0.02))

    async def on_message(self, message):
        self.start_task(message, asyncio.sleep, args=(3600,), callback=self.tell)
        await self.send(f"{message} started")

    async def tick(self):
        await self.send("tick")

    def tell(self, task):
        record(self.request, "task", cancelled=task.cancelled())


class Member(Recorded):
    async def on_open(self):
        await super().on_open()
        self.group = Group(self.kwargs["name"])
        self.group.add(self.websocket)
        await self.send("member")

    async def on_message(self, message):
        await self.group.asend(message)


class Pushing(Recorded):
    async def on_open(self):
        await super().on_open()
        self.start_task("push", self.sleep_loop, args=(self.push, 0.05))

    async def push(self):
        await self.send("x" * 100)


async def census(request):
    """What this process has of threads, tasks and objects of ours."""
    gc.collect()
    packages = [str(type(thing).__module__).partition(".")[0] for thing in gc.get_objects()]
    return JsonResponse(
        {
            "pid": os.getpid(),
            "threads": [thread.name for thread in threading.enumerate()],
            "tasks": [repr(task.get_coro()) for task in asyncio.all_tasks()],
            "objects": packages.count("dwebsocket") + packages.count("tests"),
        }
    )
