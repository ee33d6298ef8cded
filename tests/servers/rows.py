"""The servers of the contract suite: how each is started, and what it can do.

A row that lacks an ability says so here, and the cases that need the ability leave the row out.
"""

import shutil
from dataclasses import dataclass
from importlib.util import find_spec

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
LAUNCH = ("-m", "tests.servers.launch")
GUNICORN = (
    *("-m", "gunicorn", "tests.project.wsgi:application", "--bind", "127.0.0.1:0"),
    *("--workers", "1", "--graceful-timeout", "3", "--no-control-socket"),
    *("--access-logfile", "-", "--log-level", "info"),
)

GUNICORN_ASGI = (
    *("gunicorn", "--worker-class", "asgi", "--bind", "127.0.0.1:0", "--workers", "1"),
    *("--graceful-timeout", "3", "--no-control-socket", "--log-level", "info"),
)


@dataclass(frozen=True)
class Row:
    """One server. `arguments` follow the Python interpreter."""

    name: str
    arguments: tuple[str, ...]
    # Import name of what must be installed.
    package: str = "django"
    # Options that switch TLS on; {certificate} and {key} stand for the files.
    tls_arguments: tuple[str, ...] = ()
    # More than one WebSocket, or HTTP beside a WebSocket, at the same time.
    concurrent: bool = True
    # Bytes that the client sent behind its handshake arrive.
    early_bytes: bool = True
    # time.sleep() and threading.Thread are right in a view: all but gevent without monkey patching.
    patched: bool = True
    # Coroutines can run: not where greenlets share a thread.
    coroutines: bool = True
    # The application learns the request's HTTP version: eventlet always says 1.0.
    http_version: bool = True
    # Views leave the server's threads, of which there are few.
    few_threads: bool = False
    # SIGTERM runs the interpreter's end in the process of the views: clients get Close 1001.
    says_goodbye: bool = False

    # The server itself speaks the protocol.
    asgi: bool = False
    # The codes that clients may see at SIGTERM; None: the connection breaks.
    goodbye: frozenset[int | None] = frozenset({1001, None})
    # The codes that stand for a client that has vanished: some servers do not know 1006.
    vanished: frozenset[int] = frozenset({1006})
    # A handshake can be refused with any HTTP answer; otherwise with 403 alone.
    denies: bool = True
    # A view's close code and reason reach the client.
    codes: bool = True
    # The client's close code and reason reach the view.
    tells_codes: bool = True
    # A view's headers get into the 101.
    headers: bool = True
    # A view that sends too much is made to wait.
    paces: bool = True

    # Each request has a database connection of its own: not so where Django was loaded before
    # gevent patched, or is not patched at all.
    database: bool = True
    # nginx stands in front, and passes on over a Unix socket.
    proxied: bool = False
    # Stands for all that wait as it does, in cases where nothing else of a server matters.
    typical: bool = False
    # Much like other rows together: runs when DWEBSOCKET_TEST_ROWS names it.
    extra: bool = False

    @property
    def tls(self):
        return bool(self.tls_arguments)

    @property
    def missing(self):
        """What must be installed first, or None."""
        if find_spec(self.package) is None:
            return self.package
        return "nginx" if self.proxied and NGINX is None else None


def gunicorn(name, *worker, tls=False, **abilities):
    return Row(
        name,
        (*GUNICORN, *worker),
        package="gunicorn",
        tls_arguments=("--certfile", "{certificate}", "--keyfile", "{key}") if tls else (),
        says_goodbye=True,
        **abilities,
    )


def launched(name, function, package, *, tls=False, **abilities):
    return Row(
        name,
        (*LAUNCH, function),
        package=package,
        tls_arguments=("--certificate", "{certificate}", "--key", "{key}") if tls else (),
        **abilities,
    )


def uwsgi(name, *options, tls=(), **abilities):
    """uWSGI; PORT in an option stands for the port. Its parser keeps what comes early."""
    return Row(
        name,
        ("-m", "tests.servers.uwsgi", "{port}", *options),
        tls_arguments=tls,
        package="uwsgidecorators",  # what uWSGI's package installs besides the program
        **{"early_bytes": False, **abilities},
    )


def asgi(name, *arguments, tls=(), **abilities):
    """An ASGI server. The protocol is its own: what comes behind a handshake is refused or lost."""
    return Row(
        name,
        ("-m", *arguments, "tests.project.asgi:application"),
        package=arguments[0],
        tls_arguments=tls,
        **{
            "asgi": True,
            "early_bytes": False,
            "few_threads": True,
            "vanished": frozenset({1005, 1006}),
            **abilities,
        },
    )


UWSGI_ROUTER = ("--http", "127.0.0.1:PORT", "--http-websockets")
UWSGI_TLS = "127.0.0.1:PORT,{certificate},{key}"
UWSGI_SOCKET = ("--http-socket", "127.0.0.1:PORT")
GTHREAD = ("--worker-class", "gthread", "--threads", "8")

ROWS = [
    Row("runserver", ("-m", "django", "runserver", "127.0.0.1:0", "--noreload"), typical=True),
    launched("wsgiref", "wsgiref", "wsgiref", concurrent=False),
    gunicorn("gunicorn-sync", few_threads=True),
    gunicorn("gunicorn-gthread", *GTHREAD, few_threads=True, typical=True),
    gunicorn("gunicorn-gthread-tls", *GTHREAD, tls=True, typical=True),
    gunicorn("gunicorn-gevent", "--worker-class", "gevent", coroutines=False),
    gunicorn(
        "gunicorn-gevent-tls", "--worker-class", "gevent", tls=True, extra=True, coroutines=False
    ),
    gunicorn("gunicorn-gevent-pywsgi", "--worker-class", "gevent_pywsgi", coroutines=False),
    launched("gevent-pywsgi", "gevent", "gevent", typical=True, coroutines=False),
    launched("gevent-pywsgi-tls", "gevent", "gevent", tls=True, typical=True, coroutines=False),
    launched(
        "gevent-unpatched",
        "gevent-unpatched",
        "gevent",
        patched=False,
        typical=True,
        coroutines=False,
    ),
    launched(
        "eventlet", "eventlet", "eventlet", http_version=False, typical=True, coroutines=False
    ),
    launched(
        "eventlet-tls", "eventlet", "eventlet", tls=True, http_version=False, coroutines=False
    ),
    launched("werkzeug", "werkzeug", "werkzeug"),
    launched("werkzeug-tls", "werkzeug", "werkzeug", tls=True, extra=True),
    launched("cheroot", "cheroot", "cheroot", few_threads=True),
    launched("cheroot-tls", "cheroot", "cheroot", tls=True),
    launched("waitress", "waitress", "waitress", early_bytes=False),
    uwsgi("uwsgi-processes", *UWSGI_ROUTER, "--processes", "1", concurrent=False),
    uwsgi("uwsgi-threads", *UWSGI_ROUTER, "--threads", "8"),
    uwsgi(
        "uwsgi-gevent",
        *UWSGI_ROUTER,
        "--gevent",
        "50",
        "--gevent-early-monkey-patch",
        coroutines=False,
    ),
    uwsgi(
        "uwsgi-gevent-late-patch",
        *(*UWSGI_ROUTER, "--gevent", "50", "--gevent-monkey-patch"),
        database=False,
        coroutines=False,
        extra=True,
    ),
    uwsgi(
        "uwsgi-gevent-unpatched",
        *(*UWSGI_ROUTER, "--gevent", "50"),
        patched=False,
        database=False,
        coroutines=False,
        extra=True,
    ),
    uwsgi("uwsgi-ugreen", *UWSGI_ROUTER, "--async", "30", "--ugreen", extra=True),
    uwsgi("uwsgi-http-socket", *UWSGI_SOCKET, "--threads", "8", typical=True),
    uwsgi(
        "uwsgi-http-socket-gevent",
        *(*UWSGI_SOCKET, "--gevent", "50", "--gevent-early-monkey-patch"),
        coroutines=False,
        extra=True,
    ),
    uwsgi(
        "uwsgi-https", "--http-websockets", "--threads", "8", tls=("--https", UWSGI_TLS), extra=True
    ),
    asgi(
        "uvicorn",
        "uvicorn",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        typical=True,
        goodbye=frozenset({1012, None}),
    ),
    asgi(
        "daphne",
        *("daphne", "-b", "127.0.0.1", "-p", "0"),
        denies=False,
        codes=False,
        tells_codes=False,
        headers=False,
        paces=False,
    ),
    asgi(
        "hypercorn",
        *("hypercorn", "-b", "127.0.0.1:0"),
        tells_codes=False,
        goodbye=frozenset({1001, 1011, None}),
    ),
    asgi(
        "granian",
        *("granian", "--interface", "asgi", "--port", "{port}"),
        tells_codes=False,
        headers=False,
    ),
    asgi("gunicorn-asgi", *GUNICORN_ASGI, denies=False, tells_codes=False),
    uwsgi("uwsgi-nginx", "--nginx", "--threads", "8", proxied=True),
]
