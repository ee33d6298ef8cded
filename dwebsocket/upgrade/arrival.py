"""What has arrived of a request, told in its refusal to whoever asks with the project's own key.

``manage.py websocket_doctor`` compares it with what it has sent. Nothing is decided by it: a
request that asks is refused, or accepted, as any other. Told is only what that very request has
brought: who repeats the question of somebody else learns what became of their own handshake.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest

from dwebsocket.backends import get_usable_factory

__all__ = ["HEADER", "MARK", "describe_arrival", "sign_question"]

#: The header that asks.
HEADER = "X-Websocket-Doctor"
#: What the line begins with that answers.
MARK = "Arrived: "

#: Seconds for which a question holds: clocks differ.
MAX_AGE = 300
#: Characters of a value that are told.
MAX_TOLD = 200
QUESTION = "what arrived?"

#: What the handshake and the site's own origin depend on; no cookie, no password.
TOLD = (
    *("Connection", "Upgrade", "Host", "Origin"),
    *("Sec-WebSocket-Key", "Sec-WebSocket-Version"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"),
    *("X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded", "Via"),
)


def sign_question() -> str:
    """The value of ``HEADER`` that the project's servers answer for some minutes."""
    return create_signer().sign(QUESTION)


def describe_arrival(request: HttpRequest) -> str:
    """A line for the refusal of a request that asks, and has the key; else nothing."""
    asked = request.META.get(name_in_meta(HEADER))
    if asked is None:
        return ""
    try:
        if create_signer().unsign(asked, max_age=MAX_AGE) != QUESTION:
            return ""
    except BadSignature:
        return ""
    return f"{MARK}{json.dumps(find_arrival(request))}\n"


def find_arrival(request: HttpRequest) -> dict[str, Any]:
    named = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    meta = request.META
    headers = {name: meta.get(name_in_meta(name)) for name in TOLD}
    return {
        "protocol": get_usable_factory(request).get_http_version(),
        "scheme": request.scheme,
        "headers": {name: value[:MAX_TOLD] for name, value in headers.items() if value is not None},
        "secure_header": named and [*named, meta.get(named[0], "")[:MAX_TOLD]],
    }


def name_in_meta(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def create_signer() -> TimestampSigner:
    return TimestampSigner(salt="dwebsocket.doctor")
