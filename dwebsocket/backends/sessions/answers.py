"""HTTP answers to polls, and what a request says of how it wants them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

__all__ = ["JSON", "UNKNOWN", "allow_origin", "build_preflight", "describe", "renderer"]

TEXT = "text/plain; charset=UTF-8"
JSON = "application/json"

#: Below this, compressing costs more than it saves.
MIN_COMPRESSED = 1024

#: Random bytes that hide how long a compressed answer would be: Django's own choice.
MAX_RANDOM = 100

#: Seconds for which a browser need not ask again whether a page of another site may poll.
PREFLIGHT_AGE = "600"


def describe(code: int, message: str) -> str:
    """A refusal, as Engine.IO has it."""
    return f'{{"code":{code},"message":"{message}"}}'


#: That of a session which nobody knows.
UNKNOWN = 1, "Session ID unknown"


def allow_origin(origin: str | None, response: HttpResponse) -> HttpResponse:
    """Let the page of another site, which may connect, read this answer."""
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = "X-DWebSocket-Debug, Retry-After"
        patch_vary_headers(response, ["Origin"])
    return response


def renderer(request: HttpRequest) -> Callable[[str, int], HttpResponse]:
    """What makes the answer to this request, which is not kept, of a text and a status."""
    meta = request.META
    accepts = "gzip" in meta.get("HTTP_ACCEPT_ENCODING", "").lower()
    return partial(render, accepts, meta.get("HTTP_ORIGIN"))


def render(accepts_gzip: bool, origin: str | None, text: str, status: int) -> HttpResponse:
    content = text.encode()
    compressed = accepts_gzip and len(content) >= MIN_COMPRESSED
    if compressed:
        content = compress_string(content, max_random_bytes=MAX_RANDOM)
    response = HttpResponse(content, status=status, content_type=TEXT if status < 400 else JSON)
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    patch_vary_headers(response, ["Accept-Encoding"])
    return allow_origin(origin, response)


def build_preflight(request: HttpRequest) -> HttpResponse:
    """The answer to a browser that asks whether the page of another site may poll."""
    response = HttpResponse(status=204)
    response.headers["Access-Control-Allow-Methods"] = "GET, POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Max-Age"] = PREFLIGHT_AGE
    return allow_origin(request.META.get("HTTP_ORIGIN"), response)
