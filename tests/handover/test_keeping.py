"""What waits for the next process: it is kept as it came, and has its right end."""

import os
import socket

import pytest

from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.handover.closing import close_connections
from dwebsocket.handover.keeper import Keeper
from dwebsocket.handover.keeping import Keeping, Kept, Shelf
from dwebsocket.handover.kinds import KIND
from dwebsocket.handover.records import Moved, pack_late, pack_moved, unpack_late, unpack_moved
from dwebsocket.machine.directory import RunDirectory
from dwebsocket.machine.passing import PassingServer, Refused, Sender

from ..servers.process import wait_until

EMPTY = Content(b"", [], b"", None, None, stamp=1, sent=5, received=7)
#: Nothing carries it.
SESSION = SessionContent(
    "a", None, True, "websocket", False, None, 3, *[[]] * 4, 7, {}, 0.0, 1, 5, None
)
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


class Few:
    """Has room for two connections at a time. A ``Receiver``, and what is offered to it."""

    def __init__(self):
        self.taken = []

    def receive(self, body, descriptors):
        if body[:1] == b"O":
            moved = unpack_moved(body[1:])
            if len(moved) > 2:
                raise Refused("no room for so many")
            return Kept(lambda: self.taken.append(([one.handler for one in moved], descriptors)))
        if body[:1] == b"L":
            late, recent = unpack_late(body[1:])
            return Kept(lambda: self.taken.append(([one.unsent for one in late], recent)))
        return Kept()

    def end(self):
        pass


class Only:
    """One process that takes."""

    def __init__(self, sender):
        self._sender = sender

    def refresh(self):
        pass

    def next(self):
        return self._sender


@pytest.fixture
def few(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    few = Few()
    server = PassingServer(directory, {KIND: lambda: few})
    with Sender(directory, server.name) as sender:
        yield few, Only(sender)
    server.close()


def test_a_process_that_has_room_for_some_takes_those(few, pair):
    """The others are offered once more, each with what came late for it. One has no descriptor."""
    few, only = few
    others = [socket.socketpair() for _ in range(3)]
    descriptors = [pair[1], *[theirs.detach() for _, theirs in others]]
    moved = [Moved(EMPTY, name, {}, {}, None) for name in "abcde"]
    moved[1] = moved[1]._replace(content=SESSION)
    keeper = Keeper(os.getpid())
    keeping = keeper.receive()
    keeping.receive(b"O" + pack_moved(moved), descriptors).begin()
    late = [Late(name.encode(), [], False, None) for name in "abcde"]
    keeping.receive(b"L" + pack_late(late, ["1"]), []).begin()
    keeping.end()
    assert keeper.give_all(only)
    assert keeper.shelf.is_over
    wait_until(lambda: len(few.taken) == 6, "it has begun with the last ones")
    opened, told = few.taken[::2], few.taken[1::2]
    assert [names for names, _ in opened] == [["a", "b"], ["c"], ["d", "e"]]
    assert [len(found) for _, found in opened] == [1, 1, 2]
    assert told == [([b"a", b"b"], ["1"]), ([b"c"], ["1"]), ([b"d", b"e"], ["1"])]
    taken = [one for _, found in opened for one in found]
    for ours, descriptor in zip((pair[0], *[ours for ours, _ in others]), taken, strict=True):
        with socket.socket(fileno=descriptor) as sock:  # there is no other one of it
            sock.sendall(b"a")
        assert ours.recv(2, socket.MSG_WAITALL) == b"a"
        ours.close()


def test_a_peer_that_does_not_read_keeps_no_others(pair):
    """Nor does one that has sent what nobody reads."""
    ours, descriptor = pair
    slow, other = socket.socketpair()
    ours.sendall(b"unread" * 100)
    close_connections([(other.detach(), bytes(10 << 20)), (descriptor, b"")], 1012)
    assert ours.recv(4, socket.MSG_WAITALL) == CLOSE
    assert ours.recv(1) == b""
    slow.close()
