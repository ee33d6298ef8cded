"""The file stays small, whatever the clock says, and a fork takes nothing of it along."""

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.history import Position, Rule
from dwebsocket.groups.machine import file as file_module
from dwebsocket.groups.machine import history as history_module

from ...servers.process import wait_until
from .places import RULE, append


def count(path, what="message"):
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]


def test_what_is_too_old_is_removed_from_all_groups(file, path, monkeypatch):
    monkeypatch.setattr(history_module, "SWEEP", 10)
    monkeypatch.setattr(history_module, "SWEPT", 30)
    monkeypatch.setattr(history_module, "FORGOTTEN", 0.2)
    for number in range(100):
        append(file, f"room.{number}", Rule(10, 0.1))
        file.read(f"visited.{number}", None, 0)
    append(file, "kept", RULE)
    old = time.monotonic() + 0.3
    wait_until(lambda: time.monotonic() > old, "all is too old")
    position = file.read("kept", None, 0).last
    for _ in range(200):
        append(file, "other", RULE)
    assert count(path) == 101
    assert count(path, "position") == 2
    assert append(file, "kept", RULE) == position.next


def test_a_message_outlives_the_time_of_its_group(file, monkeypatch):
    """Those of which a long one is kept are not forgotten."""
    monkeypatch.setattr(history_module, "SWEEP", 1)
    monkeypatch.setattr(history_module, "FORGOTTEN", 0.01)
    position = append(file, "long", Rule(10, 300.0))
    gone = time.monotonic() + 0.05
    wait_until(lambda: time.monotonic() > gone, "it would be forgotten")
    append(file, "other")
    append(file, "other")
    assert append(file, "long") == position.next
    assert len(file.read("long", None, None).kept) == 2


def test_the_files_stay_small(file, path):
    for number in range(4000):
        append(file, f"room.{number % 10}", Rule(20, 300.0), data=b"x" * 1000)
    assert path.stat().st_size < 2 << 20
    assert path.with_name(path.name + "-wal").stat().st_size < 6 << 20


def test_room_is_given_back(file, path, monkeypatch):
    monkeypatch.setattr(history_module, "SWEEP", 10)
    for number in range(100):
        append(file, f"room.{number}", Rule(10, 0.05), data=b"x" * 20_000)
    full = time.monotonic() + 0.1
    wait_until(lambda: time.monotonic() > full, "all is too old")
    for _ in range(50):
        append(file)
    file._file.close()
    assert path.stat().st_size < 600_000


@pytest.mark.parametrize("step", [-86_400, 86_400])
def test_the_clock_is_set(file, monkeypatch, step):
    begin = append(file)
    append(file)
    real = time.time
    monkeypatch.setattr(history_module.time, "time", lambda: real() + step)
    assert append(file) == Position(begin.epoch, 3)
    log = file.read("a", None, None)
    assert [one.offset for one in log.kept] == ([1, 2, 3] if step < 0 else [3])
    assert log.last == Position(begin.epoch, 3)


def test_files_in_use_are_touched(file, path, monkeypatch):
    monkeypatch.setattr(history_module, "SWEEP", 1)
    append(file)
    os.utime(path, (1, 1))
    append(file)
    assert path.stat().st_mtime == 1
    monkeypatch.setattr(file_module, "TOUCHED", 0.0)
    append(file)
    assert path.stat().st_mtime > 1


# Forks


def test_a_fork(file, directory):
    """The child has a connection of its own, and its end takes nothing from the parent."""
    position = append(file)
    child = os.fork()
    if not child:
        status = 1
        try:
            ok = file._file._connection is None and append(file) == position.next
            status = 0 if ok else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert append(file) == position.next.next


@pytest.mark.usefixtures("patient_file")
def test_a_fork_while_others_write(file):
    """No lock and no transaction of another thread is in the child."""
    append(file)
    stop = threading.Event()
    errors = []

    def write():
        while not stop.is_set():
            try:
                append(file)
            except GroupUnavailable as error:
                errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    statuses = []
    for _ in range(5):
        child = os.fork()
        if not child:
            status = 1
            try:
                for _ in range(20):
                    append(file)
                status = 0
            finally:
                os._exit(status)
        statuses.append(os.waitpid(child, 0)[1])
    stop.set()
    for thread in threads:
        thread.join(10)
    assert statuses == [0] * 5
    assert errors == []
    log = file.read("a", None, None)
    assert [one.offset for one in log.kept] == [*range(log.last.offset - 99, log.last.offset + 1)]
