"""closed, connected, fileno, subprotocol, and the object as a Python object."""

import select
import weakref

import pytest

from dwebsocket.websocket import BaseWebSocket

from ...raw_client import TEXT, build_frame
from ..site import TIMEOUT


def test_open(pair):
    websocket, _ = pair
    assert (websocket.closed, websocket.is_closed(), websocket.connected) == (False, False, True)
    assert (websocket.close_code, websocket.close_reason) == (None, None)
    assert websocket.subprotocol is None
    assert websocket.accepted


@pytest.mark.parametrize("end", ["close", "hang up", "breach"])
def test_questions_notice_what_has_arrived(pair, end):
    websocket, peer = pair
    if end == "close":
        peer.send_close()
    elif end == "hang up":
        peer.hang_up()
    else:
        peer.send_bytes(build_frame(TEXT, "x", rsv=2))
    assert not websocket.connected
    assert websocket.closed
    assert websocket.is_closed()
    assert websocket.close_code == {"close": 1000, "hang up": 1006, "breach": 1002}[end]


def test_a_question_loses_no_message(pair):
    websocket, peer = pair
    peer.send_text("a")
    assert not websocket.closed
    assert websocket.wait() == "a"


def test_hang_up_behind_many_unread_messages_is_noticed(pair):
    websocket, peer = pair
    peer.send_bytes(build_frame(TEXT, "x") * 5000)
    peer.hang_up()
    assert websocket.closed


def test_looking_takes_in_no_more_than_a_little(open_pair):
    """A peer that sends and sends must not fill the memory of a view that only pushes."""
    websocket, peer = open_pair(WEBSOCKET_MAX_MESSAGE_SIZE=50_000)
    peer.send_bytes(build_frame(TEXT, "x") * 5000)
    for _ in range(5):
        assert websocket.connected
    assert 0 < websocket.count_messages() < 1000
    assert [websocket.wait(TIMEOUT) for _ in range(5000)] == ["x"] * 5000


def test_few_but_big_messages_are_not_all_taken_in(open_pair):
    websocket, peer = open_pair(WEBSOCKET_MAX_MESSAGE_SIZE=50_000)
    peer.send_bytes(build_frame(TEXT, "x" * 40_000) * 5)
    for _ in range(5):
        assert websocket.connected
    assert websocket.count_messages() < 5
    assert [len(websocket.wait(TIMEOUT)) for _ in range(5)] == [40_000] * 5


def test_select_takes_the_object(pair):
    websocket, peer = pair
    assert websocket.fileno() > 0
    assert select.select([websocket], [], [], 0)[0] == []
    peer.send_text("a")
    assert select.select([websocket], [], [], TIMEOUT)[0] == [websocket]
    assert websocket.read() == "a"


def test_objects_compare_by_identity_and_are_hashable(open_pair):
    first, _ = open_pair()
    second, _ = open_pair()
    assert first == first
    assert first != second
    assert [first, second].index(second) == 1
    assert {first, second, first} == {second, first}
    assert {first: "a"}[first] == "a"


def test_attributes_of_ones_own(pair):
    websocket, _ = pair
    websocket.nickname = "ada"
    assert websocket.nickname == "ada"
    assert weakref.ref(websocket)() is websocket


def test_truth(pair):
    websocket, peer = pair
    assert websocket
    peer.hang_up()
    assert websocket.closed
    assert websocket  # 'if request.websocket' asks for the kind of request, not for the state


PRIMITIVES = {
    "accept_connection": (None, {}),
    "receive_messages": (None,),
    "receive_available": (),
    "send": ("x",),
    "send_ping": (b"",),
    "close_connection": (1000, "", 0),
    "fileno": (),
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_backend_must_fill_the_primitives(name):
    with pytest.raises(NotImplementedError):
        getattr(BaseWebSocket(), name)(*PRIMITIVES[name])
