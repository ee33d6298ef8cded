"""Any stream of client bytes: the same messages, Pongs and verdict as two other implementations."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from .known_differences import KNOWN_DIFFERENCES, differences
from .peers import PEERS
from .streams import any_streams, good_streams, pieces

peers = pytest.mark.parametrize("peer", PEERS)


def starts_like(some: list, others: list) -> bool:
    shorter = min(len(some), len(others))
    return some[:shorter] == others[:shorter]


def check(data: bytes, cut: list[bytes], peer: str) -> None:
    case, known = differences(data, cut, peer)
    event(f"ours: {case.ours.end and case.ours.end[:2]}")
    if case.ours == case.theirs:
        return
    assert known, f"{peer} differs: {case}"
    event(f"known: {known[0].reason}")
    assert starts_like(case.ours.messages, case.theirs.messages), case
    assert starts_like(case.ours.replies, case.theirs.replies), case


@peers
@given(data=st.data())
def test_any_stream_gets_the_same_verdict(peer, data):
    stream = data.draw(any_streams)
    check(stream, data.draw(pieces(stream)), peer)


@peers
@given(data=st.data())
def test_good_stream_gives_the_same_messages(peer, data):
    stream = data.draw(good_streams().filter(bool))
    check(stream, data.draw(pieces(stream)), peer)


@pytest.mark.parametrize("known", KNOWN_DIFFERENCES, ids=lambda known: known.applies.__name__)
def test_known_difference_is_one(known):
    """So that none of them outlives its reason."""
    case, found = differences(known.example, [known.example], known.peer)
    assert case.ours != case.theirs
    assert known in found
