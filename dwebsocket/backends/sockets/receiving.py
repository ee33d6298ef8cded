"""The receiving half of a WebSocket over a transport: what is read is fed to the protocol."""

from __future__ import annotations

from time import monotonic

from dwebsocket.backends.sockets.ending import EndingWebSocket
from dwebsocket.backends.sockets.posting import weigh
from dwebsocket.conf import conf
from dwebsocket.protocol.budget import cost_of
from dwebsocket.protocol.state import Reading, Writing
from dwebsocket.transports.base import remaining
from dwebsocket.websocket import Message

__all__ = ["ReceivingWebSocket"]

#: Beyond this many bytes that wait for a peer it gets no further Pongs.
MAX_REPLIES = 65536

#: What a greenlet works through before others have their turn: a usual large frame, and more.
TURN = 65536 + 2048


class ReceivingWebSocket(EndingWebSocket):
    """What one thread or greenlet at a time does: the holder of ``_read_lock``."""

    __slots__ = ("_heard", "_looked")

    _heard: float  # when something was last received, time.monotonic()
    _looked: float  # when we last looked whether something has come

    def receive_messages(self, deadline: float | None) -> list[Message]:
        while not self._state.reading:
            if self._connection.rest:
                self.transport.take_turn()
                messages = self._receive_rest(reading=True, turn=self._turn)
            else:
                try:
                    buffer, count = self.transport.receive(deadline)
                except OSError as error:
                    if isinstance(error, TimeoutError) and remaining(deadline) == 0.0:
                        raise
                    self._lose(f"the connection broke: {error}")
                    break
                messages = self._receive(buffer, count, True, turn=self._turn)
            if messages:
                return messages
        self._answering = 0.0
        self._reply_close()
        return []

    def receive_available(self) -> list[Message]:
        return self._take_in(reading=True)

    def receive_once(self) -> list[Message]:
        """The messages that one read completes, or the next ones of an earlier read."""
        connection = self._connection
        if connection.rest:
            return self._receive_rest(reading=True, turn=self._turn)
        try:
            received = self.transport.try_receive()
        except OSError as error:
            self._lose(f"the connection broke: {error}")
            return []
        if received is None:
            return []
        buffer, count = received
        if count > TURN:
            return self._receive(buffer, count, True, turn=self._turn)
        messages = connection.receive_data(buffer, count)
        if not count or connection.finished or connection.replies:
            return self._receive_more(count, messages, bool(messages))
        self._heard = monotonic()
        return messages

    def _take_in(self, *, reading: bool) -> list[Message]:
        """What has arrived, without waiting; as far as the budget goes if nobody reads it."""
        messages: list[Message] = []
        self._looked = monotonic()
        spent = cost_of(self._ready)
        while not self._state.reading:
            if self._connection.rest:
                found = self._receive_rest(reading=reading, found=bool(messages), spent=spent)
            else:
                try:
                    received = self.transport.try_receive()
                except OSError as error:
                    self._lose(f"the connection broke: {error}")
                    break
                if received is None:
                    break
                found = self._receive(*received, reading, bool(messages), spent)
            messages += found
            spent += cost_of(found)
            if self._connection.rest:  # it has come to its end
                if self.transport.is_hung_up():
                    self._lose("the peer hung up")
                break
        return messages

    def _look_aside(self) -> None:
        """Take in what has arrived on behalf of a view that does not read at the moment."""
        if self._read_lock.acquire(False):
            try:
                messages = self._take_in(reading=False)
                messages.reverse()
                self._ready[:0] = messages
            finally:
                self._read_lock.release()

    def _receive(
        self,
        buffer: bytes | bytearray,
        count: int,
        reading: bool,
        found: bool = False,
        spent: int = 0,
        turn: int = 0,
    ) -> list[Message]:
        """Feed the protocol.

        Args:
            reading: whether on behalf of a view that asked for messages.
            found: whether it is going to get some of an earlier read.
            spent: what the messages cost that nobody has taken yet.
            turn: bytes that are worked through now; 0: all.
        """
        messages = self._connection.receive_data(buffer, count, spent, turn)
        return self._receive_more(count, messages, reading and (found or bool(messages)))

    @property
    def _turn(self) -> int:
        """Bytes that are worked through before others have their turn; 0: they have it anyway."""
        return TURN if self.transport.calls_anew else 0

    def _receive_rest(
        self, *, reading: bool, found: bool = False, spent: int = 0, turn: int = 0
    ) -> list[Message]:
        """The same with what is left of an earlier read."""
        messages = self._connection.receive_rest(spent, turn)
        return self._receive_more(1, messages, reading and (found or bool(messages)))

    def _receive_more(self, count: int, messages: list[Message], answering: bool) -> list[Message]:
        """What a read brought besides messages: a hang-up, Pings, an end."""
        if not count:
            self._lose("the peer hung up")
            return []
        self._heard = monotonic()
        connection, unwanted = self._connection, self._state.writing
        if connection.replies:
            self._queue_replies()
        if connection.finished:
            self._receive_end(answering=answering)
        return [] if unwanted else messages

    def _receive_end(self, *, answering: bool) -> None:
        """A Close, or a breach of the protocol: answers to what came before it may still leave."""
        connection = self._connection
        why = connection.close or connection.failure
        if why is not None:
            self.end(why.code, why.reason)
        self._state.stop_reading(Reading.CLOSING)
        if answering:
            self._answering = monotonic() + conf.CLOSE_TIMEOUT
        else:
            self._reply_close()

    def _queue_replies(self) -> None:
        replies = self._connection.replies
        if self._state.writing >= Writing.CLOSE_SENT:
            replies.clear()
            return
        # A peer that does not take its Pongs does not get more of them.
        if weigh(self._outgoing) < MAX_REPLIES:
            self._outgoing += replies
        replies.clear()
        self.try_flush()
