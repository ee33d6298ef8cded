"""Takes the connections of other processes in: each has a thread or greenlet of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Protocol

from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.supervisor import try_start
from dwebsocket.transports.poll import wait_readable

from .directory import NEW, Claim, RunDirectory
from .frames import InvalidFrame
from .peer import is_own_user

__all__ = ["Listener", "Reader"]

logger = logging.getLogger("dwebsocket.groups")

#: Connections that may wait to be taken in.
BACKLOG = 1024

#: Seconds before the next try, when a connection could not be taken in.
RETRY = 0.1

#: Seconds after which the files are looked at again, which somebody may have removed.
TICK = 2.0


class Reader(Protocol):
    """Who reads what comes, in whatever thread."""

    def read(self, connection: socket.socket) -> None:
        """Read until the other side ends it.

        Raises:
            InvalidFrame: what has come is none of ours.
            OSError: the connection is broken.
        """

    def look_again(self) -> None:
        """One of them has gone, and may have been about to say something. Must not raise."""

    def is_reading(self) -> bool:
        """Whether something that has come is being handed on."""
        ...


class Listener:
    """The socket of this process, which is there again when somebody has removed it.

    Args:
        reader: reads what comes.

    Attributes:
        name: what the other processes know this one by.
        is_inherited: whether this is a forked child, and the listener its parent's.

    Raises:
        InvalidGroupBackend: the directory cannot be used.
        OSError: the system has no place, descriptor or thread for it.
    """

    def __init__(self, directory: RunDirectory, reader: Reader) -> None:
        self.name = f"{os.getpid()}.{os.urandom(4).hex()}"
        self._directory = directory
        self._reader = reader
        self._lock = threading.Lock()  # held for an instant
        self._connections: set[socket.socket] = set()
        self._unread: list[socket.socket] = []  # for those there was no thread
        self._closed = self.is_inherited = False
        self._told: set[str] = set()
        self._claim, self._socket = self._open()
        self._looked = time.monotonic()
        if try_start(self._accept, "dwebsocket-machine") is None:
            self.close()
            raise OSError("the system has no further thread")

    def _open(self) -> tuple[Claim, socket.socket]:
        self._directory.make()
        claim = self._directory.claim(self.name)
        # Under another name, for nobody is to find it before it listens.
        new = claim.socket.with_name(claim.socket.name + NEW)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.bind(str(new))
            new.chmod(0o600)
            opened.listen(BACKLOG)
            opened.settimeout(TICK)
            new.rename(claim.socket)
        except BaseException:
            opened.close()
            claim.release()
            raise
        return claim, opened

    def _accept(self) -> None:
        while not self._closed:
            self._look_after_files()
            if self._unread and not self._read_unread():
                continue
            try:
                self._take_in(self._socket.accept()[0])
            except TimeoutError:
                pass
            except OSError as error:
                if not self._closed:
                    self._tell_once(f"no process can be heard that is not yet: {error}")
                    time.sleep(RETRY)
        self._stay_if_inherited()

    def _take_in(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        if not is_own_user(connection):
            self._tell_once("another user's process has connected, and is not heard")
            connection.close()
            return
        with self._lock:
            self._connections.add(connection)
        self._unread.append(connection)

    def _read_unread(self) -> bool:
        """Whether all are read now."""
        while self._unread:
            read = partial(self._read, self._unread[0])
            if try_start(read, "dwebsocket-machine") is None:
                time.sleep(RETRY)  # what comes waits in the connection, or with its sender
                return False
            self._unread.pop(0)
        return True

    def _look_after_files(self) -> None:
        """Be found again, if somebody has removed the files."""
        now = time.monotonic()
        if now < self._looked + TICK:
            return
        self._looked = now
        if self._claim.is_in_place():
            return
        before = self._socket
        with self._lock:
            if self._closed:
                return
            self._claim.release()
            try:
                self._claim, self._socket = self._open()
            except (OSError, InvalidGroupBackend) as error:
                self._tell_once(f"somebody has removed this, and it cannot be made anew: {error}")
                return
        with suppress(OSError):  # those that have found it before, and wait to be taken in
            before.settimeout(0)
            while True:
                self._take_in(before.accept()[0])
        before.close()

    def _read(self, connection: socket.socket) -> None:
        try:
            self._reader.read(connection)
        except InvalidFrame as error:
            self._tell_once(f"something that is no message of ours has come: {error}")
        except OSError:
            pass  # it has gone
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
        if not self._closed:
            self._reader.look_again()
        self._stay_if_inherited()

    def _stay_if_inherited(self) -> None:
        if self.is_inherited:  # a greenlet, unknown to the child: its end would be an error
            threading.Event().wait()

    def _tell_once(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            logger.warning("%s: %s. (This is said once.)", self._claim.socket, what)

    def is_idle(self) -> bool:
        """Whether all that has come has been handed on. Never waits."""
        with self._lock:
            connections = list(self._connections)
        try:
            unread = [one for one in connections if wait_readable(one.fileno(), 0)]
        except (OSError, ValueError):  # one is being closed
            return False
        return not (unread or self._reader.is_reading())

    def close(self) -> None:
        """Hear nobody any more."""
        with self._lock:
            self._closed = True
            self._claim.release()
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
