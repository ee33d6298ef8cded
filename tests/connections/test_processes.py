"""All processes are asked, whatever carries the question."""

import os
import signal
import time

import pytest

from dwebsocket import Group, connections

from ..servers.process import freeze, wait_until
from .conftest import WORKERS


def test_all_are_found_and_nobody_is_missed(workers):
    workers.open_everywhere()
    found = connections.list(timeout=5)
    assert len(found) == len(workers.clients)
    assert len({one.id for one in found}) == len(found)
    assert not found.silent
    assert {one.pid for one in found} <= {process.pid for process in found.answered}
    assert [one.age for one in found] == sorted((one.age for one in found), reverse=True)


def test_an_answer_does_not_take_the_whole_timeout(workers):
    workers.open_everywhere()
    begun = time.monotonic()
    connections.list(timeout=30)
    assert time.monotonic() - begun < 20


def test_filters(workers):
    workers.open_everywhere()
    member = workers.open(f"/group/handler/{workers.name}/")
    member.read_text()
    (found,) = connections.list(group=workers.name, timeout=5)
    assert found.groups == (workers.name,)
    assert found.path == f"/group/handler/{workers.name}/"
    assert [one.id for one in connections.list(path="/group/*", timeout=5)] == [found.id]
    assert len(connections.list(path="/handler/echo/", timeout=5)) == len(workers.clients) - 1
    assert not connections.list(user="nobody", timeout=5)
    assert not connections.list(user=7, timeout=5)


def test_closing_by_ids_hits_these_alone(workers):
    workers.open_everywhere()
    chosen = {one.pid: one.id for one in connections.list(timeout=5)}
    assert len(chosen) == WORKERS
    assert connections.close(ids=chosen.values(), code=4001, timeout=5) == WORKERS
    left = connections.list(timeout=5)
    assert not {one.id for one in left} & set(chosen.values())
    assert len(left) == len(workers.clients) - WORKERS


def test_closing_a_group(workers):
    workers.open_everywhere()
    member = workers.open(f"/group/handler/{workers.name}/")
    member.read_text()
    assert connections.close(group=workers.name, reason="over", timeout=5) == 1
    frame = member.read_close()
    assert (frame.close_code, frame.close_reason) == (1001, "over")


def test_all_are_closed_only_if_that_is_said(workers):
    workers.open_everywhere()
    with pytest.raises(ValueError, match="everyone=True"):
        connections.close()
    assert len(connections.list(timeout=5)) == len(workers.clients)
    assert connections.close(ids=[], timeout=5) == 0
    assert connections.close(everyone=True, timeout=5) == len(workers.clients)


def test_members_of_all_processes_are_counted(workers):
    members = [workers.open(f"/group/handler/{workers.name}/") for _ in range(10)]
    for member in members:
        member.read_text()
    group = Group(workers.name)
    assert len(group) == 0
    assert group.count(timeout=5) == len(members)
    members.pop().hang_up()
    wait_until(lambda: group.count(timeout=5) == len(members), "one has left")


def test_sums(workers):
    workers.open_everywhere()
    for client in workers.clients:
        client.send_text("hello")
        client.read_text()
    stats = connections.stats(timeout=5)
    count = len(workers.clients)
    assert (stats.connections, stats.received, stats.sent) == (count, count, count)
    assert stats.bytes_in > count * len("hello")
    each = [one.connections for one in stats.processes.values() if one.connections]
    assert len(each) == WORKERS
    assert sum(each) == count


def test_a_process_that_is_stopped_is_silent_and_one_that_is_killed_is_not_missed(own_workers):
    own_workers.open_everywhere()
    before = connections.list(timeout=5)
    stopped, killed = sorted({one.pid for one in before})[:2]
    freeze(stopped)
    try:
        begun = time.monotonic()
        found = connections.list(timeout=3)  # so long a busy machine may hold up the others
        took = time.monotonic() - begun
        assert 3 <= took < 10
        assert {one.pid for one in found} == {one.pid for one in before} - {stopped}
        (silent,) = found.silent
        named = "machine" in own_workers.setting["BACKEND"]
        assert silent.pid == (stopped if named else None)
        assert "No answer from" in own_workers.run(timeout=1)
    finally:
        os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: not connections.list(timeout=5).silent, "it answers again", timeout=30)
    os.kill(killed, signal.SIGKILL)

    def is_forgotten():
        found = connections.list(timeout=5)
        return not found.silent and killed not in {one.pid for one in found}

    wait_until(is_forgotten, "the dead one is not missed", timeout=30)
