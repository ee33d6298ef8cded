"""What is sent arrives once and in order at all processes; nobody waits for one that is slow."""

import os
import signal
import time
from collections import deque
from threading import Thread

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.machine.peer import MAX_WAITING

from ..groups.peers import TIMEOUT, check_order
from ..servers.process import freeze, wait_until

MANY = int(os.environ.get("DWEBSOCKET_TEST_SENDERS", "300"))


def numbers(count):
    return [str(number) for number in range(count)]


def test_processes_hear_each_other(make, make_process):
    one, other = make(), make_process()
    member = one.join("a")
    other.do("join", "a")
    one.publish("a", "from here")
    assert other.do("take", "a", 1) == ["from here"]
    other.do("send", "a", "from there")
    assert member.next() == "from there"
    assert other.do("take", "a", 1) == ["from there"]


def test_thirty_processes(make):
    peers = [make() for _ in range(30)]
    members = [peer.join("a") for peer in peers]
    check_order(peers[0], *members[1:])
    for number, peer in enumerate(peers):
        peer.publish("a", str(number))
    for place, member in enumerate(members):
        expected = {str(number) for number in range(30)} - {str(place)}
        assert {member.next() for _ in expected} == expected


def test_many_senders_at_a_time(make):
    """Threads of several processes: what each of them sends comes in its order."""
    member = make().join("a")
    senders = [make() for _ in range(4)]

    def send(sender, name):
        for number in range(200):
            sender.publish("a", f"{name} {number}")

    threads = [
        Thread(target=send, args=(sender, f"{place}.{thread}"))
        for place, sender in enumerate(senders)
        for thread in range(5)
    ]
    for thread in threads:
        thread.start()
    found = {}
    for _ in range(4 * 5 * 200):
        name, _, number = member.next().partition(" ")
        found.setdefault(name, []).append(number)
    assert len(found) == 20
    assert all(got == numbers(200) for got in found.values())
    for thread in threads:
        thread.join(TIMEOUT)


def test_short_lived_senders(make, directory):
    """Cron jobs, shells: each comes, says one thing, and goes. They leave nothing behind."""
    listener = make()
    member = listener.join("a")
    for number in range(MANY):
        sender = make()
        sender.publish("a", str(number))
        sender.close()
    assert sorted(member.next() for _ in range(MANY)) == sorted(numbers(MANY))
    assert len([*directory.iterdir()]) == 2
    wait_until(lambda: not listener.backend._channel._listener._connections, "all have gone")


def test_long_messages(make, make_process):
    """They take turns with nobody, and what is behind them waits."""
    here, there = make(), make_process()
    there.do("join", "a")
    here.publish("a", "1".ljust(64 << 20, "-"))
    here.publish("a", "2")
    here.publish("a", "3".ljust(MAX_WAITING // 2, "-"))
    assert there.do("take", "a", 3) == ["1", "2", "3"]


def test_too_long_a_message(make):
    """The name of its group, which costs the test less than a message of 256 MiB."""
    make().join("a")
    here = make()
    with pytest.raises(GroupUnavailable, match=r"members in this process have got .* 65535"):
        here.publish("a" * (1 << 16), "text")
    assert here.backend.get_counts().unavailable == 1


def count_waiting(here, there):
    """Bytes that wait for a process."""
    peers = here.backend._channel._peers.values()
    return sum(peer._size for peer in peers if peer.name.startswith(f"{there.pid}."))


def wait_until_it_stands(count, below):
    """What is counted has begun to fall, and has not changed a hundred times in a row."""
    seen = deque(maxlen=100)

    def stands():
        seen.append(count())
        return len(seen) == 100 and len(set(seen)) == 1 and seen[0] < below

    wait_until(stands, "the rest waits", timeout=30)


def test_a_stopped_process_holds_nobody_up(make, make_process, caplog):
    """What is beyond its queue is lost to it, known to both sides, and said once."""
    here, well, stopped = make(), make(), make_process()
    member = well.join("a")
    stopped.do("join", "a")
    freeze(stopped.process.pid)
    size, count = 100_000, 3 * MAX_WAITING // 100_000
    longest = 0.0
    for number in range(count):
        begun = time.monotonic()
        here.publish("a", f"{number}".ljust(size, "-"))
        longest = max(longest, time.monotonic() - begun)
        assert member.next().rstrip("-") == str(number)
        if number == 20:  # the thread that writes makes no room any more
            wait_until_it_stands(lambda: count_waiting(here, stopped), below=21 * size)
    assert longest < 2
    lost = here.backend._channel.lost
    assert count / 2 < lost < count
    text = f"The process {stopped.pid} of this site does not take what is sent to it: "
    assert [text in record.getMessage() for record in caplog.records].count(True) == 1

    stopped.signal(signal.SIGCONT)
    assert stopped.do("take", "a", count - lost) == numbers(count - lost)
    here.publish("a", "last")  # behind the gap
    assert stopped.do("take", "a", 1) == ["last"]
    assert stopped.do("counts")["lost"] == lost


def test_a_slow_process_misses_nothing(make, make_process):
    here, slow = make(), make_process()
    slow.do("join", "a")
    freeze(slow.process.pid)
    for number in range(100):
        here.publish("a", f"{number}".ljust(100_000, "-"))
    slow.signal(signal.SIGCONT)
    assert slow.do("take", "a", 100) == numbers(100)
    wait_until(lambda: not any(p.is_busy for p in here.backend._channel._peers.values()), "sent")
    check_order_to(here, slow)  # directly again, without a thread between


def check_order_to(here, there):
    for number in range(100):
        here.publish("a", str(number))
    assert there.do("take", "a", 100) == numbers(100)


def test_a_process_that_ends_sends_what_waits(make, make_process):
    """Though nobody has read it yet; and it has nothing to say."""
    stopped, sender = make_process(), make_process()
    stopped.do("join", "a")
    freeze(stopped.process.pid)
    sender.do("send", "a", "long".ljust(1 << 20, "-"))
    sender.do("send", "a", "last")
    sender.process.stdin.close()
    time.sleep(0.1)  # it is about to end: nothing shows when
    stopped.signal(signal.SIGCONT)
    assert sender.process.wait(30) == 0
    assert sender.said() == ""
    assert stopped.do("take", "a", 2) == ["long", "last"]


def test_an_end_is_not_held_up_for_long(make, make_process):
    stopped, sender = make_process(), make_process()
    stopped.do("join", "a")
    freeze(stopped.process.pid)
    sender.do("send", "a", "long".ljust(1 << 20, "-"))
    assert sender.end() == 0
    stopped.signal(signal.SIGCONT)


def test_an_end_leaves_no_file(make_process, directory):
    process = make_process()
    process.do("join", "a")
    assert [file.suffix for file in sorted(directory.iterdir())] == [".lock", ".sock"]
    assert process.end() == 0
    assert process.said() == ""
    assert [*directory.iterdir()] == []


@pytest.mark.parametrize("who", ["a sender", "the next process"])
def test_what_a_killed_process_leaves_is_removed(make, make_process, directory, who):
    process, here = make_process(), make()
    process.do("join", "a")
    here.publish("a", "1")
    process.close()
    assert len([*directory.iterdir()]) == 2
    if who == "a sender":
        here.publish("a", "2")
    else:
        make().join("a")
        assert not [*directory.glob(f"{process.pid}.*")]
        here.publish("a", "2")
    wait_until(lambda: not [*directory.glob(f"{process.pid}.*")], "its files are removed")
    assert here.backend._channel.lost == 0


def test_a_file_that_a_claim_has_left_half_made_is_removed(make, directory):
    directory.mkdir(mode=0o700)
    for name in ("1.01234567.lock", "2.01234567.sock.new"):
        (directory / name).touch()
    make().join("a")
    assert {file.name.split(".")[0] for file in directory.iterdir()} == {str(os.getpid())}
