"""What every store keeps, and what it forgets."""

import threading
import time

import pytest

from dwebsocket.groups.history import Kept, Position, Rule, create_rule, parse_position
from dwebsocket.groups.history.rules import MAX_SECONDS, MAX_SIZE
from dwebsocket.groups.history.store import read_since

from ...servers.process import wait_until

RULE = Rule(5, 300.0)


def offsets(log):
    return [one.offset for one in log.kept]


def test_each_message_has_the_next_number(store):
    begin = store.read("a", None, 0).last
    assert begin.offset == 0
    positions = [store.append("a", b"%d" % number, RULE) for number in range(3)]
    assert positions == [Position(begin.epoch, number) for number in (1, 2, 3)]
    log = store.read("a", None, None)
    assert log.last == positions[-1]
    assert log.kept == [Kept(1, b"0"), Kept(2, b"1"), Kept(3, b"2")]
    assert store.append("b", b"x", RULE).epoch != begin.epoch


def test_so_many_are_kept(store):
    for _ in range(9):
        store.append("a", b"x", RULE)
    assert offsets(store.read("a", None, None)) == [5, 6, 7, 8, 9]
    assert offsets(store.read("a", None, 2)) == [8, 9]
    assert offsets(store.read("a", 6, None)) == [7, 8, 9]
    assert offsets(store.read("a", 6, 2)) == [7, 8]
    assert offsets(store.read("a", 1, 2)) == [5, 6]
    assert offsets(store.read("a", 9, None)) == []
    assert offsets(store.read("a", 99, None)) == []
    store.append("a", b"x", Rule(2, 300.0))
    assert offsets(store.read("a", None, None)) == [9, 10]


def test_for_so_long(store):
    store.append("a", b"x", Rule(5, 0.05))
    store.append("b", b"x", RULE)
    wait_until(lambda: not store.read("a", None, None).kept, "it is too old")
    assert store.read("a", None, None).last.offset == 1
    assert offsets(store.read("b", None, None)) == [1]


def test_the_names_of_groups_are_any_text(store):
    names = ["a", "A", "ä", "%", "'", "a\0b", "a\0c", "x" * 10_000, "\U0001f600"]
    for number, name in enumerate(names):
        store.append(name, b"%d" % number, RULE)
    for number, name in enumerate(names):
        assert store.read(name, None, None).kept == [Kept(1, b"%d" % number)]


@pytest.mark.parametrize(("after", "whole"), [(3, False), (4, True), (9, True), (10, False)])
def test_all_since_or_nothing(store, after, whole):
    for _ in range(9):
        store.append("a", b"x", RULE)
    epoch = store.read("a", None, 0).last.epoch
    log, is_whole = read_since(store, "a", Position(epoch, after))
    assert is_whole is whole
    assert offsets(log) == ([*range(after + 1, 10)] if whole else [])
    assert log.last.offset == 9
    assert read_since(store, "a", Position("00000000", after)) == ((log.last, []), False)
    log, is_whole = read_since(store, "a", Position(epoch, after), 2)
    assert is_whole is whole
    assert len(log.kept) == (min(2, 9 - after) if whole else 0)


@pytest.mark.parametrize("brief", [1, 2, 3])
def test_one_that_was_kept_for_a_shorter_time_is_missing(store, brief):
    """Each has its own time: the first, one in between, or the last may be gone."""
    epoch = store.read("a", None, 0).last.epoch
    for number in (1, 2, 3):
        store.append("a", b"x", Rule(5, 0.05 if number == brief else 300.0))
    gone = time.monotonic() + 0.2
    wait_until(lambda: time.monotonic() > gone, "it is too old")
    log, is_whole = read_since(store, "a", Position(epoch, 0))
    assert offsets(log) == ([1, 2, 3] if is_whole else [])
    assert is_whole or brief in (1, 2, 3)
    kept = offsets(store.read("a", 0, None))
    assert is_whole == (kept == [1, 2, 3])


def test_threads_share_the_numbers(store):
    found = []

    def run():
        found.extend(store.append("a", b"x", Rule(1000, 300.0)).offset for _ in range(100))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [*range(1, 401)]
    assert offsets(store.read("a", None, None)) == [*range(1, 401)]


# Rules and positions


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((0, None), ValueError, "history is 0, it must be from 1 to"),
        ((MAX_SIZE + 1, None), ValueError, "history is"),
        (("5", None), TypeError, "history is '5', it must be a whole number"),
        ((1.5, None), TypeError, "a whole number"),
        ((True, None), TypeError, "a whole number"),
        ((5, 0), ValueError, "seconds is 0, it must be above 0"),
        ((5, float("nan")), ValueError, "seconds is nan"),
        ((5, float("inf")), ValueError, "seconds is inf"),
        ((5, MAX_SECONDS + 1), ValueError, "seconds is"),
        ((5, "60"), TypeError, "seconds is '60', it must be a number"),
        ((5, True), TypeError, "seconds is True"),
        ((None, 60), ValueError, "seconds=… keeps nothing by itself"),
    ],
)
def test_wrong_rules(arguments, error, said):
    with pytest.raises(error, match=said):
        create_rule(*arguments, cache=False)


def test_cache_is_true_or_false():
    with pytest.raises(TypeError, match="cache is 'yes'"):
        create_rule(None, None, cache="yes")


def test_rules():
    assert create_rule(None, None, cache=False) is None
    assert create_rule(None, None, cache=True) == Rule(1, 3600.0, True)
    assert create_rule(7, 60, cache=True) == Rule(7, 60.0, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "x",
        "0123abcd",
        "0123abcd:",
        "0123ABCD:1",
        None,
        7,
        "0123abcd:-1",
        "0123abcd:1\n",
        "0123abcd:1.0",
        "0123abcd:" + "9" * 19,
        " 0123abcd:1",
        "0123abcd:1:2",
        "\ud800:1",
    ],
)
def test_what_is_no_position(text):
    assert parse_position(text) is None


def test_a_position_is_its_text():
    position = Position("0123abcd", 41)
    assert str(position) == "0123abcd:41"
    assert parse_position("0123abcd:41") == position
    assert position.next == Position("0123abcd", 42)
