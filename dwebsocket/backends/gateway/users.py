"""Whose connection it is: who has been logged out meanwhile does not go on with it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from dwebsocket.protocol.exceptions import InvalidHandshake

__all__ = ["AnotherUser", "check_same_user", "find_user"]


class AnotherUser(InvalidHandshake):
    """A connection is taken over whose user has been logged out, or is another one."""

    status_code = 403


def find_user(request: HttpRequest) -> str | None:
    """The primary key of the user who is logged in, as text. Asks the database, unless the request
    has no session.
    """
    user = getattr(request, "user", None)
    if user is None or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    return str(user.pk) if user.is_authenticated else None


def check_same_user(request: HttpRequest, user: str | None) -> None:
    """See to it that it is the same one.

    Raises:
        AnotherUser: it is not.
    """
    if user is not None and find_user(request) != user:
        raise AnotherUser("This connection belongs to a user who is not logged in any more.")
