"""A client of TLS 1.3 that does nothing but change its keys. Python cannot: OpenSSL is asked."""

import _ssl
import ctypes
import platform
import ssl
import sys

import pytest

#: Where in Python's object the pointer to OpenSSL's is: behind a header and one reference.
OFFSET = 24

KNOWN = (
    platform.python_implementation() == "CPython"
    and (3, 10) <= sys.version_info[:2] <= (3, 13)
    and not hasattr(sys, "gettotalrefcount")
    and sys.maxsize > 1 << 32
    and hasattr(_ssl, "__file__")
)
needs_key_updates = pytest.mark.skipif(not KNOWN, reason="where OpenSSL's object is is not known")


def open_client(sock, context):
    """The client's side of the handshake; its object, and what it has written."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    while True:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
        else:
            sock.sendall(outgoing.read())
            return client, outgoing


def build_updates(client, outgoing, count):
    """The bytes of so many changes."""
    library = ctypes.CDLL(_ssl.__file__)
    pointer = ctypes.c_void_p.from_address(id(client._sslobj) + OFFSET)
    library.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.SSL_do_handshake.argtypes = [ctypes.c_void_p]
    for _ in range(count):
        assert library.SSL_key_update(pointer, 0) == 1
        assert library.SSL_do_handshake(pointer) == 1
    return outgoing.read()
