"""What is sent reaches all other processes of the site that listen on this machine."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

from dwebsocket.exceptions import InvalidGroupBackend
from dwebsocket.supervisor import Service, forget_last, run_last

from .directory import RunDirectory, is_settled
from .frames import Kind, build_frame
from .hearing import FrameReader, Receiver
from .listener import Listener
from .peer import Gone, Peer

__all__ = ["Channel"]

logger = logging.getLogger("dwebsocket.groups")

NOT_HEARD = (
    "This process does not get what other processes of the site send to groups: %s. (Said once, "
    "and tried each second.)"
)
NOT_SEEN = "Nobody can see which other processes of the site there are: %s. (Said once.)"

#: Seconds between two tries to listen.
RETRY = 1.0

#: Seconds for which a process that ends waits for those that have yet to take what it has sent.
LAST_WORDS = 2.0


#: Looks at which nothing is found to be on its way, and the seconds between two: a reader may have
#: taken something out, and not begun to hand it on.
LOOKS, LOOK = 3, 0.001


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
        self._told: set[str] = set()
        self._hears_no_more = self._ends_in_order = False
        self._trying = Service(self._keep_trying, "dwebsocket-machine")

    # Hearing

    def listen(self) -> None:
        """Hear the others from now on. Never raises: if it cannot be, the log says so once, and it
        is tried until it can.
        """
        if self._listener is None and not self._hears_no_more and not self._try_to_listen():
            self._trying.ensure()

    def _try_to_listen(self) -> bool:
        with self._lock:
            if self._listener is None and not self._hears_no_more:
                try:
                    self._listener = Listener(self.directory, FrameReader(self._receiver))
                except (OSError, InvalidGroupBackend) as error:
                    self._tell_once(NOT_HEARD, error)
                    return False
                self._end_in_order()
        return True

    def _keep_trying(self) -> None:
        while True:
            time.sleep(RETRY)
            if self._try_to_listen():
                self._receiver.look_again()
            if self._trying.end(lambda: self._listener is None and not self._hears_no_more):
                return

    def _tell_once(self, text: str, error: Exception) -> None:
        if text not in self._told:
            self._told.add(text)
            logger.warning(text, error)

    @property
    def name(self) -> str | None:
        """What the others know this process by; ``None``: it does not listen."""
        return None if self._listener is None else self._listener.name

    # Sending

    def send(self, kind: Kind, name: str, body: bytes, process: str | None = None) -> bool:
        """Send to all others, or to the one of this name; whether there are any. Never waits.

        Raises:
            InvalidFrame: it is too long.
        """
        peers = self._find_peers()
        if process is not None:
            peers = [peer for peer in peers if peer.name == process]
        if not peers:
            return False
        frame = build_frame(kind, name, body)
        for peer in peers:
            try:
                peer.send(frame)
            except Gone:
                self._remove(peer)
        return bool(self._peers)

    def _remove(self, peer: Peer) -> None:
        with self._lock:
            if self._peers.get(peer.name) is peer:
                self._drop(peer.name)

    @property
    def lost(self) -> int:
        """How many messages others could not be given, each counted once for each of those."""
        return self._lost + sum(peer.lost for peer in list(self._peers.values()))

    def list_peers(self) -> list[str]:
        """The names of the other processes that listen."""
        return sorted(p.name for p in self._find_peers() if self.directory.is_alive(p.name))

    def _find_peers(self) -> list[Peer]:
        changed = self.directory.changed()
        if changed != self._changed:
            self._look(changed)
        return list(self._peers.values())

    def _look(self, changed: int | None) -> None:
        """See who is there."""
        with self._lock:
            try:
                names = self.directory.names() if self.directory.check() else set()
            except (OSError, InvalidGroupBackend) as error:
                self._tell_once(NOT_SEEN, error)
                return
            for name, peer in list(self._peers.items()):
                # One that is connected lives, though somebody may have removed its files.
                if name not in names and not peer.is_connected:
                    self._drop(name)
            for name in sorted(names - self._peers.keys() - {self.name}):
                is_alive = partial(self.directory.is_alive, name)
                self._peers[name] = Peer(name, self.directory.socket_of(name), is_alive)
                self._end_in_order()
            self._changed = changed if changed is not None and is_settled(changed) else None

    def _drop(self, name: str) -> None:
        peer = self._peers.pop(name)
        self._lost += peer.lost
        peer.close()

    def settle(self, timeout: float) -> bool:
        """Wait until what the others have sent so far has been handed on; whether it has."""
        deadline = time.monotonic() + timeout
        idle = 0
        while idle < LOOKS and time.monotonic() < deadline:
            listener = self._listener
            idle = idle + 1 if listener is None or listener.is_idle() else 0
            time.sleep(LOOK)
        return idle >= LOOKS

    # The end

    def _end_in_order(self) -> None:
        if not self._ends_in_order:
            self._ends_in_order = True
            run_last(self._end)

    def _end(self) -> None:
        """The process ends: hear nobody any more, and send what waits."""
        self._stop_listening()
        deadline = time.monotonic() + LAST_WORDS
        while any(p.is_busy for p in self._peers.values()) and time.monotonic() < deadline:
            time.sleep(0.005)

    def _stop_listening(self) -> None:
        with self._lock:
            self._hears_no_more = True
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def close(self) -> None:
        """Neither send nor hear any more."""
        self._end() if self._ends_in_order else self._stop_listening()
        with self._lock:
            for name in list(self._peers):
                self._drop(name)
        forget_last(self._end)

    def abandon(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._hears_no_more = True
        forget_last(self._end)
        if self._listener is not None:
            self._listener.abandon()
        for peer in list(self._peers.values()):
            peer.abandon()
