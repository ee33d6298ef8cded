"""The receiving half: what comes, for threads and for coroutines.

A coroutine that waits for a message asks the server itself, with nobody between. For all others
(threads, handlers, time-outs, looks at what is here already) a task of ours takes in what comes:
the pump. It also takes over, for good, from a coroutine that has not asked for a while, so that the
end of a connection is noticed whatever its view is doing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from dwebsocket.backends.coroutine_end import note_end
from dwebsocket.conf import conf
from dwebsocket.exceptions import InvalidState
from dwebsocket.protocol.budget import RESERVE, cost_of
from dwebsocket.protocol.frames import CloseCode
from dwebsocket.protocol.state import Reading, Writing
from dwebsocket.running.coroutines import release_thread
from dwebsocket.running.event_loop import uncancel
from dwebsocket.websocket import Message

from .abort import abort
from .connection import AsgiConnection, Event
from .inbox import Inbox
from .sending import SendingWebSocket, explain

__all__ = ["ReceivingWebSocket"]

CLOSED = Reading.CLOSED


class ReceivingWebSocket(SendingWebSocket):
    """What is received, and by whom. Nearly all of it belongs to the event loop."""

    __slots__ = (
        "_begun",
        "_dismissed",
        "_heard_end",
        "_inbox",
        "_knows_end",
        "_max_size",
        "_may_pull",
        "_puller",
        "_pump",
        "_task",
        "_wants_pump",
    )

    _begun: bool  # the server has our acceptance
    _dismissed: bool  # the puller was told to give up
    _heard_end: bool  # the server has said that nothing more comes
    _knows_end: bool  # the coroutine has been told that the connection has ended
    _may_pull: bool  # the next coroutine may ask the server itself
    _puller: asyncio.Task[Any] | None  # the one that asks the server
    _pump: asyncio.Task[None] | None
    _task: asyncio.Task[None] | None  # the coroutine that is an async view, or runs a handler
    _wants_pump: bool

    def __init__(self, connection: AsgiConnection) -> None:
        super().__init__(connection)
        self._max_size = conf.MAX_MESSAGE_SIZE
        self._inbox = Inbox(connection, self._max_size)
        self._begun = self._dismissed = self._heard_end = False
        self._knows_end = self._may_pull = self._wants_pump = False
        self._puller = self._pump = self._task = None

    # For coroutines

    async def areceive(self, timeout: float | None = None) -> Message | None:
        if not self._connection.is_in_loop():  # in the loop of async_to_sync(), in a thread
            return await super().areceive(timeout)
        message = await self._receive_next(None if timeout is None or timeout < 0 else timeout)
        if message is None:
            if self._told:
                raise self._closed_error()
            self._told = True
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        receive = self._receive_next if self._connection.is_in_loop() else super().areceive
        while (message := await receive(None)) is not None:
            yield message
        self._told = True

    async def _receive_next(self, timeout: float | None) -> Message | None:
        """The next message, ``None`` at the end. The usual case: ask the server."""
        if timeout is not None or not self._may_pull or self._ready:
            return await self._receive_otherwise(timeout)
        release_thread()
        coming = self._connection.receive()
        if not isinstance(coming, Coroutine):
            # What is no coroutine may lose a message when whoever awaits it is cancelled.
            self.start_pump(coming)
            return await self._wait(None)
        self._turns.not_reading.pop(self, None)
        self._may_pull = False
        self._puller = asyncio.current_task()
        try:
            event = await coming
        except BaseException as error:
            self._fail_to_pull(error)
            return None
        finally:
            self._puller = None
            if self._wants_pump:
                self.start_pump()
            else:
                self._may_pull = not self._state.reading
                self._turns.not_reading[self] = self._turns.tick
        message = self._unpack(event)
        if message is None:
            note_end(self)
        elif self._state.reading == CLOSED:  # it came behind our Close, which is on its way
            await asyncio.sleep(0)
            return await self._receive_next(None)
        return message

    def _fail_to_pull(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and self._dismissed:
            uncancel(self._puller)
        elif isinstance(error, Exception):
            self.lose(f"receiving failed: {explain(error)}")
        else:
            raise error
        note_end(self)

    async def _receive_otherwise(self, timeout: float | None) -> Message | None:
        """There is something already, or the server cannot simply be asked."""
        if not (self._ready or self._state.reading or self._begun):
            await self._take_turn(None, 0)  # our acceptance is on its way
            if timeout is None and self._may_pull:
                return await self._receive_next(None)
        if self._ready or self._state.reading or not self._inbox.is_empty:
            return self._take_now()
        release_thread()
        self.start_pump()
        return await self._wait(timeout)

    def _take_now(self) -> Message | None:
        if self._ready:
            return self._ready.pop()
        message = None if self._state.reading == CLOSED else self._inbox.take()
        if message is None:
            self._check_accepted()
            note_end(self)
        return message

    async def _wait(self, timeout: float | None) -> Message | None:
        """Have the pump hand the next message over."""
        waiter = self._inbox.wait()
        try:
            message = await (waiter if timeout is None else in_time(waiter, timeout))
        except BaseException:
            unread = self._inbox.give_up(waiter)
            if unread is not None:
                self._ready.append(unread)
            raise
        if message is None:
            note_end(self)
        return message

    # For threads

    def receive_messages(self, deadline: float | None) -> list[Message]:
        self._want_pump()
        message = self._inbox.take_blocking(deadline)
        if message is None or self._state.reading == CLOSED:
            return []
        return [message, *self._inbox.take_some(RESERVE)]

    def receive_available(self) -> list[Message]:
        self._want_pump()
        # A view that only looks, and reads nothing, does not make room for more of it.
        room = self._max_size + RESERVE - cost_of(self._ready)
        return [] if self._state.reading == CLOSED else self._inbox.take_some(room)

    def _want_pump(self) -> None:
        if not self._wants_pump:
            self._connection.call(self.start_pump)

    def _next(self, timeout: float | None) -> Message | None:
        if self._connection.is_in_loop() and not self._has_listener:
            raise InvalidState(
                "wait() and `for` in an async view would stop the server's event loop: write "
                "`await request.websocket.areceive()` or `async for message in request.websocket`"
            )
        return super()._next(timeout)

    # In the loop

    def _begin(self) -> None:
        self._begun = True
        if self._wants_pump:
            self.start_pump()
        else:
            self._may_pull = not self._state.reading

    def start_pump(self, first: Any = None) -> None:
        """Take in what comes, from now on; ``first``: what the server was asked for already."""
        self._wants_pump, self._may_pull = True, False
        if self._begun and not (self._state.reading or self._pump or self._puller):
            self._pump = self._connection.loop.create_task(self._take_in(first))

    async def _take_in(self, first: Any) -> None:
        """The pump: take in what comes, until the connection has ended."""
        receive, inbox = self._connection.receive, self._inbox
        try:
            while (message := self._unpack(await (first or receive()))) is not None:
                first = None
                if self._state.reading:  # nothing is put behind the end
                    return
                has_room = inbox.put(message)
                self._tell_of_message()
                if not has_room:
                    await inbox.wait_for_room()
        except Exception as error:
            self.lose(f"receiving failed: {explain(error)}")

    def _tell_of_message(self) -> None:
        """The pump has put one into the inbox."""

    def _unpack(self, event: Event) -> Message | None:
        """The message of an event; ``None`` at the end."""
        if event["type"] != "websocket.receive":
            self._heard_end = True
            # A Close without a code, or a peer that vanished: servers differ in what they say.
            self.stop(event.get("code") or CloseCode.NO_STATUS_RCVD, event.get("reason") or "")
            self._leave()
            return None
        text: str | None = event.get("text")
        message = bytes(event.get("bytes") or b"") if text is None else text
        size = len(message) if text is None or text.isascii() else len(text.encode())
        if size <= self._max_size:
            return message
        reason = f"a message of {size} bytes, the limit is {self._max_size}"
        self._finish_with(CloseCode.MESSAGE_TOO_BIG, reason, Reading.CLOSING)
        return None

    async def _prepare_close(self) -> None:
        """Stop the pump: one server keeps our Close back while we wait for something to come."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])

    async def _discard(self, timeout: float) -> None:
        """Our Close has left: take what still comes, until the client has answered it. There is a
        server that never ends a connection whose application has left ten messages with it.
        """
        if self._state.writing == Writing.LOST or self._heard_end:
            return
        try:
            await asyncio.wait_for(self._take_the_rest(), timeout)
        except asyncio.TimeoutError:
            abort(self._connection)
        except Exception:  # the server has nothing to say any more
            pass

    async def _take_the_rest(self) -> None:
        while isinstance(coming := self._connection.receive(), Coroutine):
            if (await coming)["type"] != "websocket.receive":
                break

    def _stop_receiving(self) -> None:
        """No further message is wanted. From any thread."""
        self._inbox.close()
        self._connection.call(self._dismiss)

    def _dismiss(self) -> None:
        self._may_pull = False
        self._turns.not_reading.pop(self, None)
        if self._puller is not None:
            self._dismissed = True
            self._puller.cancel()

    # What is left to the rest

    def _leave(self) -> None:
        """The server has nothing more to do with this connection."""
        raise NotImplementedError


async def in_time(waiter: asyncio.Future[Message | None], timeout: float) -> Message | None:
    """The message that is waited for.

    Raises:
        TimeoutError: it has not come in time.
    """
    await asyncio.wait([waiter], timeout=timeout)
    if not waiter.done():
        raise TimeoutError(f"no message within {timeout} seconds")
    return waiter.result()
