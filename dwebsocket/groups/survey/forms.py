"""What a question and an answer look like on their way."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = [
    "QUESTIONS",
    "Answer",
    "Process",
    "Question",
    "check_name",
    "name_for_answers",
    "name_for_relay",
]

#: How the names of our own groups begin: no group of a site may.
RESERVED = "\0dwebsocket:"
QUESTIONS = f"{RESERVED}questions"
RELAY = f"{RESERVED}relay:"

#: Bytes of an answer, unpacked: far more than one has.
MAX_SIZE = 64 << 20


def check_name(name: str) -> None:
    """Raise ``ValueError`` for a name that is ours: clients choose names of groups, and could ask,
    or answer, by them.
    """
    if name.startswith(RESERVED):
        raise ValueError(f"the name of a group cannot begin with {RESERVED!r}, this is {name!r}")


def name_for_answers(question: str) -> str:
    """The group in which the answers to a question come."""
    return f"{RESERVED}answers:{question}"


def name_for_relay(process: str) -> str:
    """The group in which a process gets what others relay to it."""
    return f"{RELAY}{process}"


class Process(NamedTuple):
    """A process of the site.

    Attributes:
        host: the name of its machine; ``None`` where that is not known.
        pid: its number there; ``None``: not known.
        name: what the backend of groups knows it by; ``None``: that knows no names.
    """

    host: str | None = None
    pid: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "a process that is not known by name"
        return str(self.pid) if self.host is None else f"{self.host}:{self.pid}"


class Question(NamedTuple):
    """What is asked.

    Attributes:
        id: a random text.
        what: what is to be told, or done.
        args: what with.
    """

    id: str
    what: str
    args: Mapping[str, Any]

    def pack(self) -> str:
        """The text that is sent."""
        return json.dumps(self)

    @classmethod
    def unpack(cls, text: object) -> Question:
        """What ``pack`` has made.

        Raises:
            ValueError: it is none.
        """
        found = json.loads(text) if isinstance(text, str) else None
        if isinstance(found, list) and len(found) == 3:
            one = cls(*found)
            if isinstance(one.id, str) and isinstance(one.what, str) and isinstance(one.args, dict):
                return one
        raise ValueError("this is no question")


class Answer(NamedTuple):
    """One part of what a process answers.

    Attributes:
        process: who answers.
        rows: what it says.
        is_last: whether this is all.
    """

    process: Process
    rows: list[Any]
    is_last: bool

    def pack(self) -> bytes:
        """The bytes that are sent."""
        return zlib.compress(json.dumps(self, ensure_ascii=False).encode(), 1)

    @classmethod
    def unpack(cls, data: object) -> Answer:
        """What ``pack`` has made.

        Raises:
            ValueError: it is none.
        """
        try:
            unpacking = zlib.decompressobj()
            text = unpacking.decompress(data, MAX_SIZE)  # type: ignore[arg-type]
            process, rows, is_last = json.loads(text)
            host, pid, name = process
        except (zlib.error, TypeError) as error:
            raise ValueError(f"this is no answer: {error}") from error
        return cls(Process(host, pid, name), list(rows), bool(is_last))
