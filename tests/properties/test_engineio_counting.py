"""The counting: whatever breaks, each message arrives once, in order; and memory is given back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dwebsocket.protocol.engineio import Outgoing, WrongCount


class Breaking(RuleBasedStateMachine):
    """A client whose carriers break; what it has got it has counted."""

    def __init__(self):
        super().__init__()
        self.outgoing = Outgoing(keeps=True)
        self.sent, self.got, self.on_the_way = [], [], []

    @rule()
    def send(self):
        self.sent.append(f"4{len(self.sent)}")
        self.outgoing.put(self.sent[-1])

    @rule()
    def carry(self):
        self.on_the_way += self.outgoing.take()

    @rule(share=st.floats(0, 1))
    def arrive(self, share):
        count = int(len(self.on_the_way) * share)
        self.got += self.on_the_way[:count]
        del self.on_the_way[:count]

    @rule()
    def break_and_come_back(self):
        self.on_the_way.clear()
        self.outgoing.rewind(len(self.got))

    @rule()
    def tell(self):
        self.outgoing.trim(len(self.got))

    @precondition(lambda self: len(self.got) > 1)
    @rule()
    def tell_what_is_old(self):
        self.outgoing.trim(len(self.got) - 1)

    @rule()
    def lie(self):
        with pytest.raises(WrongCount):
            self.outgoing.trim(self.outgoing.taken + 1)

    @invariant()
    def in_order(self):
        assert self.got == self.sent[: len(self.got)]
        assert self.outgoing.trimmed <= len(self.got) <= self.outgoing.taken <= len(self.sent)

    @invariant()
    def memory(self):
        assert (self.outgoing.size == 0) == (self.outgoing.trimmed == len(self.sent))

    def teardown(self):
        self.break_and_come_back()
        self.carry()
        self.arrive(1)
        assert self.got == self.sent
        self.tell()
        assert self.outgoing.size == 0


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=40, stateful_step_count=30)


@given(st.lists(st.text(max_size=5)))
def test_without_keeping_it_is_counted_only(texts):
    outgoing = Outgoing(keeps=False)
    for text in texts:
        outgoing.put("4" + text)
    assert outgoing.take() == ["4" + text for text in texts]
    assert (outgoing.size > 0) == bool(texts)
    outgoing.trim(len(texts))
    assert (outgoing.size, outgoing.waits) == (0, False)


def test_who_has_said_more_cannot_go_back():
    outgoing = Outgoing(keeps=True)
    for _ in range(3):
        outgoing.put("4x")
    outgoing.take()
    outgoing.trim(2)
    with pytest.raises(WrongCount):
        outgoing.rewind(1)
    outgoing.rewind(2)
    assert outgoing.take() == ["4x"]


def test_what_is_dropped_is_gone():
    outgoing = Outgoing(keeps=True)
    outgoing.put("4x")
    outgoing.drop()
    assert (outgoing.take(), outgoing.size) == ([], 0)
