"""What is sent reaches all other processes of the site that listen on this machine."""

from __future__ import annotations

import atexit
import logging
import threading
from contextlib import suppress

from dwebsocket.exceptions import InvalidGroupBackend

from .directory import RunDirectory, is_settled
from .frames import Kind, build_frame
from .listener import Listener, Receiver
from .peer import Gone, Peer

__all__ = ["Channel"]

logger = logging.getLogger("dwebsocket.groups")

NOT_HEARD = (
    "This process does not get what other processes of the site send to groups: %s. (Said once.)"
)


class Channel:
    """The way to all the others, and from them.

    Args:
        receiver: gets what comes.
    """

    def __init__(self, directory: RunDirectory, receiver: Receiver) -> None:
        self.directory = directory
        self._receiver = receiver
        self._lock = threading.Lock()  # guards what follows; never held across a wait
        self._listener: Listener | None = None
        self._peers: dict[str, Peer] = {}
        self._changed: int | None = None  # the directory, when it was last looked at
        self._lost = 0  # of peers that are gone
        self._told = self._closed = False

    # Hearing

    def listen(self) -> None:
        """Hear the others from now on. Never raises: if it cannot be, the log says so once, and the
        next call tries again.
        """
        if self._listener is not None or self._closed:
            return
        with self._lock:
            if self._listener is None and not self._closed:
                try:
                    self.directory.make()
                    self._listener = Listener(self.directory.claim(), self._receiver)
                except (OSError, InvalidGroupBackend) as error:
                    self._tell(error)
                else:
                    atexit.register(self.close)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            logger.warning(NOT_HEARD, error)

    @property
    def name(self) -> str | None:
        """What the others know this process by; ``None``: it does not listen."""
        return None if self._listener is None else self._listener.name

    # Sending

    def send(self, kind: Kind, name: str, body: bytes) -> bool:
        """Send to all others; whether there are any. Never waits.

        Raises:
            InvalidFrame: it is too long.
        """
        peers = self._find_peers()
        if not peers:
            return False
        frame = build_frame(kind, name, body)
        for peer_name, peer in peers:
            try:
                peer.send(frame)
            except Gone:
                self._send_again(peer_name, peer, frame)
        return bool(self._peers)

    def _send_again(self, name: str, peer: Peer, frame: bytes) -> None:
        """Remove what is left of a dead process. To one that lives a new connection is made."""
        if self.directory.is_alive(name):
            try:
                peer.send(frame)
            except Gone:
                peer.lost += 1
            return
        with self._lock:
            if self._peers.get(name) is peer:
                self._drop(name)

    @property
    def lost(self) -> int:
        """How many messages others could not be given, each counted once for each of those."""
        return self._lost + sum(peer.lost for peer in list(self._peers.values()))

    def list_peers(self) -> list[str]:
        """The names of the other processes that listen."""
        return [name for name, _ in self._find_peers() if self.directory.is_alive(name)]

    def _find_peers(self) -> list[tuple[str, Peer]]:
        changed = self.directory.changed()
        if changed is None:
            return []
        if changed != self._changed:
            self._look(changed)
        return list(self._peers.items())

    def _look(self, changed: int) -> None:
        """See who is there."""
        with self._lock:
            names = set(self.directory.names()) - {self.name}
            for name in self._peers.keys() - names:
                self._drop(name)
            for name in sorted(names - self._peers.keys()):
                self._peers[name] = Peer(self.directory.socket_of(name))
            self._changed = changed if is_settled(changed) else None

    def _drop(self, name: str) -> None:
        peer = self._peers.pop(name)
        self._lost += peer.lost
        peer.close()

    # The end

    def close(self) -> None:
        """Neither send nor hear any more."""
        with self._lock:
            self._closed = True
            listener, self._listener = self._listener, None
            for name in list(self._peers):
                self._drop(name)
        if listener is not None:
            listener.close()
            with suppress(Exception):
                atexit.unregister(self.close)

    def abandon(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._closed = True
        atexit.unregister(self.close)
        if self._listener is not None:
            self._listener.abandon()
        for peer in list(self._peers.values()):
            peer.abandon()
