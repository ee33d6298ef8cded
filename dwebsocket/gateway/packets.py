"""The two ZeroMQ sockets of the front: packets to the processes with handlers, and from them."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from django.core.exceptions import ImproperlyConfigured
from zmq.auth.thread import ThreadAuthenticator

from dwebsocket.backends.gateway.addresses import Addresses
from dwebsocket.backends.gateway.wire import Packet, unpack
from dwebsocket.supervisor import log_now_and_then
from dwebsocket.transports.thread_loop import Watch, get_loop

__all__ = ["FOREIGN", "Packets"]

logger = logging.getLogger("dwebsocket.connection")

#: ZeroMQ messages that are worked on before sockets have their turn.
BATCH = 32

#: Bytes that leave together.
MAX_GATHERED = 65536

FOREIGN = "A packet was dropped that is none of a process with handlers, or comes twice"


class Packets:
    """Sends to whoever has said who he is; the loop of the sockets reads.

    Args:
        take_in: is called with the sender's name and the packets that it has sent. Must not raise.
    """

    def __init__(
        self, addresses: Addresses, take_in: Callable[[bytes, list[Packet]], None]
    ) -> None:
        self._take_in = take_in
        self._locks = [hold(file) for file in addresses.files]
        self._context: Any = zmq.Context()
        self._authenticator = self._authenticate(addresses)
        self._outgoing = self._bind(addresses.push, addresses)
        self._incoming = self._bind(addresses.sub, addresses)
        self._waiting: dict[bytes, list[bytes]] = {}  # for each process
        self._waiting_size = 0
        self._loop = get_loop()

    def _authenticate(self, addresses: Addresses) -> ThreadAuthenticator | None:
        """Let nobody in but who has the handlers' key."""
        if addresses.keys is None:
            return None
        authenticator = ThreadAuthenticator(self._context)
        authenticator.start()
        known = {addresses.keys.handlers_public}
        authenticator.configure_curve_callback(credentials_provider=KnownKeys(known))
        return authenticator

    def _bind(self, address: str, addresses: Addresses) -> Any:
        sock: Any = self._context.socket(zmq.ROUTER)
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
        sock.setsockopt(zmq.SNDHWM, 0)  # each connection has a bound of its own
        sock.setsockopt(zmq.RCVHWM, 0)
        sock.setsockopt(zmq.LINGER, 0)
        if addresses.keys is not None:
            sock.setsockopt(zmq.CURVE_SERVER, 1)
            sock.setsockopt(zmq.CURVE_PUBLICKEY, addresses.keys.front_public)
            sock.setsockopt(zmq.CURVE_SECRETKEY, addresses.keys.front_secret)
        before = os.umask(0o177)  # nobody else may connect
        try:
            sock.bind(address)
        except zmq.ZMQError as error:
            raise ImproperlyConfigured(f"the front cannot listen at {address}: {error}") from error
        finally:
            os.umask(before)
        return sock

    def start(self) -> None:
        """Read from now on."""
        self._loop.add(Watch(self._incoming.getsockopt(zmq.FD), self, more=True))

    @property
    def has_waiting(self) -> bool:
        """Whether something waits for ``flush``."""
        return self._waiting_size > 0

    # Sending, one thread at a time

    def send(self, name: bytes, packet: bytes) -> None:
        """Let a packet wait for ``flush``."""
        waiting = self._waiting.get(name)
        if waiting is None:
            waiting = self._waiting[name] = []
        waiting.append(packet)
        self._waiting_size += len(packet)
        if self._waiting_size > MAX_GATHERED:
            self.flush()

    def flush(self) -> None:
        """Send what waits: what is for one process is one ZeroMQ message."""
        waiting, self._waiting, self._waiting_size = self._waiting, {}, 0
        for name, packets in waiting.items():
            self.send_now(name, b"".join(packets))

    def flush_last(self) -> None:
        """The same, if none of those whom the loop has found is going to do it."""
        if not self._loop.has_found:
            self.flush()

    def send_now(self, name: bytes, packet: bytes) -> bool:
        """Send a packet; whether there is such a process."""
        try:
            self._outgoing.send_multipart((name, packet), zmq.NOBLOCK)
        except zmq.ZMQError:
            return False
        return True

    def close(self) -> None:
        """Let go of the addresses."""
        if self._authenticator is not None:
            self._authenticator.stop()
        for descriptor in self._locks:
            os.close(descriptor)

    # What the loop calls

    def on_readable(self) -> bool:
        """Work on what has come; whether there may be more. The descriptor tells of what comes
        after all has been taken, and of nothing else.
        """
        incoming = self._incoming
        for _ in range(BATCH):
            if not incoming.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # cheaper than an exception
                return False
            name, *parts = incoming.recv_multipart(zmq.NOBLOCK)
            try:
                packets = unpack(b"".join(parts))
            except ValueError:
                log_now_and_then("gateway", FOREIGN)
            else:
                self._take_in(name, packets)
        return True

    def on_writable(self) -> None:
        """It is not watched for that."""

    def on_stalled(self) -> None:
        """Nobody waits for anything here but the processor."""

    def on_failure(self) -> None:
        """What has failed is logged; the next packet is another one."""


class KnownKeys:
    """Says which keys are those of handlers (RFC 27 of ZeroMQ)."""

    def __init__(self, known: set[bytes]) -> None:
        self._known = known

    def callback(self, domain: str, key: bytes) -> bool:
        return key in self._known


def hold(file: Path) -> int:
    """A lock beside a socket's file, for as long as this process lives: two fronts at one address
    would take each other's place.

    Raises:
        ImproperlyConfigured: another front is there, or no file can be made.
    """
    path = file.with_name(file.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ImproperlyConfigured(f"the front cannot listen at {file}: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ImproperlyConfigured(
            f"another front listens at {file}: give this one a --push-socket and a --sub-socket of "
            "its own, or a site of its own a WEBSOCKET_RUN_DIR"
        ) from error
    return descriptor
