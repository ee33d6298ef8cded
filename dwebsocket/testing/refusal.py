"""What a test gets instead of a WebSocket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape

from django.utils.datastructures import CaseInsensitiveMapping

__all__ = ["WebSocketRefused", "join_headers"]

#: Characters of the answer that are repeated in the text.
MAX_QUOTED = 500

TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.I | re.S)


class WebSocketRefused(Exception):
    """The view, or something in front of it, answered the handshake with plain HTTP.

    Attributes:
        status_code: HTTP status.
        headers: the answer's headers; upper and lower case are the same.
        content: the answer's body.
        location: where the answer redirects to, or ``None``.
    """

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        super().__init__(status_code, content)
        self.status_code = status_code
        self.headers = CaseInsensitiveMapping(headers)
        self.content = content

    @property
    def location(self) -> str | None:
        location: str | None = self.headers.get("Location")
        return location

    def __str__(self) -> str:
        redirects = 300 <= self.status_code < 400 and self.location is not None
        told = [
            f"refused with {self.status_code}",
            f"redirected to {self.location}" if redirects else "",
            self._quote(),
        ]
        return ": ".join(filter(None, told))

    def _quote(self) -> str:
        """The body as text; of a page its title."""
        text = self.content.decode(errors="replace")
        title = TITLE.search(text)
        return (text if title is None else unescape(title[1]))[:MAX_QUOTED]


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their names; what came in several has commas between."""
    joined: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
