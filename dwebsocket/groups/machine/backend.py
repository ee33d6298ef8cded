"""The default backend: the channel between the processes of a machine carries what is sent."""

from __future__ import annotations

import logging
import os
import pwd
import threading
from collections.abc import Mapping
from typing import Any

from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.base import BaseGroupBackend, Counts
from dwebsocket.groups.envelope import Closing, Envelope, encode, identify, pack, unpack
from dwebsocket.groups.history import Keeper, Position, pack_position, unpack_position
from dwebsocket.groups.members import Members
from dwebsocket.groups.numbers import Numberer, Tally
from dwebsocket.groups.presence import Presence
from dwebsocket.groups.serving import serves
from dwebsocket.machine import (
    Channel,
    Frame,
    InvalidFrame,
    Kind,
    RunDirectory,
    find_directory,
    find_others,
)

from .file import GroupFile
from .history import FileHistory
from .presence import FilePresence
from .tables import prepare

__all__ = ["MachineGroupBackend"]

logger = logging.getLogger("dwebsocket.groups")

ALONE = "What is sent to the group %r reaches nobody: %s (Said once in a process.)"
NOBODY = (
    "no process of this site that runs as the user %s listens in the run directory %s. Either "
    "nobody is connected, or the server has another directory: %s"
)
USUAL_REASONS = (
    "it runs as another user, with other settings (DJANGO_SETTINGS_MODULE), in a container, or as "
    "a service of systemd with PrivateTmp; WEBSOCKET_RUN_DIR names one for all."
)
FOREIGN = "there is %s, of the user %s. Run this as that user."


class MachineGroupBackend(BaseGroupBackend):
    """Reaches all processes of the site that run on this machine as the same user.

    Raises:
        InvalidGroupBackend: there are no Unix sockets here, or the run directory cannot be used.
    """

    history: Keeper
    presence: Presence

    def __init__(self, members: Members, location: Any, options: Mapping[str, Any]) -> None:
        super().__init__(members, location, options)
        if location is not None or options:
            raise InvalidGroupBackend(
                "WEBSOCKET_GROUPS: MachineGroupBackend takes neither 'LOCATION' nor 'OPTIONS'; "
                "WEBSOCKET_RUN_DIR says where the processes meet"
            )
        directory = find_directory()
        directory.check_usable()
        self._channel = Channel(directory, self)
        self._numberer = Numberer()
        self._tally = Tally()
        self._lock = threading.Lock()  # held for an instant
        self._published = self._unavailable = 0
        self._may_be_alone = True
        self._told_foreign = False
        self._file = GroupFile(directory, prepare)
        # What is kept is not in the tally: its numbers would be missed there.
        self.history = Keeper(members, FileHistory(self._file), Numberer(), self._carry)
        self.presence = self._create_presence(FilePresence(self._file, self._channel))

    def get_counts(self) -> Counts:
        tally = self._tally
        with self._lock:
            published, unavailable = self._published, self._unavailable
        return Counts(published, unavailable, tally.received, tally.lost)

    def listen(self) -> None:
        self._channel.listen()

    def subscribe(self, name: str) -> None:
        self._may_be_alone = False
        self._channel.listen()

    def unsubscribe(self, name: str) -> None:
        with self._lock:
            self._tally.forget(name)
        self.history.feeds.drop(name)

    def settle(self, timeout: float) -> None:
        self._channel.settle(timeout)

    def get_name(self) -> str | None:
        return self._channel.name

    def list_processes(self) -> list[str]:
        return self._channel.list_peers()

    # Sending

    def publish(self, name: str, content: Envelope) -> None:
        self._send(Kind.MESSAGE, name, self._pack(name, content))

    def send(self, name: str, content: str | bytes | Closing, exclude: object = None) -> None:
        data = self._pack(name, content)
        self.receive(name, content, exclude, identify(data))
        self._send(Kind.MESSAGE, name, data)

    def _pack(self, name: str, content: Envelope) -> bytes:
        kind, body = encode(content)
        return pack(kind, body, *self._numberer.next(name))

    def publish_to(self, process: str, name: str, content: Envelope) -> None:
        kind, body = encode(content)
        self._send(Kind.MESSAGE, name, pack(kind, body, *self._numberer.next(name)), process)

    def _carry(self, name: str, position: Position, data: bytes) -> None:
        self.history.feeds.receive(name, position, data)
        self._send(Kind.KEPT, name, pack_position(position) + data)

    def _send(self, kind: Kind, name: str, body: bytes, process: str | None = None) -> None:
        try:
            reached = self._channel.send(kind, name, body, process)
        except InvalidFrame as error:
            with self._lock:
                self._unavailable += 1
            raise GroupUnavailable(
                f"group {name!r}: only the members in this process have got the message: {error}"
            ) from error
        with self._lock:
            self._published += 1
        if self._may_be_alone and not reached:
            self._tell_alone(name)

    def _tell_alone(self, name: str) -> None:
        self._may_be_alone = False
        if not serves():
            logger.warning(ALONE, name, self._describe_silence())

    @property
    def directory(self) -> RunDirectory:
        """Where the processes meet."""
        return self._channel.directory

    def explain_silence(self) -> str | None:
        if self._channel.list_peers():
            return None
        self._may_be_alone = False  # whoever asks tells it
        return self._describe_silence()

    def _describe_silence(self) -> str:
        others = find_others()
        reasons = FOREIGN % (others[0], owner_of(others[0])) if others else USUAL_REASONS
        return NOBODY % (show_user(os.geteuid()), self._channel.directory.path, reasons)

    # Receiving: the Receiver of the channel

    def receive_frame(self, frame: Frame) -> None:
        """Hand on what another process has sent."""
        try:
            if frame.kind == Kind.KEPT:
                self._receive_kept(frame)
            elif frame.kind == Kind.MESSAGE:
                self._receive_plain(frame)
            else:
                raise ValueError(f"a frame of kind {frame.kind}")
        except ValueError as error:
            if not self._told_foreign:
                self._told_foreign = True
                logger.warning(
                    "Something that is no message of a group came for %r: %s. (Said once.)",
                    frame.name,
                    error,
                )
        except Exception:
            logger.exception("What came for the group %r cannot be handed on", frame.name)

    def _receive_plain(self, frame: Frame) -> None:
        if not self.members.is_wanted(frame.name):
            return
        origin, number, content = unpack(frame.body)
        with self._lock:
            self._tally.note(frame.name, origin, number)
        self.receive(frame.name, content, origin=identify(frame.body))

    def _receive_kept(self, frame: Frame) -> None:
        if not self.members.count(frame.name):
            return
        position, data = unpack_position(frame.body)
        with self._lock:
            self._tally.received += 1
        self.history.feeds.receive(frame.name, position, data)

    def look_again(self) -> None:
        """A process has gone, and may have been about to say something."""
        self.history.feeds.look_again()
        self.presence.look_again()

    # The end

    def close(self) -> None:
        self.presence.close()
        self._channel.close()
        self.history.close()
        self._file.close()

    def abandon(self) -> None:
        self.presence.abandon()
        self._channel.abandon()
        self.history.close()


def owner_of(path: str) -> str:
    """The user to whom it belongs."""
    try:
        return show_user(os.lstat(path).st_uid)
    except OSError:  # it has been removed
        return "?"


def show_user(uid: int) -> str:
    """The name of a user, if it has one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
