"""Who is in a group, on every backend; two backends in this process are two processes to each
other, and one process is real and is killed.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest
from django.test import override_settings

from dwebsocket import Group
from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups import leave_all
from dwebsocket.groups.base import BaseGroupBackend
from dwebsocket.groups.history import Rule
from dwebsocket.groups.presence import check_key, pictures, presence

from ..servers.process import ROOT, wait_until
from .peers import Member
from .presence import PROCESS, SOON, Hearer, Process, becomes, faults

MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}
MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}

#: Seconds; a handler is told more often than usual.
GRACE, INTERVAL = 0.5, 0.2

#: One that is not over before a busy machine has gone on.
LONG = 60


@pytest.fixture(autouse=True)
def no_faults():
    faults.clear()
    yield
    assert not faults


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setattr(pictures, "INTERVAL", INTERVAL)
    with (
        tempfile.TemporaryDirectory(prefix="dw-") as directory,
        override_settings(WEBSOCKET_RUN_DIR=directory, WEBSOCKET_PRESENCE_GRACE=GRACE),
    ):
        yield directory


@pytest.fixture
def machine_setting():
    return MACHINE


@pytest.fixture
def redis_setting(redis_server):
    return {**redis_server.setting, "OPTIONS": {"PREFIX": f"test-{os.urandom(4).hex()}"}}


@pytest.fixture(params=["machine", "redis"])
def shared(request):
    """The setting of a backend that reaches others."""
    return request.getfixturevalue(f"{request.param}_setting")


@pytest.fixture
def start(make_peer):
    return lambda setting: Process(make_peer(setting))


@pytest.fixture(params=["memory", "machine", "redis"])
def process(request, start):
    """One on every backend."""
    kind = request.param
    return start(MEMORY if kind == "memory" else request.getfixturevalue(f"{kind}_setting"))


def test_two_tabs_are_one_and_the_newest_says_who(process):
    old, new = process.track(Member(), 7, {"name": "Ada"}), Member()
    process.track(new, 7, {"name": "Ada Lovelace"})
    process.track(Member(), "7", None)
    assert process.present() == {7: {"name": "Ada Lovelace"}, "7": None}
    store = process.presence._store
    wait_until(lambda: len(store.read(["room"])["room"].entries) == 2, "it is told of both", SOON)
    process.leave(new)  # of which it is told at once, if somebody asks
    assert process.present() == {7: {"name": "Ada"}, "7": None}
    with override_settings(WEBSOCKET_PRESENCE_GRACE=LONG):
        process.leave(old)
    assert 7 in process.present()  # for a while
    process.leave(process.track(Member(), 7))
    wait_until(lambda: process.present() == {"7": None}, "she has gone", SOON)


def test_who_comes_back_in_time_makes_no_noise(process):
    hearer = process.hear()
    tab = process.track(Member(), "ada")
    becomes({"ada": None}, hearer)
    for _ in range(3):
        with override_settings(WEBSOCKET_PRESENCE_GRACE=LONG):
            process.leave(tab)
        tab = process.track(Member(), "ada")
    process.track(Member(), "bob")
    becomes({"ada": None, "bob": None}, hearer)
    process.leave(tab)
    becomes({"bob": None}, hearer)
    assert [(dict(j), dict(left)) for _, j, left in hearer.calls] == [
        ({"ada": None}, {}),
        ({"bob": None}, {}),
        ({}, {"ada": None}),
    ]


def test_a_handler_hears_of_all_at_first_and_then_of_changes(process):
    with process.presence._writing:  # it looks when all of them have come
        for number in range(5):
            process.track(Member(), number, number)
        first = process.hear()
    becomes({number: number for number in range(5)}, first)
    _, joined, left = first.calls[0]
    assert (joined.group, joined.count, left.group, left.count) == ("room", 5, "room", 5)
    tab = process.track(Member(), 5, "five")
    second = process.hear()
    process.track(tab, 5, "another")
    everybody = {**{number: number for number in range(5)}, 5: "another"}
    becomes(everybody, first)
    becomes(everybody, second)
    process.track(tab, 6)  # one WebSocket is one
    everybody = {**{number: number for number in range(5)}, 6: None}
    becomes(everybody, first)
    becomes(everybody, second)
    assert process.present() == everybody


def test_calls_are_a_second_apart(start, monkeypatch):
    monkeypatch.setattr(pictures, "INTERVAL", 1.0)
    process = start(MEMORY)
    hearer = process.hear()
    tabs = []
    begun = time.monotonic()
    while time.monotonic() < begun + 2.5:
        tabs.append(process.track(Member(), len(tabs)))
        time.sleep(0.05)  # somebody comes all the time
    becomes(dict.fromkeys(range(len(tabs))), hearer)
    times = [when for when, *_ in hearer.calls]
    assert len(times) >= 2
    # One may be late, and the next one not: they are counted.
    assert len(times) <= 1 + times[-1] - begun, times


def test_a_busy_handler_is_told_the_outcome_only(process):
    hearer, other = process.hear(), process.hear()
    process.track(Member(), "stays", 1)
    becomes({"stays": 1}, hearer)
    hearer.pauses = True
    comes = process.track(Member(), "comes and goes")
    changes = process.track(Member(), "changes", 1)
    becomes({"stays": 1, "comes and goes": None, "changes": 1}, other)
    process.leave(comes)
    process.track(changes, "changes", 2)
    becomes({"stays": 1, "changes": 2}, other)
    hearer.pauses = False
    hearer.catch_up()
    assert hearer.picture == other.picture
    assert len(hearer.calls) == 2
    assert hearer.calls[-1][1] == {"changes": 2}
    assert not hearer.calls[-1][2]


def test_where_there_are_too_many_only_their_number_is_told(process):
    few, all_of_them = process.hear(presence_limit=3), process.hear(presence_limit=None)
    tabs = [process.track(Member(), number) for number in range(3)]
    becomes({0: None, 1: None, 2: None}, few)
    fourth = process.track(Member(), 3)
    becomes(dict.fromkeys(range(4)), all_of_them)
    wait_until(lambda: few.calls[-1][1].count == 4, "it is told the number", SOON)
    _, joined, left = few.calls[-1]
    assert (dict(joined), dict(left), joined.count, left.count) == ({}, {}, 4, 4)
    few.picture.clear()
    process.leave(fourth)
    process.leave(tabs[0])
    becomes({1: None, 2: None}, few)
    becomes({1: None, 2: None}, all_of_them)


def test_who_has_left_the_group_hears_no_more(process):
    stays, goes = process.hear(), process.hear()
    process.track(Member(), 1)
    becomes({1: None}, stays)
    becomes({1: None}, goes)
    if process.members.discard("room", goes):
        process.backend.unsubscribe("room")
    process.presence.discard("room", goes)
    process.track(Member(), 2)
    becomes({1: None, 2: None}, stays)
    assert goes.picture == {1: None}


def test_untrack(process):
    tab = process.track(Member(), 1)
    process.presence.untrack("another", tab)
    process.presence.untrack("room", tab)
    process.presence.untrack("room", tab)
    wait_until(lambda: process.present() == {}, "nobody is present", SOON)


def threads():
    """Those of presence."""
    return [one for one in threading.enumerate() if one.name == "dwebsocket-presence"]


def test_it_runs_only_while_it_is_needed(process):
    wait_until(lambda: not threads(), "those of other tests have ended", SOON)
    hearer = process.hear()
    tab = process.track(Member(), 1)
    becomes({1: None}, hearer)
    assert len(threads()) == 1
    process.leave(hearer)
    process.leave(tab)
    wait_until(lambda: not threads(), "nobody needs it", SOON)
    process.track(Member(), 2)
    wait_until(lambda: process.present() == {2: None}, "the first one has gone", SOON)


# Several processes


def test_all_processes_know(shared, start):
    here, there, newcomer = (start(shared) for _ in range(3))
    near, far = here.hear(), there.hear()
    tab = here.track(Member(), 1, "here")
    there.track(Member(), 1, "there")
    there.track(Member(), 2)
    for hearer in (near, far):
        becomes({1: "there", 2: None}, hearer)
    assert newcomer.present() == {1: "there", 2: None}
    here.leave(tab)
    here.track(Member(), 3)
    for hearer in (near, far):
        becomes({1: "there", 2: None, 3: None}, hearer)
    assert newcomer.present("another") == {}


def test_who_moves_to_another_process_makes_no_noise(shared, start):
    here, there = start(shared), start(shared)
    hearer = there.hear()
    tab = here.track(Member(), 1, {"a": [1]})
    becomes({1: {"a": [1]}}, hearer)
    with override_settings(WEBSOCKET_PRESENCE_GRACE=LONG):
        here.leave(tab)
    there.track(Member(), 1, {"a": [1]})
    there.track(Member(), 2)
    becomes({1: {"a": [1]}, 2: None}, hearer)
    here.leave(here.track(Member(), 1, {"a": [1]}))
    wait_until(lambda: count_rows(shared, here) == 2, "its time is over here", SOON)
    there.track(Member(), 3)
    becomes({1: {"a": [1]}, 2: None, 3: None}, hearer)
    assert [set(joined) for _, joined, _ in hearer.calls] == [{1}, {2}, {3}]
    assert not any(left for _, _, left in hearer.calls)


def test_who_is_tracked_and_no_member_hears_of_others(shared, start):
    here, there = start(shared), start(shared)
    hearer = here.track(Hearer(), 1)
    becomes({1: None}, hearer)
    begun = time.monotonic()
    there.track(Member(), 2)
    becomes({1: None, 2: None}, hearer)
    assert time.monotonic() < begun + presence.RENEWAL / 2, "it was looked for, and not told"
    assert here.members.names() == ["room"]
    here.leave(hearer)
    assert here.members.names() == []


#: Seconds for which another process is taken to live, and for which a test has to hear of it.
LEASE = 6.0


@contextlib.contextmanager
def another_process(setting, directory, lease=0.0):
    """One that tracks the key "killed"."""
    arguments = (json.dumps(setting), directory, str(lease))
    process = subprocess.Popen(
        [*PROCESS, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        try:
            assert process.stdout.readline() == b"tracks\n"
            yield process
        finally:
            process.kill()


def test_the_people_of_a_killed_process_leave(shared, start, settings):
    here, there = start(shared), start(shared)
    hearer = here.hear()
    killed = {"killed": {"in": "another process"}}
    with override_settings(WEBSOCKET_PRESENCE_GRACE=LEASE):
        with another_process(shared, settings, lease=LEASE) as process:
            becomes(killed, hearer)
            process.kill()
            process.wait()
            assert there.present() == killed  # for a while
        here.track(Member(), "comes back")
        there.track(Member(), "killed", killed["killed"])
        here_now = {**killed, "comes back": None}
        becomes(here_now, hearer)
    with another_process(shared, settings, lease=3.0) as process:
        there.track(Member(), "x")
        becomes({**here_now, "x": None}, hearer)
        process.kill()
        process.wait()
    wait_until(lambda: count_rows(shared, here) == 3, "what it has left behind is removed", SOON)
    assert there.present() == hearer.picture == {**here_now, "x": None}
    assert not any(left for _, _, left in hearer.calls)


def count_rows(setting, process):
    """How many entries there are, of whomever."""
    store = process.presence._store
    store.read(["room"])
    if setting is MACHINE:
        with store._file.transaction("rows", writes=False) as execute:
            return execute("SELECT count(*) FROM present").fetchone()[0]
    return store._execute([("HLEN", store._hash_of("room"))])[0]


def test_the_last_people_of_a_killed_process_leave(shared, start, settings):
    here = start(shared)
    hearer = here.hear()
    with another_process(shared, settings, lease=LEASE) as process:
        becomes({"killed": {"in": "another process"}}, hearer)
        process.kill()
        process.wait()
    becomes({}, hearer, timeout=30)
    assert here.present() == {}


def test_what_redis_has_lost_is_written_again(redis_server, redis_setting, start, monkeypatch):
    monkeypatch.setattr(presence, "RENEWAL", 1.0)
    here, there = start(redis_setting), start(redis_setting)
    for number in range(5):
        here.track(Member(), number)
    everybody = dict.fromkeys(range(5))
    wait_until(lambda: there.present() == everybody, "it is written", SOON)
    for key in redis_server.command("KEYS", f"{redis_setting['OPTIONS']['PREFIX']}:*"):
        redis_server.command("DEL", key)
    wait_until(lambda: there.present() == everybody, "it is written again", SOON)
    redis_server.command("DEL", f"{redis_setting['OPTIONS']['PREFIX']}:present:room")
    wait_until(lambda: there.present() == everybody, "it is written again", SOON)


def test_a_file_that_is_gone_is_written_again(settings, start, monkeypatch):
    monkeypatch.setattr(presence, "RENEWAL", 1.0)
    here, there = start(MACHINE), start(MACHINE)
    for number in range(5):
        here.track(Member(), number)
    everybody = dict.fromkeys(range(5))
    wait_until(lambda: there.present() == everybody, "it is written", SOON)
    remove_file(settings)
    here.track(Member(), 5)
    wait_until(lambda: there.present() == {**everybody, 5: None}, "it is written again", SOON)


def test_redis_is_away_and_comes_back(make_redis, start, caplog):
    redis = make_redis()
    redis.start()
    here, there = start(redis.setting), start(redis.setting)
    hearer = there.hear()
    here.track(Member(), 1)
    becomes({1: None}, hearer)
    redis.kill()
    with pytest.raises(GroupUnavailable, match=r"does not say who is present|is away"):
        there.present()
    taken = []
    for key in (2, 3, 4):
        begun = time.monotonic()
        here.track(Member(), key)  # waits for nobody
        taken.append(time.monotonic() - begun)
    assert min(taken) < 1  # a busy machine may be late, but not each time
    wait_until(lambda: "cannot be told or heard of" in caplog.text, "the log says so", SOON)
    redis.start()
    becomes(dict.fromkeys(range(1, 5)), hearer)


def test_a_handler_hears_that_the_history_is_gone(start, settings):
    backend, rule = start(MACHINE).backend, Rule(10, 60.0)
    hearer, plain = Hearer(), Member()
    for member in (hearer, plain):
        backend.history.join("room", member, backend.subscribe, None, 0, positions=False)
    backend.history.append("room", "first", rule, None)
    assert (hearer.next(), plain.next()) == ("first", "first")
    remove_file(settings)
    backend.history.append("room", "second", rule, None)
    wait_until(lambda: hearer.lost == ["room"], "it is told", SOON)


def remove_file(directory):
    """As somebody does who cleans up."""
    for path in Path(directory).glob("groups.sqlite3*"):
        path.unlink()


# What users call


@pytest.mark.parametrize("key", [None, 1.5, True, b"1", (1,), object()])
def test_what_cannot_be_a_key(key):
    with pytest.raises(TypeError, match="it must be a str or an int"):
        Group("room").track(Member(), key)


@pytest.mark.parametrize("key", ["x" * 257, 10**300])
def test_too_long_a_key(key):
    with pytest.raises(ValueError, match="longer than 256 characters"):
        Group("room").track(Member(), key)


def test_what_cannot_be_an_info():
    with pytest.raises(TypeError, match="cannot be JSON"):
        Group("room").track(Member(), 1, {"a": object()})
    with pytest.raises(ValueError, match="cannot be JSON"):
        Group("room").track(Member(), 1, float("nan"))
    with pytest.raises(ValueError, match="at most 4096"):
        Group("room").track(Member(), 1, "x" * 4096)


def test_what_can_be_a_key():
    uuid = UUID(int=5)
    keys = {key: check_key(key) for key in ("é\ud800", -5, 10**20, uuid)}
    assert keys[uuid] == str(uuid)
    group, member = Group(f"keys-{time.time()}"), [Member() for _ in keys]
    for one, key in zip(member, keys, strict=True):
        group.track(one, key, {"when": uuid})
    assert group.present() == {key: {"when": str(uuid)} for key in keys.values()}
    for one in member:
        leave_all(one)


def test_no_websocket():
    with pytest.raises(TypeError, match=r"track\(\) takes a WebSocket, not None"):
        Group("room").track(None, 1)


def test_a_closed_one_is_not_tracked():
    member, group = Member(), Group(f"closed-{time.time()}")
    member._has_ended = True
    with override_settings(WEBSOCKET_PRESENCE_GRACE=0):
        group.track(member, 1)
        wait_until(lambda: group.present() == {}, "it has gone", SOON)


class Foreign(BaseGroupBackend):
    def publish(self, name, content):
        pass


def test_a_backend_without_presence():
    with override_settings(WEBSOCKET_GROUPS={"BACKEND": f"{__name__}.Foreign"}):
        group, member = Group("room"), Hearer()
        group.add(member)
        for call in (lambda: group.track(member, 1), group.present):
            with pytest.raises(InvalidGroupBackend, match="Foreign, the backend of"):
                call()
        group.discard(member)
        leave_all(member)
