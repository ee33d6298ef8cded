"""What a proxy has made of a handshake: each header that was sent, beside what has arrived."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from .findings import Finding, fault
from .visit import Visit

__all__ = ["Arrival", "explain_lost", "explain_origin", "read_arrival"]

STEP = "handshake"

UPGRADE = "nginx: proxy_set_header Upgrade $http_upgrade;"
CONNECTION = (
    "nginx: proxy_set_header Connection $connection_upgrade; with, in http, "
    "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
)
VERSION = "nginx: proxy_http_version 1.1;"
HOST = "nginx: proxy_set_header Host $http_host;"
PROTO = "nginx: proxy_set_header X-Forwarded-Proto $scheme;"
SECURE = 'settings: SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").'

#: The words of our refusals, for a server that does not tell what has arrived: it has another
#: SECRET_KEY, or passes the answer's first line on only.
SAID = [
    ("has removed the Upgrade header", "The Upgrade header did not arrive.", UPGRADE),
    (
        "The Connection header is",
        "The Connection header did not arrive as it was sent.",
        CONNECTION,
    ),
    ("handshake is an HTTP/1.1 request", "The handshake has arrived as HTTP/1.0.", VERSION),
]
OWN = re.compile(r"this site is '(\w+)://([^']*)'")


@dataclass(frozen=True)
class Arrival:
    """What has arrived at the server; its fields are those of ``dwebsocket.upgrade.arrival``."""

    protocol: str
    scheme: str
    headers: dict[str, str]
    secure_header: list[str] | None

    def get(self, name: str) -> str:
        """The value of a header, as it is shown."""
        return self.headers.get(name, "")


def read_arrival(text: str) -> Arrival | None:
    """What a server has told; ``None`` if it is anything else, for it may be anybody's."""
    try:
        arrival = Arrival(**json.loads(text))
        secure = arrival.secure_header
        values = [arrival.protocol, arrival.scheme, *arrival.headers.values(), *(secure or "")]
    except (AttributeError, TypeError, ValueError):
        return None
    well = all(isinstance(value, str) for value in values) and (not secure or len(secure) == 3)
    return arrival if well else None


def explain_lost(visit: Visit, arrival: Arrival | None, said: str) -> Iterator[Finding]:
    """What has not arrived of that without which there is no handshake."""
    if arrival is None:
        for words, text, advice in SAID:
            if words in said:
                yield fault(STEP, text, advice)
        return
    if arrival.protocol.startswith("HTTP/2"):  # a proxy has made it one of RFC 8441
        return
    if arrival.protocol == "HTTP/1.0":
        yield fault(STEP, "The handshake has arrived as HTTP/1.0.", VERSION)
    for name, wanted, advice in (
        ("Upgrade", "websocket", UPGRADE),
        ("Connection", "upgrade", CONNECTION),
    ):
        value = arrival.get(name)
        if wanted not in value.lower():
            what = f"has arrived as {value!r}" if value else "has not arrived"
            yield fault(STEP, f"The {name} header {what}.", advice)
    for name in ("Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        if not arrival.get(name):
            yield fault(
                STEP,
                f"The {name} header has not arrived.",
                "The proxy must pass it on; if it speaks HTTP/2 to browsers, switch WebSockets "
                "over HTTP/2 off there.",
            )


def explain_origin(visit: Visit, arrival: Arrival | None, said: str) -> Iterator[Finding]:
    """The origin is refused: another page's, or the server does not know its own name."""
    own = OWN.search(said)
    if own is None:
        return
    scheme, host = own.groups()
    if host != visit.netloc:
        yield from explain_host(visit, arrival, host)
    if scheme != visit.scheme:
        yield explain_scheme(visit, arrival, scheme)
    if (scheme, host) == (visit.scheme, visit.netloc) or visit.origin != visit.site:
        yield fault(
            STEP,
            f"403: the origin {visit.origin} is another site's than {scheme}://{host}.",
            f"If its pages may connect: WEBSOCKET_ALLOWED_ORIGINS = [{visit.origin!r}].",
        )


def explain_host(visit: Visit, arrival: Arrival | None, host: str) -> Iterator[Finding]:
    forwarded = arrival.get("X-Forwarded-Host") if arrival else ""
    known = forwarded == visit.netloc
    advice = "settings: USE_X_FORWARDED_HOST = True. Or " if known else ""
    yield fault(
        STEP,
        f"403: the Host header has arrived as {host!r}, {visit.netloc!r} was sent: so the site's "
        "own pages are another origin's.",
        f"{advice}{HOST}",
    )


def explain_scheme(visit: Visit, arrival: Arrival | None, scheme: str) -> Finding:
    """The server takes https:// for http://, or the other way round."""
    text = f"403: the server takes {visit.scheme}:// for {scheme}://, another origin."
    setting = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    if arrival is not None:
        setting = arrival.secure_header
    if arrival is not None and setting and not setting[2]:
        return fault(STEP, f"{text} {as_header(setting[0])} has not arrived.", PROTO)
    if setting:
        return fault(STEP, text, PROTO)
    if arrival is not None and arrival.get("X-Forwarded-Proto") == visit.scheme:
        return fault(STEP, f"{text} Django does not heed X-Forwarded-Proto.", SECURE)
    return fault(STEP, text, f"{PROTO} {SECURE}")


def as_header(name: str) -> str:
    """The header that a name of ``request.META`` stands for."""
    return name.removeprefix("HTTP_").replace("_", "-").title()
