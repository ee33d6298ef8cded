"""Hears what the other processes send: a thread or greenlet for each of them that does."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Protocol

from dwebsocket.supervisor import try_start

from .directory import Claim
from .frames import Frame, InvalidFrame, parse_frames
from .peer import is_own_user

__all__ = ["Listener", "Receiver"]

logger = logging.getLogger("dwebsocket.groups")

#: Connections that may wait to be taken in.
BACKLOG = 1024

#: Bytes that are read at a time.
CHUNK = 1 << 18

#: Seconds for which a flood is handed on before others get a turn, and how long that is: greenlets
#: change places only where one waits.
TURN, PAUSE = 0.005, 0.0005

#: Seconds before the next try, when no connection could be taken in.
RETRY = 0.1


class Receiver(Protocol):
    """Who gets what the others send, in whatever thread."""

    def receive_frame(self, frame: Frame) -> None:
        """One of them has sent this. Must not raise."""

    def look_again(self) -> None:
        """One of them has gone, and may have been about to say something. Must not raise."""


class Listener:
    """The socket of this process.

    Args:
        receiver: gets what comes.

    Attributes:
        is_inherited: whether this is a forked child, and the listener its parent's.
    """

    def __init__(self, claim: Claim, receiver: Receiver) -> None:
        self._claim = claim
        self._receiver = receiver
        self._lock = threading.Lock()  # held for an instant
        self._connections: set[socket.socket] = set()
        self._closed = self.is_inherited = False
        self._told: set[str] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._open()
        except BaseException:
            self._socket.close()
            claim.release()
            raise

    def _open(self) -> None:
        new = self._claim.socket.with_suffix(".new")  # nobody is to find it before it listens
        self._socket.bind(str(new))
        new.chmod(0o600)
        self._socket.listen(BACKLOG)
        new.rename(self._claim.socket)
        if try_start(self._accept, "dwebsocket-machine") is None:
            raise OSError("the system has no further thread")

    @property
    def name(self) -> str:
        """What the other processes know this one by."""
        return self._claim.name

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                if not self._closed:
                    time.sleep(RETRY)  # no descriptor left
                continue
            if not is_own_user(connection):
                self._tell_once("another user's process has connected, and is not heard")
                connection.close()
                continue
            with self._lock:
                self._connections.add(connection)
            if try_start(partial(self._read, connection), "dwebsocket-machine") is None:
                self._leave(connection)  # the sender counts what is lost, and comes again
        self._stay_if_inherited()

    def _read(self, connection: socket.socket) -> None:
        buffer = bytearray()
        turn = time.monotonic() + TURN
        try:
            while data := connection.recv(CHUNK):
                buffer += data
                for frame in parse_frames(buffer):
                    self._receiver.receive_frame(frame)
                if time.monotonic() > turn:
                    time.sleep(PAUSE)
                    turn = time.monotonic() + TURN
        except InvalidFrame as error:
            self._tell_once(f"something that is no message of ours has come: {error}")
        except OSError:
            pass  # it has gone
        finally:
            self._leave(connection)
        if not self._closed:
            self._receiver.look_again()
        self._stay_if_inherited()

    def _leave(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _stay_if_inherited(self) -> None:
        if self.is_inherited:  # a greenlet, unknown to the child: its end would be an error
            threading.Event().wait()

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            logger.warning("%s: %s. (This is said once.)", self._claim.socket, what)

    def close(self) -> None:
        """Hear nobody any more."""
        self._closed = True
        self._claim.release()
        with self._lock:
            connections = list(self._connections)
        for one in (self._socket, *connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes who waits there
        self._socket.close()

    def abandon(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._closed = self.is_inherited = True
        self._claim.forget()
        for one in (self._socket, *self._connections):
            one.close()
