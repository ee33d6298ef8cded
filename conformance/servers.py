"""The echo servers: those of the contract suite, set up as the Autobahn suite needs it."""

from tests.servers.process import ServerProcess
from tests.servers.rows import ROWS

#: By name; not those with TLS, below which the protocol is the same.
SERVERS = {row.name: row for row in ROWS if not row.tls}

#: One of each kind: greenlets, a pool of threads, a thread for each connection, two processes.
DEFAULT = ["gevent-pywsgi", "gunicorn-gthread", "runserver", "gateway"]

SETTINGS = {
    # Group 9 sends messages of 16 MiB.
    "WEBSOCKET_MAX_MESSAGE_SIZE": 32 << 20,
    # A Ping of ours in the middle of a case is not what the suite expects.
    "WEBSOCKET_PING_INTERVAL": None,
    # The suite is slow: an answer of 16 MiB takes it seconds, and so does noticing a Close.
    "WEBSOCKET_SEND_TIMEOUT": 120,
    "WEBSOCKET_CLOSE_TIMEOUT": 20,
}


def find_path(name: str) -> str:
    """Where a server echoes. One for ASGI in its event loop: its threads have what is the same
    everywhere.
    """
    return "/echo/async/" if SERVERS[name].asgi else "/echo/"


def start(name: str) -> ServerProcess:
    """A server that echoes each message with its type (``find_path``)."""
    return ServerProcess(SERVERS[name], environment={}, certificates=None, settings=SETTINGS)
