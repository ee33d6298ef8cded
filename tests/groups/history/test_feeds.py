"""Nothing twice, nothing out of order, nothing missing that is not told."""

import threading

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.envelope import pack
from dwebsocket.groups.history import MemoryHistory, Rule, memory
from dwebsocket.groups.history.positions import parse_position

from ...servers.process import wait_until
from ..peers import Failing, Member
from .places import Keeping, Place, Told, texts


@pytest.fixture
def store():
    return MemoryHistory()


@pytest.fixture
def here(store):
    place = Place(store)
    yield place
    place.keeper.close()


@pytest.fixture
def there(store):
    """Another process: what is sent there is heard here only if a test says so."""
    return Place(store)


@pytest.fixture
def impatient(monkeypatch):
    """What is lost is soon given up."""
    monkeypatch.setattr("dwebsocket.groups.history.feed.PATIENCE", 0.2)


@pytest.fixture
def slow_looks(monkeypatch):
    """What has not come is not looked for at once, though a busy machine stands still."""
    monkeypatch.setattr("dwebsocket.groups.history.feeds.INTERVAL", 1.0)


def offset(joined):
    return parse_position(joined.position).offset


# What comes


@pytest.mark.usefixtures("slow_looks")
def test_what_overtakes_waits(here, there):
    member, _ = here.come()
    first, second, third = (there.send(text) for text in "123")
    here.hear(third, second)
    assert texts(member.take()) == []
    here.hear(first)
    assert texts(member.take()) == ["1", "2", "3"]
    here.hear(first, second, third)
    assert texts(member.take()) == []


def test_what_does_not_come_is_read(here, there):
    member, _ = here.come()
    sent = [there.send(str(number)) for number in range(5)]
    here.hear(sent[0], sent[4])
    assert [member.next().get("data") for _ in range(6)] == [None, *"01234"]
    here.hear(*sent)
    assert member.count() == 0


@pytest.mark.usefixtures("impatient")
def test_what_is_lost_is_told_and_the_rest_comes(here, there, caplog):
    """Those that are known behind the gap come, to members that see no positions, too."""
    member, _ = here.come()
    plain, _ = here.come(kind=Member)
    keeping, _ = here.come(kind=Keeping)
    small = Rule(2, 300.0)
    sent = [there.send(str(number), rule=small) for number in range(10)]
    here.hear(sent[0], sent[6], sent[7])
    told = [member.next() for _ in range(7)]
    assert texts(told) == ["0", "6", "7", "8", "9"]
    assert told[2]["recovered"] is False
    assert [parse_position(one["position"]).offset for one in told] == [0, 1, 6, 7, 8, 9, 10]
    assert [plain.next() for _ in range(5)] == ["0", "6", "7", "8", "9"]
    told = [(0, True), (1, "0"), (6, False), (7, "6"), (8, "7"), (9, "8"), (10, "9")]
    assert [keeping.next() for _ in range(7)] == told
    assert "Messages are lost" in caplog.text


def test_another_memory_is_told(here):
    member, _ = here.come()
    elsewhere = Place(MemoryHistory())
    elsewhere.send("unheard")
    sent = elsewhere.send("heard")
    here.keeper._store._rings = elsewhere.keeper._store._rings  # as a file that was removed
    here.hear(sent)
    told = [member.next() for _ in range(4)]
    assert [one.get("recovered") for one in told] == [True, False, None, None]
    assert texts(told) == ["unheard", "heard"]


@pytest.mark.usefixtures("impatient")
def test_of_many_groups_one_line_says_that_something_is_lost(here, there, caplog):
    members = [here.come(name=f"room.{number}")[0] for number in range(50)]
    for number in range(50):
        sent = [there.send(text, name=f"room.{number}", rule=Rule(1, 300.0)) for text in "123"]
        here.hear(sent[2])
    for member in members:
        assert [member.next().get("recovered") for _ in range(3)] == [True, False, None]
    assert caplog.text.count("Messages are lost") == 1


def test_who_has_died_may_have_been_about_to_speak(here, there):
    member, _ = here.come()
    last = there.send("the living")
    there.send("the dead")
    here.feeds.look_again()
    here.hear(last)  # which is the next one, and shows nothing
    assert [member.next().get("data") for _ in range(3)] == [None, "the living", "the dead"]


@pytest.mark.usefixtures("slow_looks")
def test_no_more_wait_than_can_be_kept(here, there, monkeypatch):
    monkeypatch.setattr("dwebsocket.groups.history.feed.MAX_EARLY", 3)
    member, _ = here.come()
    sent = [there.send(str(number)) for number in range(20)]
    here.hear(*sent[1:])
    assert len(here.feeds._feeds["a"]._early) == 3
    assert [member.next().get("data") for _ in range(21)] == [None, *map(str, range(20))]


# Who comes


def test_what_was_missed_comes_first(here, there):
    member, joined = here.come()
    there.send("missed")
    back, joined = here.come(since=joined.position)
    assert joined.recovered
    assert offset(joined) == 1
    assert texts(back.take()) == ["missed"]
    here.hear(there.sent[0], there.send("new"))
    assert texts(back.take()) == ["new"]
    assert texts(member.take()) == ["missed", "new"]


def test_a_position_tells_to_go_on_from_there_at_any_moment(here, there):
    """Whoever breaks off in the middle of what was missed goes on in the middle."""
    _, joined = here.come()
    for number in range(10):
        there.send(str(number))
    for seen in range(11):
        member, _ = here.come(since=joined.position)
        got = [member.next() for _ in range(1 + seen)]
        again, _ = here.come(since=member.since)
        assert texts(got) + texts(again.take()) == [*map(str, range(10))]


@pytest.mark.parametrize(
    "since", ["", None, "nonsense", "0123abcd:5", "0123abcd:0", "ffffffff:999999999999999999"]
)
def test_newest(here, since):
    for number in range(10):
        here.send(str(number))
    member, joined = here.come(since=since, newest=3)
    assert joined.recovered is not bool(since)
    told = member.take()
    assert texts(told) == ["7", "8", "9"]
    assert told[0]["recovered"] is joined.recovered
    assert parse_position(told[0]["position"]).offset == 7
    here.send("live")
    assert texts(member.take()) == ["live"]
    back, joined = here.come(since=told[1]["position"], newest=3)
    assert joined.recovered
    assert texts(back.take()) == ["8", "9", "live"]


def test_a_position_behind_all_others_is_none(here):
    here.send("1")
    _, joined = here.come()
    member, again = here.come(since=joined.position + "0")
    assert not again.recovered
    assert texts(member.take()) == []


def test_elsewhere_it_was_handed_more(here, there):
    """What this process has not handed out yet does not come again to who has it."""
    member, _ = here.come()
    sent = [there.send(str(number)) for number in range(4)]
    sent.append(there.send("4", rule=Rule(1, 300.0)))  # those on their way are kept no more
    back, joined = here.come(since=str(sent[3][1]))
    assert joined.recovered
    assert offset(joined) == 4
    here.hear(*sent)
    assert texts(back.take()) == ["4"]
    assert texts(member.take()) == [*"01234"]


def test_what_comes_before_the_subscription_is_not_missed(here, there):
    member, joined = here.come(subscribe=lambda name: there.send("between"))
    assert offset(joined) == 1
    assert texts(member.take()) == []
    plain = Member()
    here.go(member)
    here.members.add("a", plain)
    here.come(subscribe=lambda name: there.send("between again"))
    assert plain.next() == "between again"


def test_who_is_a_member_already_misses_nothing(here):
    member, _ = here.come()

    def subscribe(name):
        here.send("meanwhile")

    here.come(kind=member, subscribe=subscribe)
    here.send("later")
    assert texts(member.take()) == ["meanwhile", "later"]


def test_members_without_history_get_all_once(here, there):
    """A group that keeps messages for others only."""
    plain = Member()
    here.members.add("a", plain)
    sent = [there.send(str(number)) for number in range(3)]
    here.hear(sent[1], sent[0])
    assert "a" not in here.feeds._feeds
    assert [plain.next(), plain.next()] == ["1", "0"]
    told, _ = here.come()
    here.hear(sent[2], there.send("3"))
    assert plain.next() == "3"  # of what was on its way when somebody asked for order none is sure
    assert texts(told.take()) == ["3"]


def test_the_sender_is_left_out_once(here):
    ada, _ = here.come()
    bob, _ = here.come()
    here.send("of ada", exclude=ada)
    here.send("of ada too", exclude=ada)
    assert texts(ada.take()) == []
    assert texts(bob.take()) == ["of ada", "of ada too"]
    assert not here.feeds._feeds["a"]._excluded


def test_nothing_is_left_of_who_was_left_out(here, there, monkeypatch):
    """Whatever becomes of the message."""
    ada, _ = here.come()
    here.hears_itself = False
    late = here.send("late", exclude=ada)
    here.feeds.look_again()
    wait_until(lambda: not here.feeds._feeds["a"]._excluded, "it was read")
    here.hear(late)
    monkeypatch.setattr("dwebsocket.groups.history.feed.REMEMBERED", -1.0)
    for number in range(1, 10):
        here.feeds.exclude("a", pack(1, b"never sent", b"origin..", number), ada)
    assert len(here.feeds._feeds["a"]._excluded) == 1
    assert texts(ada.take()) == []


# Who goes


class Leaving(Told):
    """Reads too slowly: it leaves while it is sent to, and so does another one."""

    place, others = None, ()

    def send_nowait(self, message):
        super().send_nowait(message)
        if self.place is not None:
            for name in self.place.members.leave(self):
                self.place.feeds.drop(name)
            for name, other in self.others:
                self.place.go(other, name)


def test_who_leaves_while_it_is_sent_to(here):
    member, _ = here.come(kind=Leaving)
    here.come(kind=member, name="b")
    other, _ = here.come(name="b")
    member.place, member.others = here, [("b", other)]
    here.send("the last")
    assert texts(member.take()) == ["the last"]
    assert not here.feeds._feeds
    _, joined = here.come()
    assert offset(joined) == 1


def test_who_breaks_its_promise_is_nobodys_loss(here, caplog):
    here.come(kind=Failing)
    member, _ = here.come(kind=Member)
    here.send("hello")
    assert member.next() == "hello"
    assert "cannot be sent to" in caplog.text


def test_two_groups_that_send_to_each_other(here):
    """Whose end tells the other group: no thread waits for another one's group."""

    class Echoing(Member):
        def __init__(self, other):
            super().__init__()
            self.other = other

        def send_nowait(self, message):
            if here.members.leave(self):
                here.feeds.drop(self.other)

    done = []

    def run(mine, other):
        for _ in range(200):
            here.come(kind=Echoing(other), name=mine)
            here.send("x", name=mine)
            done.append(mine)

    threads = [threading.Thread(target=run, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(done) == 400
    for name in ("a", "b"):
        here.feeds.drop(name)
    assert not here.feeds._feeds


def test_groups_that_come_and_go_leave_nothing(here, monkeypatch):
    monkeypatch.setattr(memory, "MAX_GROUPS", 100)
    for number in range(1000):
        name = f"room.{number}"
        member, _ = here.come(name=name)
        here.send("x", name=name, exclude=member)
        here.go(member, name)
    assert not here.feeds._feeds
    assert len(here.keeper._store._rings) == 100
    assert len(here.keeper._store._turns) <= 400


def test_who_uses_a_feed_that_was_left_drops_it(here):
    member, _ = here.come()
    feed = here.feeds._feeds["a"]
    with feed.lock:
        thread = threading.Thread(target=here.feeds.look_again)
        thread.start()
        here.go(member)
        assert here.feeds._feeds
    thread.join(10)
    here.feeds.drop("a")
    assert not here.feeds._feeds


def test_a_closed_one_hands_out_nothing(here):
    member, _ = here.come()
    here.keeper.close()
    here.send("x")
    here.feeds.look_again()
    assert texts(member.take()) == []


# The store


class Away(MemoryHistory):
    away = False

    def read(self, *args):
        if self.away:
            raise GroupUnavailable("away")
        return super().read(*args)


def test_a_store_that_is_away():
    store = Away()
    here, there = Place(store), Place(store)
    member, joined = here.come()
    store.away = True
    sent = [there.send(text) for text in "123"]
    here.hear(sent[2])
    with pytest.raises(GroupUnavailable):
        there.come(since=joined.position)
    assert not there.feeds._feeds
    assert not there.members.names()
    store.away = False
    assert [member.next().get("data") for _ in range(4)] == [None, *"123"]
