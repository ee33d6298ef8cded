"""permessage-deflate (RFC 7692): negotiated by ``websockets``' code, run by zlib piece by piece.

Without context takeover, the default, a message is compressed by itself: an idle connection holds
no window, and one object serves all connections that agreed on the same parameters.
"""

from __future__ import annotations

import zlib
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from .exceptions import InvalidHandshake, InvalidPayload, MessageTooBig

__all__ = ["TAIL", "Inflater", "PerMessageDeflate", "negotiate", "share", "turn"]

#: What a sender cuts off the end of a message and a receiver puts back (RFC 7692, 7.2.1).
TAIL = b"\x00\x00\xff\xff"

#: A window of 4 KiB and small tables where they are kept from message to message.
TAKEOVER_BITS = 12
TAKEOVER_LEVEL = 5

#: The smallest window that zlib compresses with. websockets before 17 also agrees on 8 bits.
SMALLEST_BITS = 9

#: Longer offers are not remembered.
MAX_CACHED_OFFER = 256

#: Bytes that any number of threads decompress at the same instant. For more they take turns: what
#: is too large is known as such when it has taken all the space that a message may.
MAX_SHARED_TIME = 65536

#: Held meanwhile: a lock, once there may be threads.
turn: AbstractContextManager[Any] = nullcontext()


class PerMessageDeflate:
    """The agreed parameters, and with context takeover the two windows.

    Attributes:
        keeps_context: whether messages must be compressed in the order in which they are sent.
        local_bits: the size of our window.
    """

    __slots__ = (
        "_decoder",
        "_encoder",
        "_remote_bits",
        "_takeover",
        "keeps_context",
        "local_bits",
    )

    def __init__(
        self, *, local_bits: int, remote_bits: int, local_takeover: bool, remote_takeover: bool
    ) -> None:
        self.local_bits = local_bits
        self._remote_bits = remote_bits
        self.keeps_context = local_takeover
        self._takeover = remote_takeover
        self._encoder: Any = None
        self._decoder: Any = None

    @property
    def bits(self) -> tuple[int, int]:
        """The sizes of both windows, ours first: with these ``share`` gives the same, if it is
        stateless.
        """
        return self.local_bits, self._remote_bits

    @property
    def is_stateless(self) -> bool:
        """Whether connections may share this object."""
        return not self.keeps_context and not self._takeover

    def compress(self, payload: bytes) -> bytes:
        """A message's compressed payload, for one frame with RSV1 set (RFC 7692, 7.2.1)."""
        encoder = self._encoder
        if encoder is None:
            level = TAKEOVER_LEVEL if self.keeps_context else 8
            encoder = zlib.compressobj(wbits=-self.local_bits, memLevel=level)
            if self.keeps_context:
                self._encoder = encoder
        compressed: bytes = encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH)
        return compressed[: -len(TAIL)]

    def start_message(self, max_size: int) -> Inflater:
        """What decompresses the next message received, of at most ``max_size`` bytes."""
        if not self._takeover:
            return Inflater(zlib.decompressobj(wbits=-self._remote_bits), max_size)
        if self._decoder is None or self._decoder.eof:
            self._decoder = zlib.decompressobj(wbits=-self._remote_bits)
        return Inflater(self._decoder, max_size)


class Inflater:
    """Decompresses one message as its pieces arrive."""

    __slots__ = ("_decoder", "_max_size", "_room")

    def __init__(self, decoder: Any, max_size: int) -> None:
        self._decoder = decoder
        self._max_size = max_size
        self._room = max_size

    def inflate(self, data: bytes) -> bytes:
        """What ``data`` decompresses to.

        Raises:
            InvalidPayload: it is not compressed data.
            MessageTooBig: the message has become longer than ``max_size`` bytes.
        """
        decoder = self._decoder
        if decoder.eof:
            check_padding(data)
            return b""
        try:
            inflated = self._inflate_within_room(data)
        except zlib.error as error:
            raise InvalidPayload("message cannot be decompressed (RFC 7692, 7.2.2)") from error
        if inflated is None:
            raise MessageTooBig(f"message of more than {self._max_size} bytes")
        self._room -= len(inflated)
        if decoder.eof:
            check_padding(decoder.unused_data)
        return inflated

    def _inflate_within_room(self, data: bytes) -> bytes | None:
        """``None`` for what is longer: nothing of it is held while others have their turn."""
        decoder = self._decoder
        limit = self._room + 1  # the byte that tells of excess
        inflated: bytes = decoder.decompress(data, min(limit, MAX_SHARED_TIME))
        if MAX_SHARED_TIME <= len(inflated) < limit:
            with turn:
                inflated += decoder.decompress(decoder.unconsumed_tail, limit - len(inflated))
                return inflated if len(inflated) < limit else None
        return inflated if len(inflated) < limit else None


def check_padding(data: bytes) -> None:
    """Behind a final block only an empty one may stand (RFC 7692, 7.2.3.4); zlib would hoard it.
    Its bytes, in whatever pieces they come, are 00 and FF.
    """
    if data.strip(b"\x00\xff"):
        raise InvalidPayload("data behind the final block of a message (RFC 7692, 7.2.3.4)")


def negotiate(
    offer: str | None, *, context_takeover: bool
) -> tuple[str | None, PerMessageDeflate | None]:
    """Answer a Sec-WebSocket-Extensions header (RFC 7692, 5 and 7.1).

    Returns:
        The header of the answer and the extension, both ``None`` when nothing is agreed on.

    Raises:
        InvalidHandshake: the header is malformed.
    """
    if not offer:
        return None, None
    if len(offer) > MAX_CACHED_OFFER:
        answer, parameters = choose(offer, context_takeover)
    else:
        answer, parameters = choose_cached(offer, context_takeover)
    if parameters is None:
        return None, None
    shared = PerMessageDeflate(**parameters)
    return answer, shared_stateless.setdefault(answer, shared) if shared.is_stateless else shared


#: One object for each answer: the answer tells all the parameters, and there are few.
shared_stateless: dict[str | None, PerMessageDeflate] = {}


@lru_cache(maxsize=64)
def share(local_bits: int, remote_bits: int) -> PerMessageDeflate:
    """The stateless object for these parameters."""
    return PerMessageDeflate(
        local_bits=local_bits,
        remote_bits=remote_bits,
        local_takeover=False,
        remote_takeover=False,
    )


def choose(offer: str, context_takeover: bool) -> tuple[str | None, dict[str, Any] | None]:
    """Accept the first offer of permessage-deflate that we can meet."""
    bits = TAKEOVER_BITS if context_takeover else None
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=not context_takeover,
        client_no_context_takeover=not context_takeover,
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )
    try:
        extensions = parse_extension(offer)
    except InvalidHeader as error:
        raise InvalidHandshake(f"{error}.") from error
    for name, asked in extensions:
        if name != factory.name:
            continue
        try:
            answer, agreed = factory.process_request_params(asked, [])
        except NegotiationError:
            continue
        if agreed.local_max_window_bits < SMALLEST_BITS:
            continue
        parameters = {
            "local_bits": agreed.local_max_window_bits,
            "remote_bits": agreed.remote_max_window_bits,
            "local_takeover": not agreed.local_no_context_takeover,
            "remote_takeover": not agreed.remote_no_context_takeover,
        }
        return build_extension([(name, answer)]), parameters
    return None, None


choose_cached = lru_cache(maxsize=64)(choose)
