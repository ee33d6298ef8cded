"""What we do with Redis, by redis-py: one server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dwebsocket.exceptions import InvalidGroupBackend

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import NoScriptError
    from redis.retry import Retry
    from redis.sentinel import MasterNotFoundError
except ImportError as error:
    raise InvalidGroupBackend(
        "the Redis backend for groups needs redis-py: pip install 'dwebsocket[redis]'"
    ) from error

from .scripts import Script

__all__ = [
    "ERRORS",
    "OURS",
    "PATIENCE",
    "PUBLISHERS",
    "Client",
    "check_options",
    "explain",
    "lift_limit",
    "limits",
    "patience_within",
    "without_password",
]

#: What a cache's setting or URL may say otherwise: ours are bytes, and names of groups any text.
OURS = {"decode_responses": False, "encoding": "utf-8", "encoding_errors": "strict"}

#: Messages of a process that are on their way at a time, each on a connection of its own, unless
#: the option "max_connections" says otherwise; more wait for one of them to arrive.
PUBLISHERS = 50

#: Seconds that a message waits for Redis, unless the option "socket_timeout" says otherwise.
#: Whoever sends it holds one of the few threads that call handlers: for so long others hardly
#: notice. A Redis that is well answers within milliseconds, and one that forks to save its data or
#: runs a long script mostly within this time.
PATIENCE = 0.5

#: What redis-py raises when Redis cannot be reached or does not answer.
ERRORS = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)


class Client:
    """What we do with Redis.

    Args:
        make: makes redis-py's client.
        quick: redis-py's client that publishes, with ``patience`` as its ``socket_timeout``.
        publishers: how many messages may be on their way at a time.

    Attributes:
        shown: where it is, for messages: without a password.
        publishers: how many messages may be on their way at a time.
        patience: seconds that one of them has.
        is_quick: whether ``publish`` lasts no longer than ``patience`` on a connection that stands.
        publishing: the command that publishes.
    """

    sharded = False
    is_quick = True
    publishing = "PUBLISH"

    def __init__(
        self,
        shown: str,
        make: Callable[[], Any],
        quick: Any,
        publishers: int,
        patience: float,
    ) -> None:
        self.shown = shown
        self.publishers = publishers
        self.patience = patience
        self._make = make
        self._made: Any = None
        self._quick = quick
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(publishers)

    @property
    def _client(self) -> Any:
        """redis-py's; that of a cluster asks the cluster for its nodes when it is made."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made

    def publish(self, channel: str, data: bytes) -> None:
        """To those who have subscribed to it in whatever way ``subscribe`` does."""
        self._take_turn()
        try:
            self._quick.publish(channel, data)
        finally:
            self._turns.release()

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a script returns. The first time Redis has to be told it."""
        self._take_turn()
        client = self._commanding
        try:
            try:
                return client.evalsha(script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return client.eval(script.text, len(keys), *keys, *arguments)
        finally:
            self._turns.release()

    def _take_turn(self) -> None:
        """Be one of the publishers, as soon as another one has done."""
        if not self._turns.acquire(timeout=self.patience):
            raise redis.ConnectionError(
                f"the messages before it are on their way for more than {self.patience:.1f} "
                "seconds, on as many connections as OPTIONS 'max_connections' allows"
            )

    def execute(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Execute commands, each of which names one key, together; their answers."""
        self._take_turn()
        try:
            pipeline = self._commanding.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers
        finally:
            self._turns.release()

    @property
    def _commanding(self) -> Any:
        """redis-py's client for what needs keys."""
        return self._quick

    def check(self, node: str) -> str:
        """What has become of that node, which was away. Raises ``ERRORS`` while it still is."""
        self._quick.ping()
        return "is back"

    def count_subscribers(self, channel: str) -> int:
        """How many have subscribed to it. Raises ``ERRORS``, also where this user may not ask."""
        ((_, count),) = self._quick.pubsub_numsub(channel)
        return int(count)

    def publish_to_all(self, channel: str, data: bytes) -> None:
        """To those who have subscribed to it by SUBSCRIBE, on whatever node."""
        self._client.publish(channel, data)

    @property
    def knows_nodes(self) -> bool:
        """Whether ``node_of`` answers at once."""
        return True

    def node_of(self, channel: str) -> str:
        """Where a channel lives: each node has a listener of its own."""
        return ""

    def look_for_nodes(self) -> None:
        """Ask the cluster anew where channels live."""

    def show(self, node: str) -> str:
        """Where that node is, for messages: without a password."""
        return self.shown

    def pubsub(self, node: str) -> Any:
        """A subscriber on that node."""
        return self._client.pubsub()

    def close(self) -> None:
        """Give all connections back."""
        for made in (self._quick, self._made):
            if made is not None:
                made.close()


def check_options(pool: Any) -> None:
    """Make a connection, which does not connect yet: it tells of an option that does not exist."""
    pool.connection_class(**pool.connection_kwargs)


def lift_limit(pool: Any) -> int:
    """How many connections a pool may open according to the setting: it is ourselves who see to
    that, as it would only refuse more.
    """
    publishers: int = pool.max_connections
    pool.max_connections = sys.maxsize
    return publishers


def patience_within(part: float | None, given: Mapping[str, Any]) -> float:
    """How long a message may wait: as the option says, or at most ``part``."""
    patience: float | None = given.get("socket_timeout")
    if patience is not None:
        return patience
    return PATIENCE if part is None else min(PATIENCE, part)


def explain(error: BaseException) -> str:
    """What went wrong, without a full stop."""
    text = str(error).rstrip(".")
    if isinstance(error, MasterNotFoundError):  # whose text shows redis-py's objects
        text, *unreachable = text.split(" : ", 1)
        if "AuthenticationError" in str(unreachable):
            text += "; a Sentinel does not accept the user name and password of LOCATION"
        elif unreachable:
            text += "; not every Sentinel answers"
    return text or type(error).__name__


def without_password(location: str) -> str:
    """A URL, for messages. It may be no good one, and have whatever in its password."""
    scheme, _, rest = location.partition("://")
    before, _, rest = rest.rpartition("@")
    if "?" in before:  # a password in the query, perhaps
        return f"{scheme}://…"
    return f"{scheme}://{rest.partition('?')[0]}"


def limits(timeout: float | None, steps: int = 3) -> dict[str, Any]:
    """Nothing is sent twice, and nothing lasts longer than ``timeout`` seconds: waiting for a
    connection, opening it, and the answer are steps that may each take a part.
    """
    part = None if timeout is None else timeout / steps
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": part,
        "socket_timeout": part,
    }
