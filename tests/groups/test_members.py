"""Who is in which group, also when many threads change it at once."""

import random
import threading

from dwebsocket.groups.members import Members

from ..glue import site

__all__ = ["site"]  # configures Django


def test_the_last_is_told():
    members = Members()
    members.add("a", 1)
    members.add("a", 2)
    assert not members.discard("a", 1)
    assert members.discard("a", 2)
    assert not members.discard("a", 2)


def test_who_joins_twice_is_in_it_once():
    members = Members()
    members.add("a", 1)
    members.add("a", 1)
    assert members.of("a") == [1]
    assert members.discard("a", 1)
    assert members.of("a") == []


def test_leaving_takes_it_out_of_all_groups():
    members = Members()
    for name in ("a", "b", "c"):
        members.add(name, 1)
    members.add("b", 2)
    assert sorted(members.leave(1)) == ["a", "c"]
    assert (members.of("b"), members.names()) == ([2], ["b"])
    assert members.leave(1) == []


def test_nothing_is_kept_of_who_has_left():
    members = Members()
    for number in range(100):
        members.add(f"group {number % 7}", number)
        members.add("all", number)
    for number in range(100):
        members.leave(number)
    assert (members._groups, members._names) == ({}, {})


def test_the_order_is_that_of_joining():
    members = Members()
    for number in (3, 1, 2):
        members.add("a", number)
    assert members.of("a") == [3, 1, 2]


def test_eight_threads():
    """100,000 changes with looks in between: each thread knows which of its own are in."""
    members = Members()
    problems = []

    def change(thread):
        chance = random.Random(thread)
        mine = set()
        for _ in range(12_500):
            member, name = (thread, chance.randrange(20)), f"group {chance.randrange(5)}"
            if chance.random() < 0.5:
                members.add(name, member)
                mine.add((name, member))
            elif chance.random() < 0.9:
                members.discard(name, member)
                mine.discard((name, member))
            else:
                members.leave(member)
                mine = {pair for pair in mine if pair[1] != member}
            found = {one for one in members.of(name) if one[0] == thread}
            if found != {one for group, one in mine if group == name}:
                problems.append((thread, name))
        for _, member in mine:
            members.leave(member)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not problems
    assert (members._groups, members._names) == ({}, {})
