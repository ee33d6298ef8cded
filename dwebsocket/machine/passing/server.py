"""Takes over what other processes of the machine offer."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dwebsocket.machine.directory import RunDirectory, find_directory
from dwebsocket.machine.listener import Listener
from dwebsocket.transports.descriptors import count_room, has_room

from .errors import Refused
from .wire import Gate, Packet, Step, close_all, receive_packet, send_packet

__all__ = ["PassingServer", "Prepared", "Receiver", "find_passing_directory"]

logger = logging.getLogger("dwebsocket.connection")

#: Inside the run directory: where those listen that take something over.
FOLDER = "passing"

NO_ROOM = (
    "%d of %d descriptors have not come: this process may not open so many (RLIMIT_NOFILE), or the "
    "system may not"
)


class Prepared(Protocol):
    """What an offer has become, and waits for the sender's word. It owns the descriptors."""

    @property
    def answer(self) -> bytes:
        """What the sender is told."""
        ...

    def begin(self) -> None:
        """The sender has let go: it is ours. What this raises is logged."""

    def cancel(self) -> None:
        """It stays the sender's: close the descriptors, and forget it."""


class Receiver(Protocol):
    """Takes over what comes of one kind over one connection."""

    def receive(self, body: bytes, descriptors: Sequence[int]) -> Prepared:
        """Make it ready. What this raises is told the sender (``Refused``), or logged; then the
        descriptors are closed.
        """
        ...

    def end(self) -> None:
        """The connection has ended."""


class PassingServer:
    """Listens for offers, each connection in a thread or greenlet.

    Args:
        receivers: by kind, what makes a receiver for a connection.
        describe: what is said of this process to whoever connects, for JSON.

    Attributes:
        name: what other processes know this one by.

    Raises:
        InvalidGroupBackend: the directory cannot be used.
        OSError: the system has no place, descriptor or thread for it.
    """

    def __init__(
        self,
        directory: RunDirectory,
        receivers: Mapping[str, Callable[[], Receiver]],
        describe: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._receivers = receivers
        self._describe = describe
        self._gate = Gate(leaves_room)
        self._listener = Listener(directory, self)

    @property
    def name(self) -> str:
        return self._listener.name

    def close(self) -> None:
        """Take nothing over any more."""
        self._listener.close()

    def abandon(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._listener.abandon()

    # The Reader of the listener

    def read(self, connection: socket.socket) -> None:
        """Take over what one process offers, until it hangs up."""
        hello = {**self._describe(), "room": count_room()}
        send_packet(connection, Packet(Step.HELLO, body=json.dumps(hello).encode()))
        found: dict[str, Receiver] = {}
        try:
            while (offer := receive_packet(connection, None, self._gate)) is not None:
                if offer.step not in (Step.OFFER, Step.ASK):
                    close_all(offer.descriptors)
                    return
                self._take(connection, offer, found)
        finally:
            for receiver in found.values():
                receiver.end()

    def _take(self, connection: socket.socket, offer: Packet, found: dict[str, Receiver]) -> None:
        try:
            prepared = self._prepare(offer, found)
        except Refused as refusal:
            send_packet(connection, Packet(Step.REFUSED, body=str(refusal).encode()))
            return
        try:
            send_packet(connection, Packet(Step.ACCEPTED, body=prepared.answer))
            commit = None if offer.step == Step.ASK else receive_packet(connection, None)
            if commit is not None:
                close_all(commit.descriptors)  # there are none
            if offer.step != Step.ASK and (commit is None or commit.step != Step.COMMIT):
                raise ConnectionResetError("the sender keeps it")
        except BaseException:
            prepared.cancel()
            raise
        try:  # first: as long as this has not come nothing was done that the sender might do again
            if commit is not None:
                send_packet(connection, Packet(Step.BEGUN))
        finally:  # the sender has gone, perhaps, but not before it had let go
            try:
                prepared.begin()
            except Exception:
                logger.exception("What another process has passed on (%s) fails", offer.name)

    def _prepare(self, offer: Packet, found: dict[str, Receiver]) -> Prepared:
        try:
            if offer.lost:
                raise Refused(NO_ROOM % (offer.lost, offer.lost + len(offer.descriptors)))
            if offer.name not in self._receivers:
                raise Refused(f"this process knows no {offer.name!r}: another version, perhaps")
            if offer.name not in found:
                found[offer.name] = self._receivers[offer.name]()
            return found[offer.name].receive(offer.body, offer.descriptors)
        except BaseException as error:
            close_all(offer.descriptors)
            if isinstance(error, Refused) or not isinstance(error, Exception):
                raise
            logger.exception("What another process passes on (%s) cannot be taken", offer.name)
            raise Refused(f"taking it failed, the log of this process tells why: {error}") from None

    def look_again(self) -> None:
        """See ``Reader``."""

    def is_reading(self) -> bool:
        """See ``Reader``: nobody asks."""
        return False


def leaves_room(count: int, descriptor: int) -> bool:
    """Whether so many may come: what is made for them needs some, too.

    Args:
        descriptor: any that is open.
    """
    return has_room(2 * count, descriptor)


def find_passing_directory() -> RunDirectory:
    """Where the processes of this site listen that take something over; nothing is made.

    Raises:
        InvalidGroupBackend: there is one that cannot be used.
    """
    directory = find_directory()
    return RunDirectory(directory.path / FOLDER, directory)
