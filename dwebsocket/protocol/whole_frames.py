"""The flat loop: frames that arrived whole, the common case, at the least cost.

It takes data frames that are final, masked, of the shortest length form, of an accepted size and
completely here, and empty Pongs, which say nothing. It stops, without having touched it, at the
first frame that is anything else: a fragment, another control frame, a reserved bit, bad UTF-8, an
unfinished frame, a breach of the protocol. All of those belong to ``assembler``; fed the same
bytes, both give the same messages.
"""

from __future__ import annotations

from websockets.utils import apply_mask as python_apply_mask

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which websockets has no compiled wheel
    apply_mask = python_apply_mask

__all__ = ["MAX_SINGLE", "apply_mask", "parse_single_frame", "parse_whole_frames"]

Messages = list[str | bytes]

FINAL_TEXT = 0x81
FINAL_BINARY = 0x82
FINAL_PONG = 0x8A


#: The largest frame whose header has no further bytes for the length.
MAX_SINGLE = 6 + 125


def parse_single_frame(buffer: bytes | bytearray, end: int) -> str | bytes | None:
    """The message of the only frame that is here, of six bytes to ``MAX_SINGLE``, as most reads of
    small messages bring it; ``None`` if it is anything else.
    """
    if buffer[1] != end + 122:  # its length says that nothing else is here
        return None
    first = buffer[0]
    if first == FINAL_TEXT:
        try:
            return apply_mask(buffer[6:end], buffer[2:6]).decode()
        except UnicodeDecodeError:
            return None
    return apply_mask(buffer[6:end], buffer[2:6]) if first == FINAL_BINARY else None


def parse_whole_frames(
    buffer: bytes | bytearray, position: int, end: int, max_size: int, messages: Messages, stop: int
) -> int:
    """Append the messages of frames that begin before ``stop``; return where the loop stopped."""
    last = end - 5  # from there on there is no whole header
    if last > stop:
        last = stop
    while position < last:
        first = buffer[position]
        if first != FINAL_TEXT and first != FINAL_BINARY:
            if first == FINAL_PONG and buffer[position + 1] == 0x80:  # the answer to a Ping of ours
                position += 6
                continue
            break
        length = buffer[position + 1] - 0x80
        if 0 <= length < 126:
            start = position + 6
            after = start + length
            if after > end or length > max_size:
                break
            payload = apply_mask(buffer[start:after], buffer[start - 4 : start])
        else:
            if length == 126:
                start, length = position + 8, buffer[position + 2] << 8 | buffer[position + 3]
                shortest = length >= 126
            else:
                start = position + 14
                length = int.from_bytes(buffer[position + 2 : position + 10], "big")
                shortest = length >= 65536 and buffer[position + 1] == 0xFF
            after = start + length
            if after > end or length > max_size or not shortest:
                break
            # A view: the payload is copied once, by the mask.
            payload = apply_mask(memoryview(buffer)[start:after], buffer[start - 4 : start])
        if first == FINAL_TEXT:
            try:
                messages.append(payload.decode())
            except UnicodeDecodeError:
                break
        else:
            messages.append(payload)
        position = after
    return position
