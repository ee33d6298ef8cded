"""Who is in which room, and what was said there last.

What is said goes to a group. What a newcomer has to know is kept in Django's cache, which all
processes share: in the database, or in Redis, wherever the settings say.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from django.core.cache import cache

from dwebsocket import Group
from dwebsocket.http import WebSocket

HISTORY = 50  # messages a newcomer is shown
LIFETIME = 24 * 60 * 60  # seconds after the last change of a room
LOCK_TIMEOUT = 5  # seconds, should whoever holds it be gone


@contextmanager
def changed(room: str) -> Iterator[dict[str, Any]]:
    """A room as it is; when the block ends, as the block has left it."""
    lock, key = f"chat.lock.{room}", f"chat.room.{room}"
    while not cache.add(lock, True, LOCK_TIMEOUT):
        time.sleep(0.005)
    try:
        state = cache.get(key) or {"people": {}, "change": 0, "history": []}
        yield state
        state["history"] = state["history"][-HISTORY:]
        cache.set(key, state, LIFETIME)
    finally:
        cache.delete(lock)


def people_of(state: dict[str, Any]) -> dict[str, Any]:
    """Who is here, with a number: of two such lists sent at once the higher one is right."""
    names = sorted((name for name, _ in state["people"].values()), key=str.casefold)
    return {"people": names, "change": state["change"]}


def forget_lost(state: dict[str, Any]) -> None:
    """Those whose process is no more have gone without a word. All are on this machine."""
    for person, (_, pid) in list(state["people"].items()):
        try:
            os.kill(pid, 0)
        except OSError:
            del state["people"][person]


def join(room: str, websocket: WebSocket, person: str, name: str) -> None:
    """Enter a room. The newcomer gets its history, everybody else hears of it."""
    group = Group(f"chat.{room}")
    group.add(websocket)
    with changed(room) as state:
        forget_lost(state)
        state["people"][person] = name, os.getpid()
        state["change"] += 1
        people, history = people_of(state), state["history"]
    websocket.send_json({"type": "welcome", **people, "history": history})
    group.send_json({"type": "joined", "name": name, **people}, exclude=websocket)


def say(room: str, author: str, name: str, text: str) -> None:
    """Show a message to everybody in the room, its author included."""
    message = {
        "type": "message",
        "id": uuid4().hex,
        "author": author,
        "name": name,
        "text": text,
        "time": datetime.now(timezone.utc).isoformat(),
    }
    with changed(room) as state:
        state["history"].append(message)
    Group(f"chat.{room}").send_json(message)


def leave(room: str, person: str, name: str) -> None:
    with changed(room) as state:
        if state["people"].pop(person, None) is None:
            return  # not in yet, or the cache has been emptied
        state["change"] += 1
        people = people_of(state)
    Group(f"chat.{room}").send_json({"type": "left", "name": name, **people})
