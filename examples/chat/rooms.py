"""Who is in which room, and what was said there last.

What is said goes to a group. What a newcomer has to know is kept in Django's cache: in the memory
of one process, or in Redis for all of them, wherever the settings say.
"""

import time
from contextlib import contextmanager
from datetime import datetime, timezone
from uuid import uuid4

from django.core.cache import cache

from dwebsocket import Group

HISTORY = 50  # messages a newcomer is shown
LIFETIME = 24 * 60 * 60  # seconds after the last change of a room
LOCK_TIMEOUT = 5  # seconds, should whoever holds it be gone


@contextmanager
def changed(room):
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


def people_of(state):
    """Who is here, with a number: of two such lists sent at once the higher one is right."""
    names = sorted(state["people"].values(), key=str.casefold)
    return {"people": names, "change": state["change"]}


def join(room, websocket, person, name):
    """Enter a room. The newcomer gets its history, everybody else hears of it."""
    group = Group(f"chat.{room}")
    group.add(websocket)
    with changed(room) as state:
        state["people"][person] = name
        state["change"] += 1
        people, history = people_of(state), state["history"]
    websocket.send_json({"type": "welcome", **people, "history": history})
    group.send_json({"type": "joined", "name": name, **people}, exclude=websocket)


def say(room, author, name, text):
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


def leave(room, person, name):
    with changed(room) as state:
        if state["people"].pop(person, None) is None:
            return  # not in yet, or the cache has been emptied
        state["change"] += 1
        people = people_of(state)
    Group(f"chat.{room}").send_json({"type": "left", "name": name, **people})
