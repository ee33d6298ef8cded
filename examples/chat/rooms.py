"""Who is in which room of this process, and what was said there last.

For a site of several processes the members must be found through something they share; a plain
dictionary shows the idea with the least code.
"""

import threading
from collections import deque
from contextlib import suppress
from datetime import datetime, timezone
from uuid import uuid4

from dwebsocket import ConnectionClosed

HISTORY = 50  # messages a newcomer is shown

_rooms = {}
_lock = threading.Lock()  # guards _rooms and what is in them; never held while sending


class Room:
    def __init__(self, name):
        self.name = name
        self.members = {}  # websocket -> name of the person
        self.changes = 0  # of the members
        self.history = deque(maxlen=HISTORY)

    def people(self):
        """Who is here, with a number: of two such lists sent at once the higher one is right."""
        return {
            "people": sorted(self.members.values(), key=str.casefold),
            "change": self.changes,
        }


def join(room_name, websocket, name):
    """Enter a room. The newcomer gets its history, everybody else hears of it."""
    with _lock:
        room = _rooms.setdefault(room_name, Room(room_name))
        room.members[websocket] = name
        room.changes += 1
        people, history = room.people(), list(room.history)
    _send([websocket], {"type": "welcome", **people, "history": history})
    _broadcast(room, {"type": "joined", "name": name, **people}, but=websocket)
    return room


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
    with _lock:
        room.history.append(message)
    _broadcast(room, message)


def leave(room, websocket):
    with _lock:
        name = room.members.pop(websocket)
        room.changes += 1
        people = room.people()
        if not room.members:
            del _rooms[room.name]
    _broadcast(room, {"type": "left", "name": name, **people})


def _broadcast(room, event, but=None):
    with _lock:
        members = [member for member in room.members if member is not but]
    _send(members, event)


def _send(websockets, event):
    for websocket in websockets:
        with suppress(ConnectionClosed):  # its own view is about to take it out of the room
            websocket.send_json(event)
