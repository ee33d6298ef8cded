"""What was handed out lately, and what is being sent."""

import threading

from dwebsocket.groups import Group, get_members, settle_own
from dwebsocket.groups.recent import Recent


class Slow:
    """A member that takes its time."""

    accepted = True
    _has_ended = False
    _hooks = _positions = None

    def __init__(self):
        self.taken, self.go_on = threading.Event(), threading.Event()

    def send_nowait(self, message):
        self.taken.set()
        assert self.go_on.wait(30)


def test_it_is_known_when_all_have_it():
    recent = Recent()
    _, before = recent.since(0)
    with recent.handing_out("a"):
        assert recent.since(before) == ([], before)
    found, count = recent.since(before)
    assert found == ["a"]
    with recent.handing_out("b"):
        pass
    assert recent.since(count) == (["b"], count + 1)


def test_what_is_being_sent_is_waited_for():
    slow = Slow()
    get_members().add("waited for", slow)
    sender = threading.Thread(target=Group("waited for").send, args=("text",))
    sender.start()
    try:
        assert slow.taken.wait(30)
        waiter = threading.Thread(target=settle_own, args=(30,))
        waiter.start()
        settle_own(0.01)  # not for ever
        assert waiter.is_alive()
        slow.go_on.set()
        waiter.join(30)
        assert not waiter.is_alive()
    finally:
        slow.go_on.set()
        sender.join(30)
        get_members().leave(slow)
