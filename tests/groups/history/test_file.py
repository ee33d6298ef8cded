"""The file that processes share, and what may befall it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.history import Position, pack_position, unpack_position
from dwebsocket.groups.machine import file as file_module
from dwebsocket.groups.machine import tables as tables_module

from ...servers.process import ROOT
from .places import RULE, append

#: What another process does, which has the store and RULE.
BEGIN = """
import sys
from pathlib import Path
from dwebsocket.groups.machine import file as file_module
from dwebsocket.groups.machine.file import GroupFile
from dwebsocket.groups.machine.history import FileHistory
from dwebsocket.groups.machine.tables import prepare
from dwebsocket.groups.history import Rule
from dwebsocket.machine import RunDirectory
file_module.PATIENCE = 60
file = GroupFile(RunDirectory(Path(sys.argv[1])), prepare)
store, RULE = FileHistory(file), Rule(100, 300.0)
"""
STOP_IN_TRANSACTION = """
with store._file.transaction("a", writes=True) as execute:
    execute("UPDATE position SET last = 999")
    print("in it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run_elsewhere(directory):
    """run_elsewhere(code) → a process that has said a line."""
    processes = []

    def run(code, **options):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", BEGIN + code, str(directory.path)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **options,
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


# Several processes


@pytest.mark.usefixtures("patient_file")
def test_processes_share_the_numbers(file, run_elsewhere):
    begin = append(file)
    code = 'for _ in range(100): store.append("a", b"x", RULE)'
    processes = [run_elsewhere(code) for _ in range(3)]
    for _ in range(100):
        append(file)
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert file.read("a", None, 0).last == Position(begin.epoch, 401)
    assert len(file.read("a", None, None).kept) == 100


def test_it_outlives_its_processes(file, make_file):
    position = append(file)
    file._file.close()
    assert make_file().append("a", b"y", RULE) == position.next


def test_who_is_killed_in_a_transaction_has_changed_nothing(file, run_elsewhere):
    position = append(file)
    process = run_elsewhere(STOP_IN_TRANSACTION)
    assert process.stdout.readline() == "in it\n"
    process.kill()
    process.wait(10)
    assert append(file) == position.next


def test_who_is_stopped_in_a_transaction_is_waited_for_once(file, run_elsewhere, caplog):
    position = append(file)
    process = run_elsewhere(STOP_IN_TRANSACTION)
    assert process.stdout.readline() == "in it\n"
    process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(GroupUnavailable, match=r"group 'a': .* locked"):
        append(file)
    assert time.monotonic() - begin >= file_module.PATIENCE
    begin = time.monotonic()
    for _ in range(20):
        with pytest.raises(GroupUnavailable):
            append(file)
    assert time.monotonic() - begin < 20 * file_module.PATIENCE / 2
    assert file.read("a", None, None).last == position  # who reads waits for nobody
    process.kill()
    process.wait(10)
    assert append(file) == position.next
    assert caplog.text.count("cannot be reached in") == 1
    assert caplog.text.count("can be reached again") == 1


def test_threads_wait_once_for_who_is_stopped(file, run_elsewhere):
    append(file)
    process = run_elsewhere(STOP_IN_TRANSACTION)
    assert process.stdout.readline() == "in it\n"
    refused = []

    def run():
        with pytest.raises(GroupUnavailable):
            append(file)
        refused.append(time.monotonic())

    begin = time.monotonic()
    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 20
    assert max(refused) - begin < 20 * file_module.PATIENCE / 2


# The file itself


@pytest.mark.parametrize(
    "damage", [b"", b"no file of SQLite's at all, but this is rather long" * 99]
)
def test_a_damaged_file_begins_anew(file, make_file, path, caplog, damage):
    position = append(file)
    file._file.close()
    path.write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    other = make_file()
    begun = append(other)
    assert begun.offset == 1
    assert begun.epoch != position.epoch
    assert append(file) == begun.next
    assert ("is damaged" in caplog.text) is bool(damage)


def test_one_that_is_damaged_while_it_is_open_begins_anew(file, make_file, path):
    for _ in range(400):
        append(file, data=b"x" * 2000)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    position = file.read("a", None, 0).last
    with path.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(path.stat().st_size - 4096))
    other = make_file()
    begun = None
    for store in (other, file) * 3:
        try:
            begun = append(store)
        except GroupUnavailable:
            continue
    assert begun.epoch != position.epoch
    assert append(file) == begun.next
    assert append(other) == begun.next.next


@pytest.mark.parametrize("what", ["file", "all files", "directory"])
def test_one_that_is_removed_begins_anew(file, make_file, directory, path, what):
    other = make_file()
    position = append(file)
    append(other)
    if what == "directory":
        for entry in directory.path.iterdir():
            entry.unlink()
        directory.path.rmdir()
    else:
        for entry in [path] if what == "file" else list(directory.path.iterdir()):
            entry.unlink()
    begun = append(other)
    assert begun.offset == 1
    assert begun.epoch != position.epoch
    assert append(file) == begun.next
    assert file.read("a", None, None).last == begun.next


def test_what_an_earlier_start_of_the_machine_has_left_is_worth_nothing(
    file, make_file, monkeypatch, tmp_path, caplog
):
    """Its last writes may be missing, and nothing would show that."""
    position = append(file)
    file._file.close()
    boot = tmp_path / "boot_id"
    boot.write_text("another one\n")
    monkeypatch.setattr(tables_module, "BOOT", boot)
    other = make_file()
    assert append(other).epoch != position.epoch
    position = append(other)
    other._file.close()
    assert append(make_file()) == position.next
    assert "damaged" not in caplog.text


def set_version(path, version):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


def test_a_file_of_an_earlier_version_begins_anew(file, make_file, monkeypatch):
    position = append(file)
    file._file.close()
    monkeypatch.setattr(tables_module, "VERSION", 2)
    schema = [*tables_module.SCHEMA[:-1], "PRAGMA user_version = 2"]
    monkeypatch.setattr(tables_module, "SCHEMA", schema)
    other = make_file()
    position, earlier = append(other), position
    assert position.epoch != earlier.epoch
    other._file.close()
    assert append(make_file()) == position.next


def test_tables_without_a_version_begin_anew(file, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE position (name TEXT)")
    assert append(file).offset == 1


def test_a_file_of_a_later_version_is_left_alone(file, make_file, path):
    position = append(file)
    file._file.close()
    set_version(path, tables_module.VERSION + 1)
    with pytest.raises(GroupUnavailable, match=r"a later dwebsocket uses it .* start this process"):
        append(make_file())
    set_version(path, tables_module.VERSION)
    assert append(make_file()) == position.next


@contextmanager
def small_disk(path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path):
    with (path / "fill").open("wb", buffering=0) as big, suppress(OSError):
        while True:
            big.write(b"x" * 4096)


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_a_full_disk(make_file, directory, caplog):
    with small_disk(directory.path):
        file = make_file()
        position = append(file)
        fill(directory.path)
        for _ in range(3):
            with pytest.raises(GroupUnavailable, match=r"full|disk"):
                append(file, data=b"x" * 200_000)
        assert file.read("a", None, None).last == position
        assert caplog.text.count("cannot be reached in") == 1
        (directory.path / "fill").unlink()
        assert append(file) == position.next
        assert "can be reached again" in caplog.text
        file._file.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")
def test_a_disk_that_was_full_before(make_file, directory):
    with small_disk(directory.path):
        fill(directory.path)
        file = make_file()
        with pytest.raises(GroupUnavailable):
            append(file)
        (directory.path / "fill").unlink()
        assert append(file).offset == 1
        file._file.close()


def test_a_limit_of_the_size_of_files(file, run_elsewhere):
    position = append(file)
    code = """
import resource
from dwebsocket.exceptions import GroupUnavailable
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
for _ in range(50):
    try:
        last = store.append("a", b"x" * 20_000, RULE)
    except GroupUnavailable as error:
        break
else:
    error = "none"
print(last.offset, flush=True)
sys.stdin.read()
"""
    process = run_elsewhere(code)
    last = int(process.stdout.readline())
    assert 1 <= last < 50
    assert append(file) == Position(position.epoch, last + 1)


# On its way


def test_positions_travel():
    position = Position("0123abcd", 41)
    assert unpack_position(pack_position(position) + b"rest") == (position, b"rest")
    with pytest.raises(ValueError, match="less than a position"):
        unpack_position(b"123")
    with pytest.raises(ValueError, match="decode"):
        unpack_position(b"\xff" * 20)
