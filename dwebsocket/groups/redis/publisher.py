"""Publishes at one node, and reads what is kept there, so that a Redis that hangs holds nobody for
long.

While Redis answers, a message leaves in the thread that sends it, which costs least. Otherwise a
thread of a pool waits for Redis, and the sender for that one, for the client's ``patience`` only.
When that is over, or Redis is not there, an outage begins: from then on every message fails at
once, and one thread looks whether Redis is back. It is when no message of before is on its way any
more, so that none is overtaken.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import redis
from redis.exceptions import ClusterError, ResponseError

from dwebsocket.running.threads import Threads, settle

from .client import ERRORS, Client, explain
from .outage import Outage
from .subscriber import MAX_DELAY, MIN_DELAY

__all__ = ["Publisher"]

#: Seconds after an answer in which Redis is taken to be there.
FRESH = 1.0

Result = TypeVar("Result")


class Publisher:
    """Belongs to one node.

    Args:
        threads: those that wait for Redis.
        outage: tells the log.
    """

    def __init__(self, client: Client, node: str, threads: Threads, outage: Outage) -> None:
        self._client = client
        self._node = node
        self._threads = threads
        self._outage = outage
        self._probes = Threads(1, "dwebsocket-probing")
        self._lock = threading.Lock()  # guards what follows; never held across a wait
        self._flying = 0  # messages on their way, those that were given up as well
        self._connections = 0  # how many were on their way at a time since the last outage
        self._answered = -FRESH  # when
        self._error: BaseException | None = None  # why it is away
        self._tried = self._probing = self._closed = False

    @property
    def is_away(self) -> bool:
        """Whether messages fail at once."""
        return self._error is not None

    def publish(self, channel: str, data: bytes) -> None:
        """In the order of one caller's calls.

        Raises:
            ERRORS: Redis did not confirm it, or is known to be away.
        """
        self.call(partial(self._client.publish, channel, data))

    def call(self, function: Callable[[], Result]) -> Result:
        """What this function, which asks Redis, returns; in the order of one caller's calls.

        Raises:
            ERRORS: Redis did not answer, or is known to be away.
        """
        error = self._error
        if error is not None:
            self._probe_soon()
            raise redis.ConnectionError(explain(error))
        if (
            self._client.is_quick
            and self._flying < self._connections  # one of them is free
            and monotonic() < self._answered + FRESH
        ):
            return self._call(function)
        return self._call_elsewhere(function)

    def _call(self, function: Callable[[], Result]) -> Result:
        with self._lock:
            self._flying += 1
        try:
            result = function()
        except ERRORS as error:
            if not is_answer(error):
                self._begin_outage(error)
            raise
        else:
            self._answered = monotonic()
            self._connections = max(self._connections, self._flying)
            return result
        finally:
            with self._lock:
                self._flying -= 1

    def _call_elsewhere(self, function: Callable[[], Result]) -> Result:
        """Let another thread wait, and do so for a moment only."""
        future: Future[Result] = Future()
        call = partial(self._call, function)
        try:
            self._threads.start(partial(settle, future, call))
        except RuntimeError:  # no further thread: one that runs may do it yet
            if future.cancel():
                return call()
        try:
            error = self._wait(future)
        except BaseException:  # such as gevent.Timeout
            future.cancel()
            raise
        if error is not None:
            raise error
        return future.result()

    def _wait(self, future: Future[Any]) -> BaseException | None:
        """Until it is published, or Redis has answered nobody for ``patience`` seconds."""
        with self._lock:
            is_first, self._tried = not self._tried, True
        if is_first:  # to find Redis and to connect may take longer, and holds one thread only
            return future.exception()
        begun, patience = monotonic(), self._client.patience
        while (left := max(begun, self._answered) + patience - monotonic()) > 0:
            try:
                return future.exception(left)
            except NotDone:
                pass
        future.cancel()
        error = redis.TimeoutError(f"Timeout: no answer in {patience:g} seconds")
        self._begin_outage(error)
        return error

    def _begin_outage(self, error: BaseException) -> None:
        with self._lock:
            if self._error is not None or self._closed:
                return
            self._error, self._connections = error, 0
        self._outage.begin(self, error)
        self._probe_soon()

    # Looking whether it is back

    def _probe_soon(self) -> None:
        with self._lock:
            if self._probing or self._error is None:
                return
            try:
                self._probes.start(self._probe)
            except RuntimeError:
                return  # the next message tries again
            self._probing = True

    def _probe(self) -> None:
        delay, how = MIN_DELAY, None
        while how is None and not self._closed:
            time.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, MAX_DELAY)
            if not self._flying:  # those given up may get there yet: none may overtake them
                how = self._look()
        with self._lock:
            self._connections, self._answered = 1, monotonic()
            self._probing, self._error = False, None
        if how is not None:
            self._outage.end(self, how)

    def _look(self) -> str | None:
        """How it is again there; ``None`` while it is away."""
        try:
            return self._client.check(self._node)
        except Exception as error:  # of ours, too: nobody else would look
            self._error = error
            return "is back" if is_answer(error) else None

    def close(self) -> None:
        """Look no more."""
        self._closed = True


def is_answer(error: BaseException) -> bool:
    """Whether Redis is there, and refuses this one command."""
    return isinstance(error, ResponseError) and not isinstance(error, ClusterError)
