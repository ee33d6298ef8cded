"""Why there was no 101: what the answer says, and what of the handshake has arrived."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from dwebsocket.upgrade.arrival import MARK

from .addresses import show_addresses
from .connection import Answer
from .findings import Finding, fault
from .lost_headers import Arrival, explain_lost, explain_origin, read_arrival
from .visit import Visit

__all__ = ["explain_refusal"]

STEP = "handshake"


@dataclass(frozen=True)
class Refusal:
    """An answer to a visit."""

    visit: Visit
    answer: Answer

    @property
    def status(self) -> int:
        return self.answer.status

    @cached_property
    def arrival(self) -> Arrival | None:
        """What the project's server says has arrived."""
        for line in self.answer.body.splitlines():
            if line.startswith(MARK):
                return read_arrival(line.removeprefix(MARK))
        return None

    @property
    def said(self) -> str:
        """The first line of a text; not of a page."""
        body = self.answer.body.strip()
        return "" if body.startswith("<") else body.partition("\n")[0][:300]

    @property
    def title(self) -> str:
        """What a page calls itself."""
        found = re.search(r"<title>([^<]*)</title>", self.answer.body, re.I)
        return found[1].strip() if found else ""

    @property
    def by(self) -> str:
        """Who has answered, as far as that is said."""
        server = self.answer.headers.get("Server")
        return f" (Server: {server})" if server else ""


def explain_refusal(visit: Visit, answer: Answer) -> list[Finding]:
    """The faults that have led to this answer; at least one."""
    refusal = Refusal(visit, answer)
    for rule in RULES:
        found = [*rule(refusal)]
        if found:
            return found
    said = refusal.said or refusal.title or "look at the log of the server that answers"
    return [refused(refusal, f"{said.rstrip('.')}.", "Page docs/errors.md explains it.")]


def refused(refusal: Refusal, why: str, advice: str) -> Finding:
    return fault(STEP, f"{refusal.status}{refusal.by}: {why}", advice)


def no_answer(refusal: Refusal) -> Iterator[Finding]:
    wrong = refusal.answer.wrong
    if refusal.status == 101:
        yield refused(
            refusal,
            f"the answer is no good 101: {wrong}.",
            "A proxy changes it, or the server chooses what was not offered.",
        )
    elif "HTTPS port" in refusal.answer.body:
        yield refused(refusal, "this port speaks TLS.", "Use wss://.")
    elif wrong:
        yield fault(
            STEP,
            f"There is no answer of HTTP: {wrong}.",
            "If the port speaks TLS use wss://; else look at the log of what listens there.",
        )


def lost_headers(refusal: Refusal) -> Iterator[Finding]:
    """By what has arrived, or else by what our texts say of it."""
    yield from explain_lost(refusal.visit, refusal.arrival, refusal.said)


def foreign_origin(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 403 and refusal.said.startswith("The Origin"):
        yield from explain_origin(refusal.visit, refusal.arrival, refusal.said)


def redirected(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status not in (301, 302, 303, 307, 308):
        return
    location = refusal.answer.headers.get("Location", "")
    visit = refusal.visit
    asked = f"{visit.site}{visit.uri.resource_name}"
    target = urljoin(asked, location)
    why = f"redirected to {location}, and browsers do not follow"
    if target.partition("?")[0] == f"{asked.partition('?')[0]}/":
        yield refused(refusal, f"{why}: the slash is missing (APPEND_SLASH).", "Add it.")
    elif target == asked:
        yield refused(
            refusal,
            f"{why}: the server takes this for http:// (SECURE_SSL_REDIRECT).",
            f"nginx: proxy_set_header X-Forwarded-Proto $scheme; {secure_setting()}",
        )
    elif urlsplit(target)._replace(scheme="http").geturl() == asked:
        yield refused(refusal, f"{why}.", "Use wss://.")
    else:
        yield refused(
            refusal, f"{why}.", "If it is a login: --cookie sessionid=… as your browser has it."
        )


def secure_setting() -> str:
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        return "SECURE_PROXY_SSL_HEADER is set here; restart the server if that is new."
    return 'settings: SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").'


def host_refused(refusal: Refusal) -> Iterator[Finding]:
    """Django's own 400, which says nothing else."""
    page = refusal.answer.body
    if refusal.status != 400 or not ("DisallowedHost" in page or "Bad Request (400)" in page):
        return
    host = split_domain_port(refusal.visit.netloc)[0]
    if validate_host(host, settings.ALLOWED_HOSTS or [".localhost", "127.0.0.1", "[::1]"]):
        yield refused(
            refusal,
            f"Django refuses the host. {host} is in ALLOWED_HOSTS, so another has arrived.",
            "nginx: proxy_set_header Host $http_host;",
        )
    else:
        yield refused(
            refusal,
            f"Django refuses the host: {host} is not in ALLOWED_HOSTS.",
            f"settings: ALLOWED_HOSTS = [{host!r}].",
        )


def not_found(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 404:
        path = refusal.visit.uri.path
        yield refused(refusal, f"there is no {path}.", show_addresses())


def answered_as_page(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status != 200:
        return
    if "upgrade" in refusal.answer.headers.get("Vary", "").lower():
        yield refused(
            refusal,
            "the view accepts WebSockets, and has answered as plain HTTP: the Upgrade header did "
            "not arrive, or a cache has answered.",
            "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
            "proxy_set_header Connection $connection_upgrade;",
        )
    else:
        yield refused(refusal, "this is a page, and no WebSocket.", show_addresses())


def not_accepted(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 400 and "does not accept WebSockets" in refusal.said:
        yield refused(refusal, refusal.said, f"Decorate the view. {show_addresses()}")


def cannot_carry(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 501:
        said = refusal.said or "this server carries no WebSockets."
        yield refused(refusal, said, "Take another server: docs/servers/index.md.")


def hidden(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 403 and not refusal.said:
        yield refused(
            refusal,
            "no reason is given. ASGI servers that keep their connections may answer so to every "
            "refusal; or middleware or a decorator of yours has refused.",
            "Look at the server's log. If it wants a login: --cookie sessionid=….",
        )


def not_now(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 503 and refusal.said:
        yield refused(refusal, refusal.said, "Raise what it names, or start more processes.")


def no_upstream(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status in (502, 503, 504):
        yield refused(
            refusal,
            "the proxy does not reach the server, or all of its threads are taken.",
            "Start the server, and compare its port with proxy_pass.",
        )


def failed(refusal: Refusal) -> Iterator[Finding]:
    if refusal.status == 500:
        yield refused(
            refusal,
            "an error in middleware, or a wrong setting.",
            "Look at the server's log; manage.py check tells wrong settings.",
        )


RULES: list[Callable[[Refusal], Iterator[Finding]]] = [
    *(no_answer, lost_headers, foreign_origin, redirected, host_refused, not_found),
    *(answered_as_page, not_accepted, cannot_carry, hidden, not_now, no_upstream, failed),
]
