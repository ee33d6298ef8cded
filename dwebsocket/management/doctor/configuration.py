"""What the settings say: the system checks, middleware, what carries groups."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from dwebsocket.checks import check_contexts, check_groups, check_middleware, check_settings
from dwebsocket.conf import DEFAULT_GROUPS, conf
from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.current import create_backend, find_obstacle, load_class
from dwebsocket.groups.members import Members
from dwebsocket.middleware import find_skipped_middleware, has_middleware

from .findings import Finding, fault, ok, warning
from .meeting import examine_meeting, find_meeting_place

__all__ = ["examine_configuration", "reaches_all_processes"]

#: A group that nobody is a member of.
NOBODY = "dwebsocket-doctor"

WITHOUT = "WebSocketMiddleware is not in MIDDLEWARE: decorators do without."


def examine_configuration() -> Iterator[Finding]:
    """What is wrong by the system checks is not looked at again."""
    yield from examine_settings()
    yield examine_middleware()
    yield from examine_groups()


def examine_settings() -> Iterator[Finding]:
    """The system checks, but for those that are silenced."""
    try:
        checks = (check_settings, check_middleware, check_groups, check_contexts)
        messages = [one for check in checks for one in check() if not one.is_silenced()]
    except ImportError:  # of middleware, whose own finding says so
        return
    yield from map(as_finding, messages)
    if not messages:
        yield ok("settings", "The system checks have no complaint.")


def as_finding(message: CheckMessage) -> Finding:
    make = warning if isinstance(message, CheckWarning) else fault
    return make("settings", f"({message.id}) {message.msg}", message.hint or "")


def examine_middleware() -> Finding:
    """Where ours stands."""
    try:
        if not has_middleware():
            return ok("middleware", WITHOUT)
        skipped = find_skipped_middleware()
    except ImportError as error:
        return fault("middleware", f"MIDDLEWARE cannot be imported: {error}.", "Correct it.")
    if skipped:
        return warning(
            "middleware",
            f"{', '.join(skipped)} comes after WebSocketMiddleware, which refuses to pass it by: "
            "WebSockets of views that are marked, and not decorated, get 500.",
            "Move 'dwebsocket.middleware.WebSocketMiddleware' to the end of MIDDLEWARE.",
        )
    return ok("middleware", f"WebSocketMiddleware guards {len(settings.MIDDLEWARE) - 1} others.")


def reaches_all_processes() -> bool:
    """Whether a group's message gets to the members in other processes; true if nobody knows."""
    try:
        if conf.GROUPS is DEFAULT_GROUPS:
            return find_obstacle() is None
        return load_class(conf.GROUPS).shared
    except ImproperlyConfigured:
        return True


def examine_groups() -> Iterator[Finding]:
    """Whether what carries groups can be reached: a message is sent to nobody."""
    try:
        obstacle = find_obstacle() if conf.GROUPS is DEFAULT_GROUPS else None
        if obstacle is not None:
            yield warning(
                "groups",
                f"Groups reach the members in the sender's own process only: {obstacle}.",
                "Say WEBSOCKET_RUN_DIR, or choose 'dwebsocket.groups.redis.RedisGroupBackend'.",
            )
            return
        backend = create_backend(conf.GROUPS, Members())
    except ImproperlyConfigured:  # dwebsocket.E016, E023
        return
    name = type(backend).__name__
    try:
        if not backend.shared:
            yield ok("groups", f"{name} reaches the members in the sender's own process.")
            return
        if find_meeting_place(backend) is not None:
            yield from examine_meeting(backend)
            return
        started = time.monotonic()
        backend.publish(NOBODY, "")
        yield ok("groups", f"{name} is reached, in {time.monotonic() - started:.3f} s.")
    except GroupUnavailable as error:
        yield fault(
            "groups",
            f"{name} is not reached: {error.__cause__ or error}.",
            "Start it, or correct LOCATION in WEBSOCKET_GROUPS. Until then messages get to the "
            "members in the sender's own process only.",
        )
    finally:
        backend.close()
