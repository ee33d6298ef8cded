"""Views that close, and what they see afterwards."""

from dwebsocket import ConnectionClosed, require_websocket

from ..journal import record, recorded


@require_websocket
@recorded
def close(request):
    """Close with ?code= and ?reason=, then look at the connection."""
    websocket = request.websocket
    websocket.close(int(request.GET["code"]), request.GET.get("reason", ""))
    results = {"closed": [websocket.closed, websocket.is_closed(), websocket.connected]}
    try:
        websocket.send("too late")
    except ConnectionClosed as error:
        results["send"] = type(error).__name__
    websocket.close(4999, "closing twice changes nothing")
    record(request, "results", **results)


@require_websocket
@recorded
def disconnect(request):
    request.websocket.disconnect()


@require_websocket
@recorded
def state(request):
    """The state before the end: nothing is closed, nothing is known of a code."""
    websocket = request.websocket
    record(
        request,
        "results",
        closed=[websocket.closed, websocket.is_closed(), websocket.connected],
        code=websocket.close_code,
        reason=websocket.close_reason,
        subprotocol=websocket.subprotocol,
        hashable=len({websocket, websocket}),
    )
