"""The application of asgi.py in the test process: the queues of a server, and a client like ours.

A loop runs in a thread of its own, as it does in a server, and the test talks to it from outside.
"""

import asyncio
import gc
import json
import threading
import time
import warnings

from django.test import Client
from django.urls import path

from dwebsocket import ConnectionClosed
from dwebsocket.testing import WebSocketRefused

from .site import TIMEOUT

__all__ = ["AsgiClient", "Loop", "serve_asgi"]

DENIAL = {"websocket.http.response": {}}


class Loop:
    """An event loop in a thread. What it complains of, and what is left of it, fails the test."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.complaints = []
        self._stands_still = False
        self.loop.set_exception_handler(lambda loop, context: self.complaints.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever, name="test-loop")
        self._thread.start()

    def run(self, coroutine):
        """Run it in there; its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT)

    def stop_clock(self):
        """From now on its clock stands still but for what ``pass_time`` makes of it."""
        now = self.loop.time()
        self.loop.time = lambda: now
        self._stands_still = True

    def pass_time(self, seconds):
        """Its clock jumps: what was to happen until then happens now."""
        self.run(self._pass_time(seconds))

    async def _pass_time(self, seconds):
        then = self.loop.time() + seconds
        moved = then - time.monotonic()
        stands_still = self._stands_still
        self.loop.time = lambda: then if stands_still else time.monotonic() + moved

    def close(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            left = self.run(self._find_tasks())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(TIMEOUT)
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
        # Not of resources: there are none in this backend, and garbage of other tests has sockets.
        self.complaints += [
            str(warning.message) for warning in caught if warning.category is not ResourceWarning
        ]
        assert left == [], left
        assert self.complaints == [], self.complaints

    async def _find_tasks(self):
        gc.collect(1)  # a coroutine that nobody awaited, an exception that nobody saw
        await asyncio.sleep(0)
        own = {asyncio.current_task()}
        ending = asyncio.all_tasks() - own
        if ending:  # some may be about to
            await asyncio.wait(ending, timeout=1)
        return list(asyncio.all_tasks() - own)


class AsgiClient(Client):
    """As ``WebSocketClient``, but what it calls is the application for ASGI servers."""

    def __init__(self, loop, application):
        super().__init__()
        self._loop = loop
        self.application = application

    def websocket(self, address, *, subprotocols=(), headers=None, origin=None, **scope):
        session = AsgiSession(
            self._loop,
            self.application,
            self.build_scope(
                address, subprotocols, {**(headers or {}), **({"Origin": origin} if origin else {})}
            )
            | scope,
        )
        session.open()
        return session

    def build_scope(self, address, subprotocols=(), headers=()):
        """What a server says of a connection."""
        path, _, query = address.partition("?")
        sent = {"Host": "testserver", "Upgrade": "websocket", "Connection": "Upgrade"}
        sent |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
        if subprotocols:
            sent["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{key}={m.value}" for key, m in self.cookies.items())
        sent |= dict(headers)
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 12345),
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(key.lower().encode(), value.encode()) for key, value in sent.items()],
            "subprotocols": list(subprotocols),
            "extensions": DENIAL,
        }


class AsgiSession:
    """The server's side of one call of the application."""

    def __init__(self, loop, application, scope):
        self._loop = loop
        self._application = application
        self.scope = scope
        self.subprotocol = self.close_code = self.close_reason = None
        self.broken = False  # whether the server takes no more
        loop.run(self._start())

    async def _start(self):
        self.incoming, self.outgoing = asyncio.Queue(), asyncio.Queue()
        self.reads = asyncio.Event()  # the client does, and the server takes what there is for it
        self.reads.set()
        self.call = asyncio.create_task(
            self._application(self.scope, self.incoming.get, self._take)
        )
        await self.incoming.put({"type": "websocket.connect"})

    async def _take(self, event):
        if self.broken:
            raise OSError("the client has left")
        await self.reads.wait()
        await self.outgoing.put(event)

    def open(self):
        event = self.next_event()
        if event["type"] == "websocket.accept":
            self.subprotocol = event["subprotocol"]
            return
        if event["type"] == "websocket.close":
            self.join()
            raise WebSocketRefused(403, {}, b"")
        headers = {key.decode(): value.decode() for key, value in event["headers"]}
        content = b""
        more = True
        while more:
            part = self.next_event()
            content += part.get("body", b"")
            more = part.get("more_body", False)
        self.join()
        raise WebSocketRefused(event["status"], headers, content)

    def next_event(self, timeout=TIMEOUT):
        """What the application sends to the server, of whatever type."""
        return self._loop.run(asyncio.wait_for(self.outgoing.get(), timeout))

    def run(self, coroutine):
        """In the server's loop, beside the application."""
        return self._loop.run(coroutine)

    def stop_reading(self):
        self._loop.loop.call_soon_threadsafe(self.reads.clear)

    def read_on(self):
        self._loop.loop.call_soon_threadsafe(self.reads.set)

    def put_event(self, event):
        self._loop.run(self.incoming.put(event))

    def send(self, message):
        kind = "text" if isinstance(message, str) else "bytes"
        self.put_event({"type": "websocket.receive", kind: message})

    def send_json(self, obj):
        self.send(json.dumps(obj))

    def receive(self, timeout=TIMEOUT):
        event = self.next_event(timeout)
        if event["type"] == "websocket.close":
            self._closed(event)
            raise ConnectionClosed(event["code"], event["reason"])
        return event["text"] if event.get("text") is not None else event["bytes"]

    def receive_json(self):
        return json.loads(self.receive())

    def _closed(self, event):
        self.close_code, self.close_reason = event["code"], event["reason"]
        self.put_event({"type": "websocket.disconnect", "code": event["code"]})

    def close(self, code=1000, reason=""):
        """The client closes; wait until the application has ended."""
        if self.close_code is None:
            self.put_event({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.close_code = code
        self.join()

    def cancel(self):
        """The server ends."""
        self._loop.loop.call_soon_threadsafe(self.call.cancel)

    def join(self):
        """Wait until the application has ended. It raises nothing."""
        self._loop.run(asyncio.wait_for(asyncio.shield(self.call), TIMEOUT))

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


def serve_asgi(site, loop, view, *more, **changed):
    """As ``Site.serve``, for ASGI."""
    from dwebsocket.asgi import get_websocket_application

    site.change(ROOT_URLCONF=(path("", view), *more), **changed)
    return AsgiClient(loop, get_websocket_application())
