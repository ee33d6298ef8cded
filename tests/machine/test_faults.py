"""What goes wrong harms nobody, is said once, and is over when its cause is."""

import pwd
import shutil
import socket
import subprocess
from contextlib import suppress

import pytest

from dwebsocket.machine.frames import HEADER, MAX_SIZE

from ..groups.peers import check_order
from ..servers.process import wait_until
from .conftest import ROOT_ONLY

NOBODY = pwd.getpwnam("nobody").pw_uid


def connect(directory):
    [path] = directory.glob("*.sock")
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(path))
    return sock


def count_lines(caplog, text):
    return sum(text in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "version 71, this process understands 1"),
        (HEADER.pack(2, 1, 1, 1) + b"ab", "version 2, this process understands 1"),
        (HEADER.pack(1, 1, 0, MAX_SIZE), "a frame of"),
        (HEADER.pack(1, 1, 1, 1) + b"\xff\xff", "no text"),
    ],
)
def test_garbage(make, directory, caplog, data, text):
    here = make()
    member = here.join("a")
    for _ in range(3):
        with connect(directory) as sock:
            sock.sendall(data)
            with suppress(ConnectionResetError):
                assert sock.recv(1) == b""  # ended by the process
    assert count_lines(caplog, text) == 1
    check_order(make(), member)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (HEADER.pack(1, 77, 1, 1) + b"ab", "a frame of kind 77"),
        (HEADER.pack(1, 1, 1, 1) + b"ab", "less than the header"),
        (HEADER.pack(1, 2, 1, 1) + b"ab", "less than a position"),
    ],
)
def test_frames_that_nobody_understands(make, directory, caplog, data, text):
    """Of a newer version, perhaps: what else it says is heard."""
    member = make().join("a")
    with connect(directory) as sock:
        sock.sendall(3 * data)
        wait_until(lambda: count_lines(caplog, text), "it is said")
        check_order(make(), member)
    assert count_lines(caplog, text) == 1


def test_half_a_frame_and_silence(make, directory):
    """Whoever says nothing holds nobody up."""
    here = make()
    member = here.join("a")
    with connect(directory) as half, connect(directory):
        half.sendall(HEADER.pack(1, 1, 1, 100))
        check_order(make(), member)


@ROOT_ONLY
def test_another_users_process(make, make_process, directory, caplog):
    """It is not heard, though somebody has opened the directory to it."""
    here, there, foreign = make(), make(), make_process()
    member = here.join("a")
    directory.chmod(0o711)
    for file in directory.iterdir():
        file.chmod(0o666)
    foreign.do("become", NOBODY)
    foreign.do("intrude", [str(path) for path in directory.glob("*.sock")])
    directory.chmod(0o700)
    assert count_lines(caplog, "another user's process has connected") == 1
    check_order(there, member)


@ROOT_ONLY
def test_a_socket_of_another_user(make, make_process, directory, caplog):
    """It is sent nothing, though somebody has put it there."""
    directory.mkdir(mode=0o700)
    foreign, here = make_process(), make()
    member = make().join("a")
    directory.chmod(0o777)
    foreign.do("become", NOBODY)
    foreign.begin("catch", str(directory / "1.01234567.sock"))
    wait_until(lambda: len([*directory.glob("*.sock")]) == 2, "it listens")
    directory.chmod(0o700)
    check_order(here, member)
    foreign.process.stdin.close()
    assert foreign.answer() == 0


def test_the_directory_is_removed_meanwhile(make, make_process, directory, wait_for_files):
    """As what cleans temporary directories does: all find each other again, and newcomers all."""
    here, there = make(), make_process()
    member = here.join("a")
    there.do("join", "a")
    there.do("send", "a", "1")
    here.publish("a", "2")
    gone = directory.rename(directory.parent / "gone")  # in one step: they make it anew at any time
    shutil.rmtree(gone)
    here.publish("a", "3")  # connections stay
    there.do("send", "a", "4")
    wait_for_files(2)
    newcomer = make()
    last = newcomer.join("a")
    newcomer.publish("a", "5")
    assert set(there.do("take", "a", 5)) == {"1", "2", "3", "4", "5"}
    there.do("send", "a", "6")
    here.publish("a", "7")
    assert [member.next() for _ in range(2)] == ["1", "4"]
    assert {member.next(), member.next()} == {"5", "6"}
    assert set(there.do("take", "a", 2)) == {"6", "7"}
    assert {last.next(), last.next()} == {"6", "7"}
    assert there.do("count", "a") == 0  # nothing twice


@pytest.mark.parametrize("suffix", [".lock", ".sock"])
def test_a_file_is_removed_meanwhile(make, directory, wait_for_files, suffix):
    member = make().join("a")
    [file] = directory.glob(f"*{suffix}")
    file.unlink()
    wait_until(file.exists, "it is there again", 20)
    sender = make()

    def reaches():
        sender.publish("a", "probe")
        return member.count()

    wait_until(reaches, "others find it", 20)  # its other file may be made anew, too
    sender.publish("a", "the last probe")
    while member.next() != "the last probe":
        pass
    check_order(sender, member)


def test_another_takes_the_place_of_the_directory(make, directory, caplog):
    """One that others may write to: nobody is sent anything there, and it is said."""
    make().join("a")
    here = make()
    here.publish("a", "1")
    directory.rename(directory.parent / "away")
    directory.mkdir()
    directory.chmod(0o777)
    newcomer = make_unchecked(here)
    newcomer.publish("a", "2")
    assert count_lines(caplog, "its mode is 0777") >= 1


def make_unchecked(peer):
    """One that has found the directory in order, and has not looked into it yet."""
    peer.backend._channel._peers.clear()
    return peer


@ROOT_ONLY
def test_a_full_disk(make, directory, wait_for_files):
    """Nobody can listen then, which is tried until it can."""
    directory.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "nr_inodes=4,mode=0700", "none", str(directory)],
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        fillers = []
        with suppress(OSError):
            while True:
                filler = directory / f"filler{len(fillers)}"
                filler.touch()
                fillers.append(filler)
        here, there = make(), make()
        member = here.join("a")
        there.publish("a", "nobody hears this")
        for filler in fillers:
            filler.unlink()
        wait_for_files(1)
        check_order(there, member)
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_no_descriptor_is_left(make, make_process, directory):
    """Neither to listen nor to send: both are tried again, and nobody else notices."""
    process = make_process(before=("prlimit", "--nofile=64"))
    process.do("send", "a", "0")  # it has what it needs
    member = make().join("a")
    process.do("send", "a", "1")
    process.do("exhaust", True)
    process.do("send", "a", "2")
    newcomer = make().join("a")
    process.do("send", "a", "3")
    process.do("join", "b")
    process.do("exhaust", False)
    process.do("send", "a", "4")
    assert [member.next() for _ in range(4)] == ["1", "2", "3", "4"]
    assert newcomer.next() == "4"
    wait_until(lambda: len([*directory.glob("*.sock")]) == 3, "it listens", 20)
    make().publish("b", "5")
    assert process.do("take", "b", 1) == ["5"]
    assert process.said().count("Nobody can see which other processes") == 1
    assert process.said().count("does not get what other processes") == 1


def test_no_thread_is_left(make, make_process, tmp_path, wait_for_files):
    """Neither to listen, nor to hear one more, nor to wait for one that is slow."""
    flag = tmp_path / "no threads"
    flag.write_text("dwebsocket-machine")
    process = make_process(NO_THREADS=str(flag))
    process.do("join", "a")
    assert "does not get what other processes" in process.said()
    flag.unlink()
    process.do("join", "a")  # tries at once
    wait_for_files(1)
    flag.write_text("dwebsocket-machine")
    here = make()
    here.publish("a", "1")
    process.do("join", "b")
    assert process.do("count", "a") == 0
    flag.unlink()
    assert process.do("take", "a", 1) == ["1"]
