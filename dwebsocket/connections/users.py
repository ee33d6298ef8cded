"""The user of a request, if that is known: nobody is asked for it."""

from __future__ import annotations

from typing import Any

from django.utils.functional import LazyObject, empty

__all__ = ["find_known_user", "key_of", "name_of"]


def find_known_user(request: Any) -> Any:
    """The user whom somebody has looked up already; ``None``: none is known, or nobody is logged
    in.
    """
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user.__dict__.get("_wrapped", empty) is empty:
        user = getattr(request, "_acached_user", None)  # by request.auser()
    if user is None or not getattr(user, "is_authenticated", False):
        return None
    return user


def name_of(user: Any) -> str:
    """Its name."""
    return str(user.get_username() if hasattr(user, "get_username") else user)


def key_of(user: Any) -> str | None:
    """Its primary key, as text; of what is no user but a key already, that."""
    key = getattr(user, "pk", None if hasattr(user, "is_authenticated") else user)
    return None if key is None else str(key)
