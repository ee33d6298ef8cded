"""A client of ours that comes back after its session is gone has what it has missed."""

import json
import threading
from uuid import uuid4

import pytest

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.backends.sessions.positions import identify

from ..raw_client import TEXT
from .site import TIMEOUT, letting_go

ADDRESS = "/?EIO=4&transport=websocket"


class Page:
    """Does what the page's script does with packets of type 7."""

    def __init__(self, site, positions=None):
        self.at, self.messages, self.lost, self.count = {}, [], 0, 0
        self._next = None
        address = f"{ADDRESS}&resume=1"
        if positions:
            address += "&positions=" + ",".join(f"{one},{at}" for one, at in positions.items())
        self.client = site.open(address)
        opening = self.client.read_text()
        assert opening[0] == "0"
        self.opening = json.loads(opening[1:])
        self.recovered = self.opening.get("recovered", False)

    def read(self):
        """Take in one packet; what it was."""
        frame = self.client.read_frame()
        packet = frame.payload.decode() if frame.opcode == TEXT else "4" + repr(frame.payload)
        self.count += packet[0] in "47"
        if packet[0] == "4":
            self.messages.append(packet[1:])
            if self._next is not None:
                self.at.update(self._next)
            self._next = None
        else:
            assert packet[0] == "7", packet
            self._take(json.loads(packet[1:]))
        return packet

    def _take(self, told):
        self._next = told.get("next")
        self.at.update(told.get("at", {}))
        self.at = {one: at for one, at in self.at.items() if at is not None}
        self.recovered = told.get("recovered", self.recovered)
        self.lost += told.get("gap", False)

    def read_until(self, condition):
        while not condition(self):
            self.read()
        return self


def named(name):
    """A group that no other test, and no earlier run, has used."""
    return f"positions.{name}.{uuid4()}"


@pytest.fixture
def serve_groups(site):
    """Serve a handler that joins these; ``site``."""

    def serve(*groups, **options):
        class Joining(WebSocketHandler):
            def on_open(self):
                for group in groups:
                    group.add(self.websocket, **options)
                self.send("in")

            def on_message(self, message):
                for group in groups:
                    group.discard(self.websocket)
                self.send("out")

        site.serve(Joining.as_view())
        return site

    return serve


def test_what_was_missed_comes_once_and_in_order(serve_groups):
    group = Group(named("room"), history=100)
    site = serve_groups(group)
    page = Page(site)
    assert page.recovered is False  # a new page loads what there is
    page.read_until(lambda page: page.messages == ["in"])
    group.send("1")
    group.send_json([2])
    page.read_until(lambda page: page.messages == ["in", "1", "[2]"])
    page.client.hang_up()
    for number in range(3, 6):
        group.send(str(number))
    back = Page(site, page.at)
    assert back.opening["recovered"] is None
    back.read_until(lambda back: "in" in back.messages and back.recovered is not None)
    assert (back.recovered, back.messages) == (True, ["3", "4", "5", "in"])
    group.send("6")
    back.read_until(lambda back: back.messages[-1] == "6")
    assert Page(site, back.at).read_until(lambda page: page.messages).messages == ["in"]


def test_nothing_was_ever_sent(serve_groups):
    group = Group(named("silent"), history=100)
    site = serve_groups(group)
    page = Page(site).read_until(lambda page: page.messages)
    page.client.hang_up()
    group.send("the first")
    back = Page(site, page.at).read_until(lambda back: "in" in back.messages)
    assert (back.recovered, back.messages) == (True, ["the first", "in"])


def test_what_is_not_kept_any_more(serve_groups):
    """Nothing of it comes, but the newest ones where the handler wants them."""
    group = Group(named("short"), history=2)
    site = serve_groups(group, newest=1)
    page = Page(site).read_until(lambda page: page.messages)
    for number in range(5):
        group.send(str(number))
    back = Page(site, page.at).read_until(lambda back: "in" in back.messages)
    assert (back.recovered, back.messages) == (False, ["4", "in"])


def test_a_position_of_another_memory(serve_groups):
    group = Group(named("other"), history=10)
    group.send("kept")
    site = serve_groups(group)
    back = Page(site, {identify(group.name): "00000000:1"})
    back.read_until(lambda back: "in" in back.messages)
    assert (back.recovered, back.messages) == (False, ["in"])


def test_of_a_gauge_the_newest_value_is_all(serve_groups):
    gauge = Group(named("gauge"), cache=True)
    site = serve_groups(gauge)
    page = Page(site).read_until(lambda page: page.messages)
    for number in range(5):
        gauge.send(str(number))
    back = Page(site, page.at).read_until(lambda back: "in" in back.messages)
    assert (back.recovered, back.messages) == (True, ["4", "in"])


def test_of_several_groups_one_is_not_joined_again(serve_groups):
    """Then the page does not have what it would have: it is told when the handler is open."""
    first, second = (Group(named(str(number)), history=10) for number in (1, 2))
    page = Page(serve_groups(first, second)).read_until(lambda page: page.messages)
    assert sorted(page.at) == sorted([identify(first.name), identify(second.name)])
    assert (
        Page(serve_groups(second, first), page.at)
        .read_until(lambda back: back.messages and back.recovered is not None)
        .recovered
    )
    site = serve_groups(first)
    first.send("1")
    back = Page(site, page.at).read_until(lambda back: back.recovered is not None)
    assert (back.recovered, back.messages) == (False, ["1", "in"])


def views():
    """Each joins the group, and what it does then."""
    group = Group(named("views"), history=10)

    @require_websocket
    def view(request):
        group.add(request.websocket)
        for message in request.websocket:
            request.websocket.send(message)

    @require_websocket
    async def async_view(request):
        await group.aadd(request.websocket)
        async for message in request.websocket:
            await request.websocket.asend(message)

    class AsyncHandler(WebSocketHandler):
        async def on_open(self):
            await group.aadd(self.websocket)

        async def on_message(self, message):
            await self.send(message)

    return {"view": view, "async view": async_view, "async handler": AsyncHandler.as_view()}, group


@pytest.mark.parametrize("kind", ["view", "async view", "async handler"])
def test_views_and_async_code(site, kind):
    (found, group), other = views(), identify("a group that none of them joins")
    site.serve(letting_go(found[kind]))
    page = Page(site).read_until(lambda page: page.at)
    group.send("missed")
    back = Page(site, page.at).read_until(lambda back: back.messages)
    assert (back.recovered, back.messages) == (True, ["missed"])
    more = Page(site, {**page.at, other: "00000000:1"})
    more.read_until(lambda more: more.recovered is not None)  # it waits for a message
    assert (more.recovered, more.messages) == (False, ["missed"])


def test_a_view_that_never_waits(site, monkeypatch):
    monkeypatch.setattr("dwebsocket.backends.sessions.positions.SETTLING", 0.1)
    over = threading.Event()

    @require_websocket
    def view(request):
        over.wait(TIMEOUT)

    site.serve(letting_go(view))
    back = Page(site, {identify("none"): "00000000:1"})
    assert back.read_until(lambda back: back.recovered is not None).recovered is False
    over.set()


def test_who_leaves_a_group_does_not_bring_its_position(serve_groups):
    group = Group(named("left"), history=10)
    page = Page(serve_groups(group)).read_until(lambda page: page.messages)
    assert page.at
    page.client.send_text("4leave")
    page.read_until(lambda page: "out" in page.messages)
    assert page.at == {}


def test_what_is_not_kept_has_no_position_and_bytes_have(serve_groups):
    group = Group(named("kinds"), history=10)
    page = Page(serve_groups(group)).read_until(lambda page: page.messages)
    start = dict(page.at)
    group.send("typing", keep=False)
    page.read_until(lambda page: page.messages[-1] == "typing")
    assert page.at == start
    group.send(b"\x00bytes")
    page.read_until(lambda page: page.messages[-1] == repr(b"\x00bytes"))
    assert page.at != start


def test_a_name_is_not_told(serve_groups):
    group = Group(named("secret"), history=10)
    page = Page(serve_groups(group))
    packets = [page.read(), page.read()]
    assert page.messages == ["in"]
    group.send("x")
    packets += [page.read(), page.read()]
    assert page.messages == ["in", "x"]
    assert not any("secret" in packet for packet in packets)
    assert page.at.keys() == {identify(group.name)}


def test_another_client_sees_plain_messages(serve_groups):
    group = Group(named("plain"), history=10)
    site = serve_groups(group)
    engine, plain = site.open(ADDRESS), site.open()
    assert engine.read_text()[0] == "0"
    assert (engine.read_text(), plain.read_text()) == ("4in", "in")
    group.send("x")
    assert (engine.read_text(), plain.read_text()) == ("4x", "x")


@pytest.mark.parametrize(
    "brought",
    [
        "x",
        "x,y",
        "%00",
        f"{'a' * 16},0000000g:1",
        f"{'a' * 16},00000000:",
        f"{'a' * 17},00000000:1",
        f"{'a' * 16},00000000:1,x",
        f",{'a' * 16},00000000:1",
        f"{'a' * 16},00000000:{'1' * 19}",
        f"{'a' * 16},00000000:%D9%A1",
        f"{'a' * 16},00000000:1," * 200,
    ],
)
def test_what_is_no_position(serve_groups, brought):
    """It is of no use, and the page hears at once that it has to load."""
    site = serve_groups(Group(named("wrong"), history=10))
    client = site.open(f"{ADDRESS}&resume=1&positions={brought}")
    assert "recovered" not in json.loads(client.read_text()[1:])
    assert client.read_text()[:2] == "7{"
    assert client.read_text() == "4in"


def test_a_break_between_a_position_and_its_message(serve_groups):
    group = Group(named("break"), history=10)
    site = serve_groups(group)
    page = Page(site).read_until(lambda page: page.messages)
    group.send("1")
    assert page.read()[0] == "7"
    page.client.hang_up()
    group.send("2")
    client = site.open(f"{ADDRESS}&resume=1&sid={page.opening['sid']}&received={page.count}")
    assert "received" in json.loads(client.read_text()[1:])
    page.client = client
    page.read_until(lambda page: page.messages == ["in", "1", "2"])
    assert len({*page.at.values()}) == 1


def test_a_position_is_in_front_of_its_message_whoever_else_sends(site):
    group, many = Group(named("mixed"), history=1000), 200
    found = []

    class Joining(WebSocketHandler):
        def on_open(self):
            group.add(self.websocket)
            found.append(self.websocket)
            self.send("in")

    site.serve(Joining.as_view())
    page = Page(site).read_until(lambda page: page.messages)

    def send_others():
        for number in range(many):
            found[0].send(f"other {number}")

    thread = threading.Thread(target=send_others)
    thread.start()
    for number in range(many):
        group.send(f"group {number}")
    thread.join(TIMEOUT)
    before = ""
    while len(page.messages) < 2 * many + 1:
        packet = page.read()
        if packet[0] == "4":
            assert (before[:1] == "7") == packet.startswith("4group"), (before, packet)
        before = packet
    assert [one for one in page.messages if one.startswith("g")] == [
        f"group {number}" for number in range(many)
    ]
