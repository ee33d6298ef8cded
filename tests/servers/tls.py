"""TLS connections that two threads of a client may use at once: one reads, the other writes.

Before Python 3.13 nobody else keeps them from being in OpenSSL at the same time, which breaks a
connection now and then.
"""

import select
import ssl
import threading

__all__ = ["SharedTLSSocket", "share"]


class SharedTLSSocket(ssl.SSLSocket):
    """Reading waits outside of OpenSSL, so that whoever writes meanwhile gets its turn."""

    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls, *args, **kwargs)
        made.turn = threading.Lock()
        return made

    def recv(self, size=1024, flags=0):
        while True:
            with self.turn:
                timeout = self.gettimeout()
                try:
                    self.settimeout(0)
                    return super().recv(size, flags)
                except ssl.SSLWantReadError:
                    if timeout == 0:
                        raise
                finally:
                    self.settimeout(timeout)
                poll = select.poll()
                poll.register(self, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise TimeoutError("The read operation timed out")

    def send(self, data, flags=0):
        with self.turn:
            return super().send(data, flags)


def share(context):
    """Have this client's connections be of that kind."""
    context.sslsocket_class = SharedTLSSocket
    return context
