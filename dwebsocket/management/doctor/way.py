"""The whole way to an address, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .connection import Answer, Connection, Ended, shake_hands
from .findings import Finding
from .opened import examine_handshake, examine_idle, examine_latency, explain_end
from .reaching import Unreachable, reach
from .refused import explain_refusal
from .sizes import examine_size
from .visit import Visit

__all__ = ["Trials", "examine_way"]


@dataclass(frozen=True)
class Trials:
    """What is tried besides what costs next to nothing.

    Attributes:
        idle: seconds of silence; ``None``: not tried.
        sizes: whether long messages are sent.
        size: bytes of them; ``None``: the setting's.
    """

    idle: float | None = None
    sizes: bool = False
    size: int | None = None


def examine_way(visit: Visit, trials: Trials) -> Iterator[Finding]:
    """Each step, until one leads nowhere."""
    steps: list[Finding] = []
    try:
        sock = reach(visit, steps)
    except Unreachable as error:
        yield from [*steps, error.finding]
        return
    yield from steps
    opened = shake_hands(sock, visit)
    if isinstance(opened, Answer):
        yield from explain_refusal(visit, opened)
        return
    yield from examine_handshake(visit, opened)
    yield from examine_opened(visit, opened, trials)


def examine_opened(visit: Visit, connection: Connection, trials: Trials) -> Iterator[Finding]:
    """What an open WebSocket carries, while the view stays."""
    try:
        yield examine_latency(connection)
        if trials.idle is not None:
            yield examine_idle(connection, trials.idle)
    except Ended as end:
        yield explain_end(end)
        connection.hang_up()
        return
    connection.close()
    if trials.sizes:
        yield from examine_size(visit, trials.size)
