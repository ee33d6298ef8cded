"""What a setting may hold.

``conf`` asks when it reads one, and ``manage.py check`` asks ``conf``: both say the same, and no
wrong value is ever used.

A validator takes the name and the value of a setting, and returns what the code works with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from dwebsocket.exceptions import InvalidWebSocketBackend

__all__ = [
    "MAX_SECONDS",
    "MAX_WHOLE",
    "Validator",
    "directory",
    "dotted_paths",
    "factory_path",
    "flag",
    "history_rules",
    "import_callable",
    "is_number",
    "is_whole",
    "optional",
    "origins",
    "seconds",
    "trusted_origins",
    "upload_size",
    "urlconf_path",
    "whole",
]

Value = TypeVar("Value")
Validator = Callable[[str, Any], Value]

#: Beyond, the system's calls that wait raise an error (24 days in milliseconds).
MAX_SECONDS = 1_000_000

#: More bytes than any message has, and room to count one further.
MAX_WHOLE = 1 << 62

#: An origin for all subdomains of a name: "https://*." alone would be one of half the world.
SUBDOMAINS = re.compile(r"[^*]+://\*\.[^*.:/][^*]*")

AN_ORIGIN = (
    "An origin is scheme://host or scheme://host:port, such as 'https://www.example.com' or "
    "'https://*.example.com'"
)


def is_number(value: Any) -> bool:
    """Whether it is a number that can be reckoned with; ``True`` is none, nor are NaN and inf."""
    return is_whole(value) or (isinstance(value, float) and isfinite(value))


def is_whole(value: Any) -> bool:
    """Whether it is an ``int``; ``True`` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def wrong(name: str, value: Any, wanted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}, it must be {wanted}.")


def flag(name: str, value: Any) -> bool:
    """``True`` or ``False``: the text ``"False"`` would be true."""
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")
    return value


def seconds(least: float | None = None) -> Validator[float]:
    """A number above 0, or of at least ``least``."""
    return bounded(is_number, "number of seconds", least, MAX_SECONDS)


def whole(least: int | None = None) -> Validator[int]:
    """An ``int`` above 0, or of at least ``least``."""
    return bounded(is_whole, "whole number", least, MAX_WHOLE)


def bounded(
    is_one: Callable[[Any], bool], what: str, least: float | None, most: float
) -> Validator[Any]:
    def validate(name: str, value: Any) -> Any:
        if not is_one(value) or not is_above(value, least):
            raise wrong(name, value, f"a {what} {above(least)}")
        if value > most:
            raise wrong(name, value, f"a {what} of at most {most}")
        return value

    return validate


def is_above(value: float, least: float | None) -> bool:
    return value > 0 if least is None else value >= least


def above(least: float | None) -> str:
    return "above 0" if least is None else f"of at least {least}"


def optional(validator: Validator[Value]) -> Validator[Value | None]:
    """The same, or ``None``."""

    def validate(name: str, value: Any) -> Value | None:
        if value is None:
            return None
        try:
            return validator(name, value)
        except ImproperlyConfigured as error:
            raise ImproperlyConfigured(str(error).removesuffix(".") + " or None.") from None

    return validate


def upload_size(name: str, value: Any) -> int:
    """Bytes. Django only compares with them: they may be 0, and ``2.5 * 1024 * 1024``."""
    if not is_number(value) or not 0 <= value <= MAX_WHOLE:
        what = "a number of bytes, which is WEBSOCKET_MAX_MESSAGE_SIZE if that is not set,"
        raise wrong(name, value, what)
    return int(value)


def origins(name: str, value: Any) -> list[str]:
    """A list of origins; ``"*"`` in it stands for all."""
    return list_origins(name, value, f"{AN_ORIGIN}; '*' allows every origin.", "*")


def trusted_origins(name: str, value: Any) -> list[str]:
    """A list of origins, in which ``"*"`` stands for nothing, as in Django's CSRF protection."""
    return list_origins(name, value, f"{AN_ORIGIN}.")


def list_origins(name: str, value: Any, hint: str, *others: str) -> list[str]:
    # A str is a list of characters, too, and "*" may be one of them.
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise wrong(name, value, "a list of origins")
    for origin in value:
        if origin not in others and not is_origin(origin):
            raise ImproperlyConfigured(f"{name} holds {origin!r}, which is no origin. {hint}")
    return list(value)


def is_origin(value: Any) -> bool:
    if not isinstance(value, str) or "://" not in value:
        return False
    return "*" not in value or SUBDOMAINS.fullmatch(value) is not None


def dotted_paths(name: str, value: Any) -> list[str]:
    """A list of dotted paths."""
    if not isinstance(value, (list, tuple)):
        raise wrong(name, value, "a list of dotted paths")
    for path in value:
        if not isinstance(path, str):
            raise ImproperlyConfigured(f"{name} holds {path!r}, which is no dotted path.")
    return list(value)


def import_callable(name: str, path: str, use: str) -> Callable[..., Any]:
    """What a dotted path in a setting names; ``use``: what is done with it.

    Raises:
        ImproperlyConfigured: it cannot be imported, or cannot be called.
    """
    try:
        found: Callable[..., Any] = import_string(path)
    except Exception as error:  # whatever an imported module does
        raise ImproperlyConfigured(
            f"{name} holds {path!r}, which cannot be imported: {error}."
        ) from error
    if not callable(found):
        raise ImproperlyConfigured(
            f"{name} holds {path!r}, which is no callable: an entry is called with {use}."
        )
    return found


def urlconf_path(name: str, value: Any) -> str | None:
    """A dotted path, or ``None``."""
    if value is not None and not (isinstance(value, str) and value):
        raise wrong(name, value, "the dotted path of a URLconf, or None")
    return value


def factory_path(name: str, value: Any) -> str | None:
    """A dotted path, or ``None``."""
    if value is not None and not isinstance(value, str):
        raise InvalidWebSocketBackend(
            f"{name} is {value!r}, it must be the dotted path of a class."
        )
    return value


def directory(name: str, value: Any) -> str | None:
    """The absolute path of a directory, which need not be there yet."""
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not Path(value).is_absolute():
        raise wrong(name, value, "the absolute path of a directory, such as '/run/mysite', or None")
    return str(os.fspath(value))


#: What a pattern of WEBSOCKET_GROUP_HISTORY may say, and what each must be.
RULES: dict[str, Validator[Any]] = {
    "size": bounded(is_whole, "whole number", 1, 100_000),
    "seconds": bounded(is_number, "number of seconds", None, 30 * 86_400),
    "cache": flag,
}


def history_rules(name: str, value: Any) -> dict[str, tuple[int, float, bool]]:
    """``{"room.*": {"size": 100, "seconds": 300, "cache": False}}``."""
    if not isinstance(value, dict):
        raise wrong(name, value, "a dictionary: {'room.*': {'size': 100, 'seconds': 300}}")
    return {check_pattern(name, key): history_rule(name, key, one) for key, one in value.items()}


def check_pattern(name: str, key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise wrong(f"A key of {name}", key, "the pattern of groups' names, such as 'room.*'")
    return key


def history_rule(name: str, key: str, value: Any) -> tuple[int, float, bool]:
    shown = f"{name}[{key!r}]"
    if not isinstance(value, dict) or not value.keys() & {"size", "cache"}:
        raise wrong(shown, value, "a dictionary with 'size', or 'cache': {'size': 100}")
    unknown = value.keys() - RULES.keys()
    if unknown:
        raise ImproperlyConfigured(
            f"{shown} has the key {min(map(repr, unknown))}; there are 'size', 'seconds' and "
            "'cache'."
        )
    given = {"size": 1, "seconds": 3600, "cache": False, **value}
    found = {one: RULES[one](f"{shown}[{one!r}]", given[one]) for one in RULES}
    return (found["size"], float(found["seconds"]), found["cache"])
