"""The dead socket, which the first connections of a process make."""

import os
import socket
import threading

from dwebsocket.transports import descriptors, detach

from .pairs import TIMEOUT

THREADS, ROUNDS = 8, 300


def test_the_first_ones_come_at_the_same_instant(monkeypatch):
    errors = []

    def replace(barrier):
        sock = socket.socket()
        barrier.wait(TIMEOUT)
        try:
            detach.replace_by_dead(sock.fileno())
            assert sock.recv(1) == b""
        except Exception as error:
            errors.append(error)
        sock.close()

    for _ in range(ROUNDS):
        monkeypatch.setattr(descriptors, "dead_sockets", {})
        barrier = threading.Barrier(THREADS)
        threads = [threading.Thread(target=replace, args=(barrier,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    assert not errors
    assert list(descriptors.dead_sockets) == [os.getpid()]
