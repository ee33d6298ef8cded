"""What becomes of a session in the process that takes it, with or without what carries it."""

import json
import socket
from time import monotonic

import pytest
from django.test import override_settings
from django.urls import path

from dwebsocket import WebSocketHandler
from dwebsocket.backends.replies import Reply
from dwebsocket.backends.sessions.carriers import Polls
from dwebsocket.backends.sessions.content import SessionContent
from dwebsocket.backends.sessions.registry import find_session
from dwebsocket.backends.sessions.transit import pack
from dwebsocket.backends.sockets.departing import Content, Late
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.groups import Group, get_members
from dwebsocket.handover.records import Moved, pack_late, pack_moved
from dwebsocket.handover.requests import get_handler
from dwebsocket.handover.taking import Taking
from dwebsocket.machine.passing import Refused
from dwebsocket.protocol.frames import build_frame_header
from dwebsocket.protocol.prepared import PreparedMessage

from ..raw_client import TEXT, build_frame
from ..servers.process import wait_until

ROOM = f"{__name__}.Room"
heard = []


class Room(WebSocketHandler):
    resumable = True

    def on_message(self, message):
        self.send(f"hello {message}")

    def on_resume(self, state):
        Group(state["group"], history=state.get("history")).add(self.websocket)
        heard.append(self)

    def on_close(self):
        self.end = self.websocket.close_code


urlpatterns = [path("room/", Room.as_view())]


@pytest.fixture(autouse=True)
def configured():
    heard.clear()
    get_handler.cache_clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield
    get_handler.cache_clear()


PULSE = {"interval": 25.0, "timeout": 20.0, "due": None, "mark": None}
SOCKET = Content(b"", [], b"", None, None, stamp=1, sent=0, received=0)
SESSION = SessionContent(
    *("", ["/room/", None, None], True, "websocket", True, None),
    *(3, [], [], [], [], 7, PULSE, 0.0, 1, 5, SOCKET),
)
NOTHING = Late(b"", [], False, None)


class Taken:
    """A session that has been offered to this process, and what is said of it.

    Attributes:
        client: the other end of what carries it.
    """

    def __init__(self, sid, address, handler, state, **content):
        self.sid = sid
        self.client, theirs = socket.socketpair()
        self.client.settimeout(10)
        moved = SESSION._replace(sid=sid, lost_since=monotonic(), **content)
        meta = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address,
            "QUERY_STRING": f"EIO=4&transport={moved.kind}&resume=1",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "testserver",
        }
        descriptors = [theirs.detach()] if moved.carrier is not None else []
        self.taking = Taking()
        offered = Moved(moved, handler, meta, state, None)
        self.taking.receive(b"O" + pack_moved([offered]), descriptors).begin()

    def begin(self, late=NOTHING):
        self.taking.receive(b"L" + pack_late([late]), []).begin()

    @property
    def session(self):
        return find_session(self.sid)

    def read(self, *packets):
        for packet in packets:
            data = build_frame_header(TEXT, len(packet)) + packet.encode()
            assert self.client.recv(len(data), socket.MSG_WAITALL) == data

    def come_back(self, received):
        """With a poll; what it brings."""
        polls, reply = Polls(escapes=True), Reply(None)
        polls.wait(reply)
        self.session.adopt(polls, received)
        return reply


@pytest.fixture
def take():
    taken = []

    def make(address="/room/", handler=ROOM, *, group="s", history=None, **content):
        state = {"group": group, "history": history}
        taken.append(Taken(f"taken.{len(taken)}.{group}", address, handler, state, **content))
        return taken[-1]

    yield make
    for one in taken:
        if one.session is not None:
            one.session.end(1000, "", lingers=False)
        one.taking.end()
        one.client.close()


def test_it_goes_on_with_what_carries_it(take):
    frame = build_frame(TEXT, "4fourth")
    taken = take(
        kept=["4has it, perhaps"],
        pending=["4waits", b"\0"],
        ready=["first", "second"],
        carrier=SOCKET._replace(unread=frame[:4], unsent=b"of a frame"),
    )
    taken.client.sendall(frame[4:])
    taken.begin()
    assert taken.client.recv(10, socket.MSG_WAITALL) == b"of a frame"
    taken.read("4waits")
    assert taken.client.recv(3, socket.MSG_WAITALL) == b"\x82\1\0"
    taken.read("4hello first", "4hello second", "4hello fourth")
    assert heard[0].websocket._count_received() == 8
    packets = taken.come_back(received=3).answer[0].split("\x1e")
    opened = json.loads(packets[0][1:])
    assert (opened["sid"], opened["received"]) == (taken.sid, 8)
    assert packets[1:4] == ["4has it, perhaps", "4waits", "bAA=="]
    taken.client.sendall(build_frame(8, b"\x03\xe8"))  # the one that has carried it
    assert taken.session.may_rewind(8)


def test_what_is_sent_meanwhile_comes_once_and_in_order(take):
    taken = take(group="once", pending=["4before"])
    [member] = get_members().of("once")
    for identity in ("2", "3", "4"):
        member.send_nowait(PreparedMessage(identity, identity))
    heard[0].send("own")
    held = [HeldFrame(identity, pack([f"4{identity}"])) for identity in ("1", "2", "3", "5")]
    taken.begin(Late(pack(["4own there"]), held, False, None))
    member.send_nowait(PreparedMessage("5", "5"))  # it comes later here than it came there
    member.send_nowait(PreparedMessage("6", "6"))
    taken.read("4before", "4own", "4own there", *(f"4{one}" for one in "123546"))


def test_the_place_of_a_client_in_a_group_is_told_behind_what_came_before(take):
    taken = take(group="kept", history=10)
    Group("kept", history=10).send("later")
    taken.begin(Late(b"", [HeldFrame("1", pack(["4earlier"]))], False, None))
    taken.read("4earlier")
    told = []
    while len(told) < 3:
        header = taken.client.recv(2, socket.MSG_WAITALL)
        told.append(taken.client.recv(header[1], socket.MSG_WAITALL).decode())
    assert [text[:6] for text in told] == ['7{"at"', '7{"nex', "4later"]


def test_one_whose_client_is_away(take):
    taken = take(carrier=None, is_carried=False, pending=["4waits"])
    taken.begin(NOTHING._replace(unsent=pack(["4late"])))
    reply = taken.come_back(received=3)
    assert reply.answer[0].split("\x1e")[1:] == ["4waits", "4late"]


def test_one_that_is_polled_may_be_asked_before_it_goes_on(take):
    taken = take(carrier=None, kind="polling", pending=["4waits"])
    reply, posted = Reply(None), Reply(None)
    assert taken.session.poll(reply, 3)
    assert taken.session.post(["4asked"], 7, posted)
    assert (reply.is_given, posted.is_given) == (False, True)
    taken.begin()
    assert reply.answer == ("4waits", 200)
    reply = Reply(None)
    assert taken.session.poll(reply, 4)
    wait_until(lambda: reply.is_given, "the handler has answered")
    assert reply.answer == ("4hello asked", 200)


@pytest.mark.parametrize("is_carried", [True, False])
def test_one_that_cannot_go_on(take, is_carried):
    carrier = SOCKET if is_carried else None
    taken = take("/gone/", carrier=carrier, is_carried=is_carried, pending=["4the rest"])
    taken.begin()
    end = '1{"code":1012,"reason":"the site has changed"}'
    if is_carried:
        taken.read("4the rest", end)
        assert taken.client.recv(4, socket.MSG_WAITALL)[::3] == b"\x88\xf4"
    else:
        assert taken.come_back(received=3).answer[0].split("\x1e")[1:] == ["4the rest", end]
    assert not heard


def test_closed_meanwhile(take):
    taken = take()
    taken.begin(NOTHING._replace(close=(4321, "done")))
    taken.read('1{"code":4321,"reason":"done"}')
    wait_until(lambda: getattr(heard[0], "end", None) == 4321, "the handler is told")


def test_it_fails_when_it_goes_on(take, caplog):
    """What was said of it cannot be understood: it ends."""
    taken = take(pending=["4before"])
    taken.begin(NOTHING._replace(unsent=b"nonsense"))
    taken.read("4before", '1{"code":1011,"reason":""}')
    wait_until(lambda: getattr(heard[0], "end", None) == 1011, "the handler is told")
    assert "cannot go on" in caplog.text


def test_more_than_may_wait(take):
    taken = take()
    taken.begin(NOTHING._replace(is_too_much=True))
    taken.read('1{"code":1013,"reason":"the peer reads too slowly"}')


def test_a_descriptor_that_is_missing():
    moved = Moved(SESSION, ROOM, {}, {}, None)
    with pytest.raises(Refused, match="0 descriptors for 1"):
        Taking().receive(b"O" + pack_moved([moved]), [])
