"""What becomes of a connection in the process that takes it: it goes on, or has its right end."""

import json
import os
import socket
import threading
from time import monotonic

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import override_settings
from django.urls import path
from django.utils.decorators import method_decorator

from dwebsocket import JsonWebSocketHandler, WebSocketHandler, accept_websocket
from dwebsocket.backends.sockets import sweeper
from dwebsocket.backends.sockets.departing import Content, Departure, Late
from dwebsocket.backends.sockets.driver import Driver
from dwebsocket.backends.sockets.holding import HeldFrame
from dwebsocket.groups import Group, get_members
from dwebsocket.handover.records import (
    InvalidRecord,
    Moved,
    pack_late,
    pack_moved,
    unpack_late,
    unpack_moved,
)
from dwebsocket.handover.requests import get_handler
from dwebsocket.handover.taking import Taking
from dwebsocket.machine.passing import Refused
from dwebsocket.protocol.frames import build_frame_header
from dwebsocket.protocol.prepared import PreparedMessage

from ..raw_client import CLOSE, TEXT, build_frame
from ..servers.process import wait_until

ROOM = f"{__name__}.Room"
heard = []


class Room(WebSocketHandler):
    resumable = True
    has_closed = False
    subprotocols = ("chat",)

    def on_message(self, message):
        self.send(f"{self.greeting} {message}")

    def on_resume(self, state):
        self.greeting = state["greeting"]
        if self.greeting == "raise":
            raise ValueError("cannot go on")
        if self.greeting == "interrupt":
            raise Interrupted
        Group(state["group"]).add(self.websocket)
        heard.append(self)

    def on_close(self):
        self.has_closed = True


class Fixed(Room):
    resumable = False


class Interrupted(BaseException):
    """Such as gevent's Timeout."""


class Unwilling(Room):
    """Cannot be given its WebSocket."""

    websocket = property()


@method_decorator(accept_websocket, name="dispatch")
class Decorated(Room):
    """Its WebSocket is accepted around it, and held by whoever calls it."""


class Guarded(Room):
    def dispatch(self, request, *args, **kwargs):
        raise PermissionDenied


class Json(JsonWebSocketHandler):
    resumable = True

    def on_resume(self, state):
        self.send(state)


urlpatterns = [
    path("room/", Room.as_view()),
    path("fixed/", Fixed.as_view()),
    path("guarded/", Guarded.as_view()),
    path("json/", Json.as_view()),
    path("decorated/", Decorated.as_view()),
    path("unwilling/", Unwilling.as_view()),
    path("page/", lambda request: None),
]


def who(get_response):
    """Middleware: the user whose key the client says; "broken" is an error."""

    def respond(request):
        key = request.META.get("HTTP_X_KEY")
        if key == "broken":
            raise RuntimeError("middleware is broken")
        if key == "interrupted":
            raise Interrupted
        if key is not None:
            request.user = User(pk=int(key))
        return get_response(request)

    return respond


@pytest.fixture(autouse=True)
def configured():
    heard.clear()
    get_handler.cache_clear()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.who"]):
        yield
    get_handler.cache_clear()


EMPTY = Content(b"", [], b"", None, None, stamp=1, sent=5, received=7)


@pytest.fixture
def take():
    takings, ends = [], []

    def taken(
        address="/room/",
        handler=ROOM,
        *,
        key=None,
        user=None,
        greeting="hello",
        group="a",
        taking=None,
        **content,
    ):
        ours, theirs = socket.socketpair()
        meta = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": address,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "testserver",
            "HTTP_UPGRADE": "websocket",
            "HTTP_CONNECTION": "Upgrade",
            "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
            "HTTP_SEC_WEBSOCKET_VERSION": "13",
        }
        if key is not None:
            meta["HTTP_X_KEY"] = key
        moved_content = EMPTY._replace(**content)
        moved = Moved(moved_content, handler, meta, {"greeting": greeting, "group": group}, user)
        taking = taking or Taking()
        takings.append(taking)
        prepared = taking.receive(b"O" + pack_moved([moved]), [theirs.detach()])
        ends.append(ours)
        ours.settimeout(10)
        return taking, prepared, ours

    yield taken
    for taking in takings:
        taking.end()
    for end in ends:
        end.close()


def frame(text):
    return build_frame_header(TEXT, len(text)) + text.encode()


def read(sock, data):
    """Read this, and nothing else."""
    assert sock.recv(len(data), socket.MSG_WAITALL) == data


def read_within(sock, seconds):
    sock.settimeout(seconds)
    try:
        return sock.recv(1)
    finally:
        sock.settimeout(10)


def begin(taking, *late, recent=()):
    taking.receive(b"L" + pack_late(late, recent), []).begin()


NOTHING = Late(b"", [], False, None)


def test_it_goes_on(take):
    third = build_frame(TEXT, "third")
    taking, prepared, sock = take(group="b", ready=["second", "first"], unread=third[:4])
    prepared.begin()
    [room] = heard
    assert room.websocket._count_received() == 7
    sock.sendall(third[4:])
    assert taking.receive(b"J", []).answer == b""
    begin(taking, NOTHING)
    for text in ("first", "second", "third"):
        read(sock, frame(f"hello {text}"))
    Group("b").send("to all")
    read(sock, frame("to all"))
    sock.sendall(build_frame(8, b"\x03\xe8"))
    read(sock, b"\x88\x02\x03\xe8")
    wait_until(lambda: room.has_closed, "it is told")


def test_what_groups_send_meanwhile_comes_once_and_in_order(take):
    taking, prepared, sock = take(group="c", unsent=b"of a frame")
    prepared.begin()
    [member] = get_members().of("c")
    for identity in ("2", "3", "4"):
        member.send_nowait(PreparedMessage(identity, identity))
    heard[0].send("own")
    held = [HeldFrame(identity, frame(identity)) for identity in ("1", "2", "3", "5")]
    begin(taking, Late(frame("own there"), held, False, None))
    member.send_nowait(PreparedMessage("5", "5"))  # it comes later here than it came there
    member.send_nowait(PreparedMessage("6", "6"))
    read(sock, b"of a frame")
    for text in ("own", "own there", "1", "2", "3", "5", "4", "6"):
        read(sock, frame(text))


def test_what_groups_have_sent_before_does_not_come_again(take):
    """It was on its way to this process for longer than to the other one."""
    taking, prepared, sock = take(group="d")
    prepared.begin()
    [member] = get_members().of("d")
    member.send_nowait(PreparedMessage("1", "1"))
    begin(taking, NOTHING, recent=["1", "2"])
    member.send_nowait(PreparedMessage("2", "2"))
    member.send_nowait(PreparedMessage("3", "3"))
    # Who comes later knows what was told before; the first one knows no more than it did.
    _, prepared, second = take(group="d", taking=taking)
    prepared.begin()
    begin(taking, NOTHING, recent=["3"])
    for text in ("2", "3"):
        get_members().of("d")[1].send_nowait(PreparedMessage(text, text))
    Group("d").send("to all")
    read(sock, frame("3") + frame("to all"))
    read(second, frame("to all"))


def test_closed_meanwhile(take):
    taking, prepared, sock = take()
    prepared.begin()
    begin(taking, NOTHING._replace(close=(4321, "done")))
    read(sock, b"\x88\x06\x10\xe1done")


def test_more_than_may_wait(take):
    taking, prepared, sock = take()
    prepared.begin()
    begin(taking, NOTHING._replace(is_too_much=True))
    assert sock.recv(200)[2:4] == b"\x03\xf5"


def test_the_other_process_is_gone(take):
    """It has committed, and then says nothing more: the connection is ours."""
    taking, prepared, sock = take()
    prepared.begin()
    taking.end()
    sock.sendall(build_frame(TEXT, "a"))
    read(sock, frame("hello a"))


def test_nothing_is_asked_of_one_that_is_on_its_way(take):
    """It is not its peer that is silent."""
    taking, prepared, sock = take()
    prepared.begin()
    begin(taking, NOTHING)
    departure = Departure(heard[0].websocket)
    departure.suspend()
    for seconds in (1000, 2000):
        assert not departure.websocket._sweep(monotonic() + seconds, 1, 1)
    departure.go_on()
    sock.sendall(build_frame(TEXT, "a"))
    read(sock, frame("hello a"))


def test_the_other_process_keeps_it(take):
    _, prepared, sock = take()
    prepared.cancel()
    assert sock.recv(1) == b""
    assert not heard


GONE = b"\x03\xf4the site has changed"
ENDS = {
    "an address that is gone": (("/gone/",), GONE),
    "one that is a page": (("/page/",), GONE),
    "another handler": (("/room/", f"{__name__}.Other"), GONE),
    "one that is not resumable": (("/fixed/", f"{__name__}.Fixed"), GONE),
    "middleware that is broken": (("/room/", ROOM, "broken"), GONE),
    "middleware that is interrupted": (("/room/", ROOM, "interrupted"), GONE),
    "one that is accepted around it": (("/decorated/", f"{__name__}.Decorated"), GONE),
    "forbidden": (("/guarded/", f"{__name__}.Guarded"), b"\x03\xf0logged out"),
}


@pytest.mark.parametrize("case", ENDS)
def test_it_cannot_go_on(take, case, caplog):
    """It is closed behind what waits for its peer, once."""
    (address, *more), body = ENDS[case]
    handler = more[0] if more else ROOM
    key = more[1] if len(more) > 1 else None
    taking, prepared, sock = take(address, handler, key=key, unsent=b"the rest")
    prepared.begin()
    begin(taking, NOTHING)
    read(sock, b"the rest")
    read(sock, bytes([0x88, len(body)]) + body)
    sock.sendall(build_frame(CLOSE, body))
    assert sock.recv(1) == b""
    assert not heard
    assert "A WebSocket failed" not in caplog.text


@pytest.mark.parametrize(("now", "stays"), [("5", True), ("6", False), (None, False)])
def test_the_user(take, now, stays):
    """Who has been logged out meanwhile, or is somebody else."""
    taking, prepared, sock = take(key=now, user="5")
    prepared.begin()
    begin(taking, NOTHING)
    if stays:
        sock.sendall(build_frame(TEXT, "a"))
        read(sock, frame("hello a"))
    else:
        read(sock, b"\x88\x0c\x03\xf0logged out")


@pytest.mark.parametrize("how", ["raise", "interrupt"])
@override_settings(WEBSOCKET_CLOSE_TIMEOUT=0.1)
def test_on_resume_raises(take, how):
    taking, prepared, sock = take(greeting=how)
    prepared.begin()
    [arrival] = taking._arrivals
    with pytest.raises(TimeoutError):  # others are waited for; the sweeper has looked meanwhile
        read_within(sock, 2 * sweeper.STOP_INTERVAL)
    assert not arrival.websocket._writer.is_lost
    begin(taking, NOTHING)
    read(sock, b"\x88\x02\x03\xf3")


def test_it_fails_when_it_is_accepted(take):
    """It is closed at once, and no other one with it."""
    taking, prepared, sock = take("/unwilling/", f"{__name__}.Unwilling", unsent=b"the rest")
    prepared.begin()
    read(sock, b"the rest\x88\x02\x03\xf3")
    assert sock.recv(1) == b""
    _, prepared, second = take(taking=taking)
    prepared.begin()
    begin(taking, NOTHING, NOTHING)
    second.sendall(build_frame(TEXT, "a"))
    read(second, frame("hello a"))


def test_it_fails_when_it_goes_on(take, caplog):
    """What was said of it cannot be done: it ends, and no other one with it."""
    taking, prepared, sock = take(group="fails")
    _, second_prepared, second = take(taking=taking)
    prepared.begin()
    second_prepared.begin()
    begin(taking, NOTHING._replace(close=(1006, "no code that can be sent")), NOTHING)
    assert sock.recv(1) == b""
    second.sendall(build_frame(TEXT, "a"))
    read(second, frame("hello a"))
    wait_until(lambda: heard[0].has_closed, "it is told")
    assert not get_members().of("fails")
    assert "cannot go on" in caplog.text


def test_what_is_no_socket(take):
    """It is closed, and those behind it go on."""
    taking, (ours, theirs) = Taking(), os.pipe()
    body = b"O" + pack_moved([Moved(EMPTY, ROOM, {}, {}, None)])
    taking.receive(body, [theirs]).begin()
    assert os.read(ours, 1) == b""
    os.close(ours)
    _, prepared, sock = take(taking=taking)
    prepared.begin()
    begin(taking, NOTHING, NOTHING)
    sock.sendall(build_frame(TEXT, "a"))
    read(sock, frame("hello a"))


def test_another_subprotocol(take):
    taking, prepared, sock = take(subprotocol="chat")  # which the headers do not say
    prepared.begin()
    begin(taking, NOTHING)
    read(sock, b"\x88\x16" + GONE)


def test_other_kinds_of_handlers(take):
    taking, prepared, sock = take("/json/", f"{__name__}.Json")
    prepared.begin()
    begin(taking, NOTHING)
    read(sock, frame(json.dumps({"greeting": "hello", "group": "a"})))


def test_no_room(take):
    wait_until(lambda: not sweeper.count(), "those of other cases have ended")
    with override_settings(WEBSOCKET_MAX_CONNECTIONS=1):
        taking, prepared, _ = take()
        with pytest.raises(Refused, match="takes no more"):
            take()  # that the first one has come is not known yet
        prepared.cancel()
        taking, prepared, _ = take()
        prepared.begin()
        begin(taking, NOTHING)
        with pytest.raises(Refused, match="takes no more"):
            take()


@pytest.mark.parametrize(
    "body", [b"", b"X", b"O", b"O\0\0\0\4nope", b"L\0\0\0\2{}", b"O\0\0\0\3[1]"]
)
def test_what_nobody_understands(body):
    with pytest.raises(Refused):
        receive(body)


def receive(body):
    Taking().receive(body, []).begin()
    raise Refused("nothing was in it")


def test_records():
    content = Content(b"\xff", ["text \ud800", b"bytes"], b"unsent", "chat", (15, 12), 1, 2, 3)
    moved = [Moved(content, "a.B", {"PATH_INFO": "/ü"}, {"a": [1]}, None)] * 2
    data = pack_moved(moved)
    assert unpack_moved(data) == moved
    late = [Late(b"a", [HeldFrame("1", b"b"), HeldFrame(None, b"c")], True, (1000, ""))]
    assert unpack_late(pack_late(late, ["1 a"])) == (late, ["1 a"])
    for cut in range(len(data)):
        with pytest.raises(InvalidRecord):
            unpack_moved(data[:cut])


def send_in_thread(websocket, message):
    sending = threading.Thread(target=websocket.send_nowait, args=[message])
    sending.start()
    sending.join()


def test_what_is_sent_while_another_thread_changes_what_is_read(take, monkeypatch):
    """It has the lock for writing: who tries to write leaves it that."""
    taking, prepared, sock = take(group="reads")
    prepared.begin()
    begin(taking, NOTHING)
    (websocket,) = get_members().of("reads")
    message, change = PreparedMessage("left"), Driver._set_interest

    def set_interest(driver, **interest):
        send_in_thread(websocket, message)
        change(driver, **interest)

    monkeypatch.setattr(Driver, "_set_interest", set_interest)
    for on in (False, True):
        websocket._set_reading(on)
        read(sock, frame("left"))


def test_what_is_sent_while_another_thread_drops_what_came_before(take):
    """What a group sends may have come to the process already that had the connection before."""
    taking, prepared, sock = take(group="drops")
    prepared.begin()
    begin(taking, NOTHING)
    (websocket,) = get_members().of("drops")
    message, twice = PreparedMessage("left"), PreparedMessage("twice")

    class Expected:
        is_over = False

        def take(self, identity):
            if identity == twice.identity:
                websocket._writer.send_nowait(message.frame)
            return True

    websocket._writer.expected = Expected()
    websocket.send_nowait(twice)
    read(sock, frame("left"))
