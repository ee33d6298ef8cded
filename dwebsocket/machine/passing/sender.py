"""Passes things on to one other process of the machine."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from time import monotonic
from typing import Any

from dwebsocket.machine.directory import RunDirectory
from dwebsocket.machine.frames import InvalidFrame
from dwebsocket.machine.peer import connect, is_refusal

from .errors import Gone, NoAnswer, Refused
from .wire import MAX_DESCRIPTORS, Packet, Step, close_all, receive_packet, send_packet

__all__ = ["Sender"]

#: Seconds in which a process says hello: it may be busy, but accepts in a thread of its own.
HELLO_TIMEOUT = 5.0

#: Seconds between two tries to connect to one where too many wait already.
RETRY = 0.02

#: Seconds in which it says that it begins, after which it is taken to have begun.
BEGIN_TIMEOUT = 10.0


class Sender:
    """A connection to another process, for one offer after the other. Not for several threads at a
    time. A context manager.

    Args:
        name: of the process, in that directory.
        timeout: seconds in which it must say hello.

    Attributes:
        hello: what it says of itself.
        room: how many descriptors it still has room for.

    Raises:
        Gone: it does not listen.
        NoAnswer: it does not say hello in time.
    """

    def __init__(
        self, directory: RunDirectory, name: str, *, timeout: float = HELLO_TIMEOUT
    ) -> None:
        deadline = monotonic() + timeout
        self.name = name
        self._connection = connect_patiently(directory, name, deadline)
        try:
            hello = self._receive(deadline, Step.HELLO)
            self.hello: dict[str, Any] = json.loads(hello.body)
            self.room = int(self.hello["room"])
        except (ValueError, TypeError, KeyError) as error:
            self.close()
            raise Gone(f"the process {name} has said something else than hello") from error
        except BaseException:
            self.close()
            raise

    def offer(
        self, kind: str, body: bytes = b"", descriptors: Sequence[int] = (), *, timeout: float
    ) -> bytes:
        """Pass something on; what the other process answers. When this returns the descriptors are
        the other process's as well as ours: close them, and do nothing with them any more.

        Args:
            kind: what it is, and so who takes it there.
            timeout: seconds in which the other process must have accepted it.

        Raises:
            Gone: the process has gone.
            NoAnswer: it has not answered in time.
            Refused: it has said no.
        """
        deadline = monotonic() + timeout
        if len(descriptors) > min(self.room, MAX_DESCRIPTORS):
            raise Refused(
                f"{len(descriptors)} descriptors: the process has room for {self.room}, and at "
                f"most {MAX_DESCRIPTORS} pass at a time"
            )
        self._send(Packet(Step.OFFER, kind, body, descriptors), deadline)
        answer = self._receive(deadline, Step.ACCEPTED, Step.REFUSED)
        if answer.step == Step.REFUSED:
            raise Refused(answer.body.decode(errors="replace"))
        self._commit()
        self.room -= len(descriptors)
        return answer.body

    def ask(self, kind: str, body: bytes, *, timeout: float) -> bytes:
        """Tell the other process something, or ask for it; what it answers. It begins when it has
        answered: if it dies before, it has not.

        Raises:
            Gone: the process has gone.
            NoAnswer: it has not answered in time, and may yet begin.
            Refused: it has said no.
        """
        deadline = monotonic() + timeout
        self._send(Packet(Step.ASK, kind, body), deadline)
        answer = self._receive(deadline, Step.ACCEPTED, Step.REFUSED)
        if answer.step == Step.REFUSED:
            raise Refused(answer.body.decode(errors="replace"))
        return answer.body

    def _commit(self) -> None:
        """From here on it is in doubt, until the other process has said that it begins: if that
        dies first, it has not.
        """
        deadline = monotonic() + BEGIN_TIMEOUT
        self._send(Packet(Step.COMMIT), deadline)
        try:
            self._receive(deadline, Step.BEGUN)
        except NoAnswer:
            pass  # it lives, and has been told: if it goes on it begins

    def _send(self, packet: Packet, deadline: float) -> None:
        self._connection.settimeout(max(0.001, deadline - monotonic()))
        try:
            send_packet(self._connection, packet)
        except TimeoutError as error:
            self.close()
            raise NoAnswer(f"the process {self.name} does not take what is offered") from error
        except InvalidFrame as error:
            raise Refused(f"it cannot be passed on: {error}") from error
        except OSError as error:
            self.close()
            if not isinstance(error, ConnectionError):  # ETOOMANYREFS, EBADF: it is our own fault
                raise Refused(f"it cannot be passed on: {os.strerror(error.errno or 0)}") from error
            raise Gone(f"the process {self.name} has gone: {error}") from error

    def _receive(self, deadline: float, *steps: Step) -> Packet:
        try:
            packet = receive_packet(self._connection, deadline)
        except TimeoutError as error:
            self.close()
            raise NoAnswer(f"the process {self.name} has not answered in time") from error
        except (OSError, InvalidFrame) as error:
            self.close()
            raise Gone(f"the process {self.name} has gone: {error}") from error
        if packet is not None and packet.step in steps and not packet.descriptors:
            return packet
        if packet is not None:
            close_all(packet.descriptors)
        self.close()
        raise Gone(f"the process {self.name} has hung up, or speaks otherwise")

    def close(self) -> None:
        """Hang up: what was offered and not accepted is not taken any more."""
        self._connection.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def connect_patiently(directory: RunDirectory, name: str, deadline: float) -> socket.socket:
    """A connection to that process.

    Raises:
        Gone: it does not listen.
        NoAnswer: too many wait there already.
    """
    while True:
        try:
            return connect(directory.socket_of(name))
        except BlockingIOError as error:
            if monotonic() > deadline:
                raise NoAnswer(f"too many wait for the process {name} already") from error
            time.sleep(RETRY)
        except OSError as error:
            if is_refusal(error):
                directory.is_alive(name)  # what a dead one has left is removed
            raise Gone(f"the process {name} does not listen: {error}") from error
