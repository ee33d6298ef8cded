"""Send more than the other side wants."""

import ssl
import time


def send_until_refused(client, pieces, seconds=None):
    """Send the pieces until the server hangs up or the time is over; how many bytes were taken."""
    end = None if seconds is None else time.monotonic() + seconds
    taken = 0
    for piece in pieces:
        try:
            client.send_bytes(piece)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            break
        taken += len(piece)
        if end is not None and time.monotonic() > end:
            raise AssertionError(f"the server still took data after {seconds} s")
    return taken
