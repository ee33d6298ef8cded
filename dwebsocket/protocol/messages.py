"""What a message is to those who send and receive: ``str`` is text, bytes are binary."""

from __future__ import annotations

__all__ = ["BytesLike", "Message", "as_bytes"]

Message = str | bytes
BytesLike = bytes | bytearray | memoryview

NOTHING_RECEIVED = (
    ". read() returns None when no message is here, wait() when the connection has closed: look at "
    "what they return before you send it"
)

NOT_AWAITED = ". Write `await` before what you send: it has not run yet"


def as_bytes(message: BytesLike) -> bytes:
    """The payload of a binary message.

    Raises:
        TypeError: ``message`` is not bytes-like; says what ``send()`` takes.
    """
    if not isinstance(message, (bytes, bytearray, memoryview)):
        kind = type(message).__name__
        hint = NOTHING_RECEIVED if message is None else NOT_AWAITED * (kind == "coroutine")
        raise TypeError(
            f"send() takes str (sent as text) or bytes (sent as binary), not "
            f"{kind}; send_json() sends other data{hint}"
        )
    return bytes(message)
