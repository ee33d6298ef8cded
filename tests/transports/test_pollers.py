"""Waiting for many descriptors: epoll and what stands in for it agree."""

import selectors
import socket
import threading
import time

import pytest

from dwebsocket.transports.pollers import IN, OUT, SelectorPoller, create_poller

from .pairs import TIMEOUT, in_thread

POLLERS = {
    "best": create_poller,
    "default": lambda: SelectorPoller(selectors.DefaultSelector()),
    "poll": lambda: SelectorPoller(selectors.PollSelector()),
    "select": lambda: SelectorPoller(selectors.SelectSelector()),
}


@pytest.fixture(params=POLLERS)
def poller(request):
    made = POLLERS[request.param]()
    yield made
    made.close()


@pytest.fixture
def ends():
    ours, peer = socket.socketpair()
    with ours, peer:
        yield ours, peer


def poll_until_found(poller):
    """Those that wait for nothing but changes return now and then."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if found := poller.poll():
            return found
    raise AssertionError("nothing was found")


def test_readable(poller, ends):
    ours, peer = ends
    poller.register(ours.fileno(), IN)
    peer.sendall(b"x")
    assert poll_until_found(poller) == [(ours.fileno(), IN)]
    assert poll_until_found(poller) == [(ours.fileno(), IN)]  # again, as long as it is not read


def test_writable(poller, ends):
    ours, peer = ends
    poller.register(ours.fileno(), OUT)
    assert poll_until_found(poller) == [(ours.fileno(), OUT)]
    peer.sendall(b"x")
    poller.modify(ours.fileno(), IN | OUT)
    assert poll_until_found(poller) == [(ours.fileno(), IN | OUT)]
    poller.modify(ours.fileno(), IN)
    assert poll_until_found(poller) == [(ours.fileno(), IN)]


def test_the_end_is_readable(poller, ends):
    ours, peer = ends
    poller.register(ours.fileno(), IN)
    peer.close()
    [(fd, events)] = poll_until_found(poller)
    assert fd == ours.fileno()
    assert events & IN


def test_unregister(poller, ends):
    ours, peer = ends
    poller.register(ours.fileno(), IN)
    poller.register(peer.fileno(), OUT)
    ours_readable = {ours.fileno(), peer.fileno()}
    peer.sendall(b"x")
    assert {fd for fd, _ in poll_until_found(poller)} <= ours_readable
    poller.unregister(ours.fileno())
    assert poll_until_found(poller) == [(peer.fileno(), OUT)]


@pytest.mark.parametrize("how", ["register", "modify"])
def test_changes_by_another_thread_are_noticed(poller, ends, how):
    ours, peer = ends
    idle, idle_peer = socket.socketpair()
    with idle, idle_peer:
        poller.register(idle.fileno(), IN)
        if how == "modify":
            try:
                while peer.send(b"x" * 65_536, socket.MSG_DONTWAIT):
                    pass
            except BlockingIOError:
                pass
            poller.register(peer.fileno(), OUT)  # it is full
        waiting = threading.Event()
        found = []

        def wait():
            waiting.set()
            found.append(poll_until_found(poller))

        thread = in_thread(wait)
        assert waiting.wait(TIMEOUT)
        if how == "modify":
            ours.sendall(b"x")
            poller.modify(peer.fileno(), IN)
            expected = peer.fileno()
        else:
            peer.sendall(b"x")
            poller.register(ours.fileno(), IN)
            expected = ours.fileno()
        thread.join(TIMEOUT)
        assert found == [[(expected, IN)]]


def test_a_descriptor_closed_while_it_is_being_removed(ends):
    """select() alone complains; the one who polls goes on without it."""
    poller = POLLERS["select"]()
    ours, peer = ends
    closed, other = socket.socketpair()
    fd = closed.fileno()
    poller.register(ours.fileno(), IN)
    poller.register(fd, IN)
    closed.close()
    other.close()
    peer.sendall(b"x")
    assert poller.poll() == []
    poller.unregister(fd)
    assert poller.poll() == [(ours.fileno(), IN)]
    poller.close()
