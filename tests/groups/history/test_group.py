"""What a view says to a group that keeps messages, and what a page is told."""

import asyncio
import json

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from dwebsocket import Group, require_websocket
from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.current import get_backend, get_members

from ..peers import Member
from .places import Told, texts

MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}
MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}


@pytest.fixture(params=["memory", "machine", "redis"], autouse=True)
def setting(request, directory):
    """Every backend keeps the same promises."""
    if request.param == "redis":
        setting = request.getfixturevalue("redis_setting")
    else:
        setting = {"memory": MEMORY, "machine": MACHINE}[request.param]
    with override_settings(WEBSOCKET_GROUPS=setting, WEBSOCKET_RUN_DIR=str(directory.path)):
        yield


@pytest.fixture
def room():
    return Group("room.7", history=10, seconds=300)


@pytest.fixture
def come(room):
    """come(…) → a member, and what add() says. They leave at the end."""
    members = []

    def come(*args, kind=Told, group=room, **kwargs):
        members.append(kind())
        if kind is Told:
            kwargs["positions"] = True
        return members[-1], group.add(members[-1], *args, **kwargs)

    yield come
    for member in members:
        for name in get_members().leave(member):
            get_backend().unsubscribe(name)


# Coming back


def test_what_was_missed_comes_once(room, come):
    room.send("before")
    member, joined = come()
    assert joined.recovered
    room.send("1")
    page, _ = come(since=joined.position)
    room.send_json({"n": 2})
    room.send(b"\x00\xff")
    told = [page.next() for _ in range(4)]
    epoch, _, number = joined.position.partition(":")
    assert number == "1"
    assert told == [
        {"group": "room.7", "position": f"{epoch}:1", "recovered": True},
        {"group": "room.7", "position": f"{epoch}:2", "data": "1"},
        {"group": "room.7", "position": f"{epoch}:3", "data": '{"n": 2}'},
        {"group": "room.7", "position": f"{epoch}:4", "base64": "AP8="},
    ]
    assert [one.get("position") for one in member.take(4)] == [f"{epoch}:{n}" for n in (1, 2, 3, 4)]


def test_plain_members_see_plain_messages(room, come):
    room.send("1")
    room.send(b"\xff")
    member, joined = come(newest=5, kind=Member)
    assert joined.position.endswith(":2")
    room.send("3")
    assert [member.next() for _ in range(3)] == ["1", b"\xff", "3"]
    assert member.count() == 0


def test_the_position_is_told_although_nothing_was_ever_sent(room, come):
    page, joined = come()
    (told,) = page.take()
    assert told["position"] == joined.position
    room.send("1")
    again, joined = come(since=told["position"])
    assert joined.recovered
    assert texts(again.take()) == ["1"]


def test_more_than_is_kept(room, come):
    member, joined = come()
    for number in range(11):
        room.send(str(number))
    member.take(12)
    page, joined = come(since=joined.position)
    assert not joined.recovered
    (told,) = page.take()
    assert told == {"group": "room.7", "position": joined.position, "recovered": False}
    page, joined = come(since="from another life", newest=3)
    assert [one.get("data", one.get("recovered")) for one in page.take()] == [False, "8", "9", "10"]


def test_cache(come):
    gauge = Group("gauge", cache=True)
    page, _ = come(group=gauge)
    gauge.send("1")
    gauge.send("2")
    assert texts(page.take(3)) == ["1", "2"]
    page, joined = come(group=gauge)
    assert texts(page.take()) == ["2"]
    gauge.send("3")
    gauge.send("4")
    assert texts(page.take(2)) == ["3", "4"]
    page, joined = come(since=joined.position, group=gauge)
    assert not joined.recovered
    assert texts(page.take()) == ["4"]  # whatever was missed, the newest value comes


def test_what_is_not_kept_has_no_position(room, come):
    page, _ = come()
    room.send("typing", keep=False)
    room.send_json([1], keep=False)
    room.send("kept")
    told = page.take(4)
    assert told[1:3] == [
        {"group": "room.7", "data": "typing"},
        {"group": "room.7", "data": "[1]"},
    ]
    assert room.history().messages == ["kept"]


def test_the_sender_is_left_out(room, come):
    ada, _ = come(kind=Member)
    bob, joined = come(kind=Member)
    room.send("of ada", exclude=ada)
    room.send("to all")
    assert ada.next() == "to all"
    assert [bob.next(), bob.next()] == ["of ada", "to all"]
    back, _ = come(since=joined.position)  # a page that was away saw neither
    assert texts(back.take()) == ["of ada", "to all"]


def test_close_is_not_kept(room, come):
    member, joined = come(kind=Member)
    room.close(4001, "over")
    assert member.next() == (4001, "over")
    page, joined = come(since=joined.position)
    assert joined.recovered
    assert len(page.take()) == 1


def test_history(room):
    assert room.history() == ([], room.history().position, True)
    assert room.history().position.endswith(":0")
    for number in range(15):
        room.send(str(number))
    recall = room.history(limit=3)
    assert recall.messages == ["12", "13", "14"]
    since = recall.position.replace(":15", ":7")
    assert room.history(since, limit=2) == (["7", "8"], since.replace(":7", ":9"), True)
    assert room.history(since).messages == [*map(str, range(7, 15))]
    assert room.history(recall.position) == ([], recall.position, True)
    assert room.history(since.replace(":7", ":3")) == ([], recall.position, False)
    assert room.history("") == room.history()


def test_two_with_one_name_are_one_group(come):
    Group("x", history=5).send("1")
    page, _ = come(group=Group("x", history=5), newest=1)
    Group("x").send("not kept")
    Group("x", history=2).send("2")
    assert texts(page.take(4)) == ["1", "not kept", "2"]


@override_settings(
    WEBSOCKET_GROUP_HISTORY={
        "room.secret.*": {"size": 1},
        "room.*": {"size": 3, "seconds": 60},
        "gauge.*": {"cache": True},
    }
)
def test_the_setting(come):
    for name, kept in (("room.1", "234"), ("room.secret.1", "4"), ("gauge.x", "4")):
        for text in "01234":
            Group(name).send(text)
        assert Group(name).history().messages == [*kept]
    assert Group("room.1", history=9).history().messages == [*"234"]
    page, _ = come(group=Group("gauge.x"))
    assert texts(page.take()) == ["4"]
    with pytest.raises(ValueError, match="has no history"):
        Group("other").history()


def test_coroutines(room):
    async def run():
        page = Told()
        joined = await room.aadd(page, newest=2, positions=True)
        await room.asend("1")
        await room.asend("2", keep=False)
        recall = await room.ahistory(limit=5)
        told = page.take(3)
        room.discard(page)
        return told, joined, recall

    told, joined, recall = asyncio.run(run())
    assert texts(told) == ["1", "2"]
    assert recall.messages == ["1"]
    assert recall.position != joined.position
    assert async_to_sync(room.ahistory)(joined.position).messages == ["1"]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"since": 5}, TypeError, "since is 5, it must be the text of a position, or None"),
        ({"since": b"0123abcd:1"}, TypeError, "since is b'0123abcd:1'"),
        ({"newest": -1}, ValueError, "newest is -1, it must be from 0"),
        ({"newest": "5"}, TypeError, "newest is '5', it must be a whole number"),
        ({"newest": True}, TypeError, "newest is True"),
    ],
)
def test_wrong_arguments_of_add(room, arguments, error, said):
    member = Member()
    with pytest.raises(error, match=said):
        room.add(member, **arguments)
    assert member not in room


@pytest.mark.parametrize("arguments", [{"since": "x"}, {"newest": 1}, {"positions": True}])
def test_what_a_group_without_history_does_not_have(arguments):
    member = Member()
    with pytest.raises(
        ValueError, match=r"of no use here: the group 'a' has no history: say Group"
    ):
        Group("a").add(member, **arguments)
    assert member not in Group("a")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": 0}, ValueError),
        ({"limit": "5"}, TypeError),
        ({"limit": True}, TypeError),
        ({"limit": 10**9}, ValueError),
        ({"since": 5}, TypeError),
    ],
)
def test_wrong_arguments_of_history(room, arguments, error):
    with pytest.raises(error, match=f"{next(iter(arguments))} is"):
        room.history(**arguments)


class Forgetful(BaseGroupBackend):
    """Of somebody else: carries messages, and keeps none."""

    def publish(self, name, content):
        pass

    def subscribe(self, name):
        pass

    def unsubscribe(self, name):
        pass


def test_a_backend_that_keeps_nothing(room):
    backend = {"BACKEND": f"{__name__}.Forgetful"}
    with override_settings(WEBSOCKET_GROUPS=backend):
        Group("a").send("x")
        for use in (lambda: room.send("x"), room.history, lambda: room.add(Member())):
            with pytest.raises(InvalidGroupBackend, match=r"Forgetful.* keeps no history"):
                use()


def test_who_cannot_be_told_is_no_member(room, monkeypatch):
    def read(*args):
        raise GroupUnavailable("away")

    monkeypatch.setattr(get_backend().history._store, "read", read)
    member = Member()
    with pytest.raises(GroupUnavailable):
        room.add(member)
    assert member not in room
    assert not get_backend().history.feeds._feeds


def test_who_has_ended_is_no_member(room):
    class Ended(Member):
        _has_ended = True

    member = Ended()
    room.add(member)
    assert member not in room
    assert not get_backend().history.feeds._feeds


# A real WebSocket


@require_websocket
def view(request):
    room = Group("room.7", history=10)
    room.add(request.websocket, request.GET.get("since"), newest=5, positions=True)
    for message in request.websocket:
        if message is not None:  # which is the end where dwebsocket 0.x is kept to
            room.send(message)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_test_client(site, legacy):
    client = site.serve(view, WEBSOCKET_LEGACY=legacy)
    with client.websocket("/") as page:
        first = json.loads(page.receive())
        page.send("1")
        assert json.loads(page.receive())["data"] == "1"
    with client.websocket(f"/?since={first['position']}") as page:
        assert [json.loads(page.receive()).get("data") for _ in range(2)] == [None, "1"]
