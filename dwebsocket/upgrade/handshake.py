"""The opening handshake of one request: it is checked, and accepted, in one place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from dwebsocket.backends import check_factory_class, get_factory
from dwebsocket.backends.query import is_engine
from dwebsocket.backends.runner import STAYING, Use
from dwebsocket.conf import conf
from dwebsocket.connections import answer_questions
from dwebsocket.groups.current import get_backend
from dwebsocket.protocol.handshake import select_subprotocol
from dwebsocket.running.call_contexts import CallContexts, find_contexts, load_contexts
from dwebsocket.running.known_middleware import check_known_middleware
from dwebsocket.upgrade.async_handler import check_middleware
from dwebsocket.upgrade.attachment import MARK
from dwebsocket.upgrade.connection_log import create_log
from dwebsocket.upgrade.origin import check_origin
from dwebsocket.upgrade.refusals import printable
from dwebsocket.upgrade.view import end
from dwebsocket.websocket import BaseWebSocket

__all__ = ["HandshakeOptions", "look_for_contexts", "open_websocket"]

logger = logging.getLogger("dwebsocket.handshake")


@dataclass(frozen=True)
class HandshakeOptions:
    """What a view asks for.

    Attributes:
        required: whether plain HTTP is refused.
        subprotocols: those it speaks, the preferred first.
        auto_accept: whether the 101 is sent before the view runs.
        fallback: whether polls may carry it.
    """

    required: bool = False
    subprotocols: Sequence[str] = ()
    auto_accept: bool = True
    fallback: bool = True


def open_websocket(
    request: HttpRequest, options: HandshakeOptions, use: Use
) -> BaseWebSocket | None:
    """Check the handshake of a request that asks for a WebSocket, and accept it, unless the view
    does that.

    Args:
        use: what is going to use the WebSocket.

    Returns:
        The request's WebSocket; ``None`` if its backend makes none.

    Raises:
        InvalidHandshake: it is not a good one.
        SocketTakeoverError: the server cannot carry it.
    """
    websocket, subprotocol = create_websocket(request, options, use)
    if websocket is None:
        return None
    accepts = options.auto_accept
    websocket._runner = websocket._create_runner(request, use, accepts=accepts) or STAYING
    if accepts:
        accept(websocket, request, subprotocol)
    request.META[MARK] = request.websocket = websocket  # type: ignore[attr-defined]
    return websocket


def create_websocket(
    request: HttpRequest, options: HandshakeOptions, use: Use
) -> tuple[BaseWebSocket | None, str | None]:
    """The request's WebSocket and its subprotocol; nothing is taken or written yet."""
    if not conf.checked:
        check_settings()
    factory = get_factory(request)
    factory.check_handshake()
    check_origin(request)
    subprotocol = select_subprotocol(find_offered(request), options.subprotocols)
    factory.use = use
    websocket = factory.create_websocket()
    if websocket is not None:
        websocket._connection_log = create_log(request, factory.find_request_log())
    return websocket, subprotocol


def find_offered(request: HttpRequest) -> str | None:
    """The subprotocols that the client offers; a poll has no header for them."""
    offered: str | None = request.META.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
    if offered is None and is_engine(request):
        return request.GET.get("protocols")
    return offered


def look_for_contexts(request: HttpRequest, *, in_coroutine: bool = False) -> CallContexts | None:
    """What is to be around the calls that come when this request has ended.

    Raises:
        ImproperlyConfigured: without a context these would do harm, or one is of no use.
    """
    check_known_middleware()
    return find_contexts(request, in_coroutine=in_coroutine)


def accept(websocket: BaseWebSocket, request: HttpRequest, subprotocol: str | None) -> None:
    """Send the 101."""
    try:
        websocket.accept(subprotocol)
        offered = find_offered(request)
        if offered and subprotocol is None:
            logger.warning(
                "WebSocket accepted without a subprotocol: %s: the client offers %s, and the view "
                "names none of them in its subprotocols. Browsers fail such a connection.",
                printable(request.path),
                printable(offered),
            )
    except BaseException as error:
        end(websocket, error)
        raise


def check_settings() -> None:
    """Look at every setting before the first handshake is accepted: behind it threads that others
    need would meet a wrong one, and most servers run no system checks.

    Raises:
        ImproperlyConfigured: one is wrong.
    """
    conf.check_values()
    check_factory_class()
    check_middleware()
    load_contexts()
    get_backend()
    answer_questions()
    conf.checked = True
