"""What is changed after the 101 and reaches nobody: no response follows that could carry a cookie,
and once the request has ended no middleware saves a session or stores a message.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from dwebsocket.running import database
from dwebsocket.supervisor import log_failure
from dwebsocket.upgrade.lost_upgrade import name_of

__all__ = ["LastResponse", "tell_of_late_response", "tell_of_unsaved"]

logger = logging.getLogger("dwebsocket.connection")

COOKIES = (
    "%s has sent its 101, and then %s was set: no response brings it to the client. Have the page "
    "that opens the WebSocket set cookies and begin sessions, or hand them to "
    "accept(headers={'Set-Cookie': …}); show messages by sending them. (Of this view it is said "
    "once.)"
)
UNSAVED = (
    "%s has changed %s after its request had ended, and nobody saves that any more: call "
    "request.session.save(), and set request.session.modified = False; show messages by sending "
    "them. (Of this view it is said once.)"
)

ANSWER = (
    "%s has sent its 101, and then answered with HTTP %d, which nobody gets: its client sees a "
    "WebSocket that is closed. What refuses, such as login_required, belongs above the decorator "
    "that accepts the WebSocket; what the view has to say it sends as a message. (Of this view it "
    "is said once.)"
)

#: The attribute of requests that have ended, and their connections have not.
ENDED = "_websocket_goes_on"

#: The views of which it has been told, and of what.
told: set[tuple[str, str]] = set()


class LastResponse(HttpResponse):
    """The response of a request that became a WebSocket: the client has had its answer.

    Args:
        goes_on: whether the connection does so when the request has ended.
    """

    status_code = 101

    def __init__(self, request: HttpRequest, *, goes_on: bool = False) -> None:
        super().__init__()
        self._request: HttpRequest | None = request
        self._goes_on = goes_on

    def close(self) -> None:
        """All middleware has seen the response.

        (Not at its deletion: any thread may run into that, amid another client's query.)
        """
        request, self._request = self._request, None
        if request is not None:
            tell_of_late_response(request, self)
            if self._goes_on:
                never_failing(take_as_saved, request)
        super().close()
        database.forget_all()  # the thread's next request is another client's


def tell_of_late_response(request: HttpRequest, response: Any) -> None:
    """Log what is lost with a response that nobody gets: cookies, unless the client has them, and
    what it says.
    """
    if isinstance(response, HttpResponseBase):
        never_failing(tell_of_cookies, request, response)
        never_failing(tell_of_late_answer, request, response)


def tell_of_late_answer(request: HttpRequest, response: Any) -> None:
    status = response.status_code
    # A template that has not been rendered, or a stream, is something to read, too.
    says_nothing = getattr(response, "is_rendered", True) and not getattr(response, "content", True)
    if status >= 300 or not says_nothing:
        tell_once(request, "answer", ANSWER, status)


def tell_of_cookies(request: HttpRequest, response: HttpResponseBase) -> None:
    names = [
        name
        for name, cookie in response.cookies.items()
        if cookie.value != request.COOKIES.get(name, "")
    ]
    if names:
        listed = ", ".join(sorted(names))
        tell_once(request, "cookies", COOKIES, f"the cookie {listed}")


def take_as_saved(request: Any) -> None:
    """Take what was changed until now as seen to by the middleware."""
    setattr(request, ENDED, True)
    for changed, mark in find_marks(request).values():
        if getattr(changed, mark, False):
            setattr(changed, mark, False)


def tell_of_unsaved(request: Any) -> None:
    """A connection ends whose request did long ago: log what was changed in between."""
    never_failing(tell_if_unsaved, request)


def tell_if_unsaved(request: Any) -> None:
    if not hasattr(request, ENDED):  # the middleware is still to come
        return
    for what, (changed, mark) in find_marks(request).items():
        if getattr(changed, mark, False) is True:
            tell_once(request, what, UNSAVED, what)


def find_marks(request: Any) -> dict[str, tuple[Any, str]]:
    """Django's objects, and their attributes that tell of changes."""
    return {
        "its session": (getattr(request, "session", None), "modified"),
        "its messages": (getattr(request, "_messages", None), "added_new"),
    }


def tell_once(request: Any, kind: str, text: str, *args: Any) -> None:
    match = request.resolver_match
    name = "A WebSocket view" if match is None else name_of(match.func)
    if (name, kind) not in told:
        told.add((name, kind))
        logger.warning(text, name, *args)


def never_failing(function: Callable[..., None], *args: Any) -> None:
    """Call what only tells: nobody's end, whatever a site has made of its requests."""
    try:
        function(*args)
    except Exception:
        log_failure("Looking for what a WebSocket has changed too late failed")
