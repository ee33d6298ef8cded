"""Where we and others differ, on purpose: the frame, the two verdicts, and the reason.

Each says exactly when it applies. What comes before the frame in question must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..protocol.feeding import frame
from .peers import PEERS, End, Outcome, by_dwebsocket
from .streams import MAX_SIZE, lengthen
from .wire import BINARY, CLOSE, CONT, PING, TEXT, WireFrame, complete, dissect

PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009


class Case(NamedTuple):
    data: bytes
    ours: Outcome
    theirs: Outcome
    frames: list[WireFrame]  # up to the one that ended our connection, or all

    @property
    def last(self) -> WireFrame:
        return self.frames[-1]

    @property
    def codes(self) -> tuple[int | None, int | None]:
        """The codes we and they failed the connection with."""
        return failure_code(self.ours.end), failure_code(self.theirs.end)


class KnownDifference(NamedTuple):
    peer: str
    section: str
    reason: str
    applies: Callable[[Case], bool]
    example: bytes


def failure_code(end: End | None) -> int | None:
    return end.code if end is not None and end.failed else None


def passes_limit(wire: WireFrame) -> bool:
    """Whether ``websockets`` finds it too long: it counts every frame to the message."""
    return wire.length is not None and wire.length > MAX_SIZE - wire.size_before


def longer_form(case: Case) -> bool:
    return case.codes[0] == PROTOCOL_ERROR and not case.last.is_shortest


def limit_before_grammar(case: Case) -> bool:
    return case.codes == (PROTOCOL_ERROR, TOO_BIG) and passes_limit(case.last)


def close_inside_message(case: Case) -> bool:
    return (
        case.last.opcode == CLOSE
        and case.last.in_message
        and case.ours.end is not None
        and not case.ours.end.failed
        and case.codes[1] == PROTOCOL_ERROR
    )


def control_frame_counted(case: Case) -> bool:
    return case.codes[1] == TOO_BIG and any(
        wire.is_control and wire.length is not None and wire.length <= 125 and passes_limit(wire)
        for wire in case.frames
    )


def no_limit(case: Case) -> bool:
    last = case.last
    before = last.size_before if last.opcode == CONT else 0
    return (
        case.codes[0] == TOO_BIG
        and last.length is not None
        and before + last.length > MAX_SIZE
        and last.length < 1 << 63
        and not last.is_control
    )


def bad_gateway(case: Case) -> bool:
    end = case.ours.end
    return end is not None and end[:2] == (False, 1014) and case.codes[1] == PROTOCOL_ERROR


def both_wrong_in_close(case: Case) -> bool:
    payload = case.last.payload(case.data)
    return (
        case.last.opcode == CLOSE
        and case.codes == (INVALID_DATA, PROTOCOL_ERROR)
        and int.from_bytes(payload[:2], "big") not in range(3000, 5000)
    )


KNOWN_DIFFERENCES = [
    KnownDifference(
        "websockets",
        "5.2",
        "the length MUST be in the shortest form; websockets takes any",
        longer_form,
        lengthen(frame(TEXT, b"long"), 2, None),
    ),
    KnownDifference(
        "websockets",
        "5.2, 5.4, 5.5",
        "a frame that breaks the grammar is 1002 whatever its length; websockets looks at the "
        "length first, for it reads the frame to its end before it judges the rest",
        limit_before_grammar,
        frame(CONT, bytes(MAX_SIZE + 1)),
    ),
    KnownDifference(
        "websockets",
        "5.4, 5.5",
        "control frames, Close among them, MAY come between fragments; websockets fails on a Close",
        close_inside_message,
        frame(TEXT, b"half", fin=False) + frame(CLOSE, b"\x03\xe8"),
    ),
    KnownDifference(
        "websockets",
        "5.5, 7.4.1",
        "1009 is for a message that is too big; websockets counts the control frames inside it",
        control_frame_counted,
        frame(BINARY, bytes(MAX_SIZE), fin=False) + frame(PING, b"?") + frame(CONT),
    ),
    KnownDifference(
        "wsproto",
        "7.4.1, 10.4",
        "wsproto has no limit to the size of a message",
        no_limit,
        frame(BINARY, bytes(MAX_SIZE + 1)),
    ),
    KnownDifference(
        "wsproto",
        "7.4.1, 11.7",
        "1014, Bad Gateway, is registered with IANA; wsproto does not know it",
        bad_gateway,
        frame(CLOSE, b"\x03\xf6"),
    ),
    KnownDifference(
        "wsproto",
        "7.4.1, 8.1",
        "both the code and the reason of a Close are wrong: we name the reason, wsproto the code",
        both_wrong_in_close,
        frame(CLOSE, b"\x00\x00\xff"),
    ),
]


def differences(data: bytes, pieces: list[bytes], peer: str) -> tuple[Case, list[KnownDifference]]:
    """What ``peer`` makes of ``data`` beside us, and the known differences that explain it.

    The RFC does not say how early a breach must be noticed. We do at the first byte that shows it;
    where we failed on a frame that is not all there, the peer gets the rest of it, too.
    """
    ours = by_dwebsocket(pieces, MAX_SIZE)
    theirs = PEERS[peer](pieces, MAX_SIZE)
    end = len(data) if ours.end is None else length_judged(data)
    frames = [wire for wire in dissect(data) if wire.start < end]
    if failure_code(ours.end) is not None and theirs.end is None:
        whole = complete(data[: frames[-1].end], MAX_SIZE)
        theirs = PEERS[peer]([whole], MAX_SIZE)
        data, frames = whole, dissect(whole)[: len(frames)]
    case = Case(data, ours, theirs, frames)
    known = [item for item in KNOWN_DIFFERENCES if item.peer == peer and item.applies(case)]
    return case, known


def length_judged(data: bytes) -> int:
    """How many bytes we needed to end the connection."""
    low, high = 0, len(data)
    while low + 1 < high:
        middle = (low + high) // 2
        if by_dwebsocket([data[:middle]], MAX_SIZE).end is None:
            low = middle
        else:
            high = middle
    return high
