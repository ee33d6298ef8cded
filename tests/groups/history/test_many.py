"""Pages come to three processes and go while others send, and messages come as they like."""

import random
import threading
import time

import pytest

from dwebsocket.groups.history import MemoryHistory, Rule
from dwebsocket.groups.history.positions import parse_position

from .places import Place


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """What is lost is soon given up."""
    monkeypatch.setattr("dwebsocket.groups.history.feed.PATIENCE", 0.2)


@pytest.mark.parametrize("size", [100_000, 20])
def test_many_come_and_go_while_others_send(size):
    """Three processes, of which each hears the others late, out of order, twice, or not at all."""
    store, rule = MemoryHistory(), Rule(size, 300.0)
    places = [Place(store) for _ in range(3)]
    end = time.monotonic() + 2
    chance = random.Random(7)

    def say(place, chance):
        while time.monotonic() < end:
            for _ in range(chance.randrange(1, 5)):
                place.send("x", rule=rule)
            time.sleep(0.002)
            late, place.sent[:] = place.sent[:], []
            chance.shuffle(late)
            for other in places:
                if other is not place:
                    other.hear(
                        *(one for one in late for _ in range(chance.choice([0, 1, 1, 1, 2])))
                    )

    def visit(chance, faults):
        page, since = None, None
        expected = None
        while time.monotonic() < end:
            place = chance.choice(places)
            page, _ = place.come(since=since, newest=5)
            until = time.monotonic() + chance.random() * 0.05
            while time.monotonic() < until:
                time.sleep(0.002)
                for told in page.take():
                    offset = parse_position(told["position"]).offset
                    if "recovered" in told:
                        if told["recovered"] and expected is not None and offset + 1 != expected:
                            faults.append(("untold", expected, told))
                        expected = offset + 1
                    elif offset != expected:
                        faults.append((expected, told))
                        expected = offset + 1
                    else:
                        expected += 1
            since = page.since
            place.go(page)

    faults = []
    threads = [
        threading.Thread(target=say, args=(place, random.Random(chance.random())))
        for place in places
    ] + [
        threading.Thread(target=visit, args=(random.Random(chance.random()), faults))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    for place in places:
        place.feeds.drop("a")
    assert [place.feeds._feeds for place in places] == [{}, {}, {}]
