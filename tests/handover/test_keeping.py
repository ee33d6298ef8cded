"""What waits for the next process: it is kept as it came, and has its right end."""

import socket

import pytest

from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.handover.closing import close_connections
from dwebsocket.handover.keeping import Keeping, Shelf
from dwebsocket.handover.records import Moved, pack_late, pack_moved
from dwebsocket.machine.passing import Refused

EMPTY = Content(b"", [], b"", None, None, stamp=1, sent=5, received=7)
#: A Close, 1012.
CLOSE = b"\x88\x02\x03\xf4"


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    yield ours, theirs.detach()
    ours.close()


@pytest.fixture
def keeping():
    return Keeping(Shelf())


def pack(unsent):
    return b"O" + pack_moved([Moved(EMPTY._replace(unsent=unsent), "a.B", {}, {}, None)])


def test_it_is_complete_with_what_is_late(pair):
    shelf = Shelf()
    keeping = Keeping(shelf)
    ours, descriptor = pair
    body = pack(b"first ")
    keeping.receive(body, [descriptor]).begin()
    assert shelf.take() is None
    late = b"L" + pack_late([Late(b"second ", [HeldFrame("1", b"third ")], False, None)])
    assert keeping.receive(b"J", []).answer == b""
    keeping.receive(late, []).begin()
    batch = shelf.take()
    assert (batch.body, batch.descriptors, batch.late) == (body, [descriptor], late)

    close_connections(batch.find_unsent(), 1012)
    expected = b"first second third " + CLOSE
    assert ours.recv(len(expected), socket.MSG_WAITALL) == expected
    assert ours.recv(1) == b""
    assert not shelf.is_over
    keeping.end()
    assert shelf.is_over


def test_the_other_process_dies(pair):
    """It had let go, and has said nothing more."""
    shelf = Shelf()
    keeping = Keeping(shelf)
    keeping.receive(pack(b""), [pair[1]]).begin()
    keeping.end()
    batch = shelf.take()
    assert batch.late is None
    batch.close()
    assert pair[0].recv(1) == b""


def test_the_other_process_keeps_it(keeping, pair):
    keeping.receive(pack(b""), [pair[1]]).cancel()
    assert pair[0].recv(1) == b""


def test_what_nobody_understands(keeping):
    with pytest.raises(Refused, match="another version"):
        keeping.receive(b"X", [])


def test_a_peer_that_does_not_read_keeps_no_others(pair):
    """Nor does one that has sent what nobody reads."""
    ours, descriptor = pair
    slow, other = socket.socketpair()
    ours.sendall(b"unread" * 100)
    close_connections([(other.detach(), bytes(10 << 20)), (descriptor, b"")], 1012)
    assert ours.recv(4, socket.MSG_WAITALL) == CLOSE
    assert ours.recv(1) == b""
    slow.close()
