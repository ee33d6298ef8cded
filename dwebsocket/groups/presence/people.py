"""Keys and what is told of them: how they look to who uses them, and on their way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from reprlib import repr as shorten
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder

__all__ = ["MAX_INFO", "Key", "People", "check_key", "decode", "encode_info", "encode_key"]

Key = str | int

#: Characters of a key.
MAX_KEY = 256

#: Bytes of an info as JSON.
MAX_INFO = 4096


class People(dict[Any, Any]):
    """Some of those who are present, each key with its info.

    Attributes:
        group: the group's name.
        count: how many keys are present, in all.
    """

    __slots__ = ("count", "group")

    def __init__(self, group: str, count: int, found: Mapping[Key, Any]) -> None:
        super().__init__(found)
        self.group = group
        self.count = count


def check_key(key: Any) -> Key:
    """The key as it is kept.

    Raises:
        TypeError: it is neither text nor a whole number, nor a UUID.
        ValueError: it is too long.
    """
    if isinstance(key, UUID):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        found: Key = int(key)
    elif isinstance(key, str):
        found = str(key)
    else:
        hint = ": that of nobody who is logged in, perhaps" if key is None else ""
        raise TypeError(
            f"key is {shorten(key)}{hint}; it must be a str or an int, such as request.user.pk"
        )
    if len(found) > MAX_KEY if isinstance(found, str) else abs(found) >= 10**MAX_KEY:
        raise ValueError(f"the key is longer than {MAX_KEY} characters")
    return found


def encode_key(key: Key) -> str:
    """A key's text, which tells its type, too."""
    return json.dumps(key)


def encode_info(info: Any) -> str:
    """An info's text.

    Raises:
        TypeError: it is not JSON.
        ValueError: it is too long, or has a number that is not JSON.
    """
    try:
        text = json.dumps(info, cls=DjangoJSONEncoder, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise TypeError(f"info is {shorten(info)}, which cannot be JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"info is {shorten(info)}, which cannot be JSON: {error}") from error
    if len(text) > MAX_INFO:
        raise ValueError(
            f"info has {len(text)} bytes as JSON, at most {MAX_INFO} are kept: it is sent to "
            "everybody, so say there only who it is"
        )
    return text


def decode(text: str) -> Any:
    """What ``encode_key`` or ``encode_info`` has made a text of."""
    return json.loads(text)
