"""The servers of the contract suite: how each is started, and what it can do.

A row that lacks an ability says so here, and the cases that need the ability leave the row out.
"""

import shutil
from dataclasses import dataclass
from importlib.util import find_spec

PROGRAMS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
NGINX = shutil.which("nginx", path=PROGRAMS)
HAPROXY = shutil.which("haproxy", path=PROGRAMS)
LAUNCH = ("-m", "tests.servers.launch")
GUNICORN = (
    *("-m", "gunicorn", "tests.project.wsgi:application", "--bind", "127.0.0.1:0"),
    *("--workers", "1", "--graceful-timeout", "3", "--no-control-socket"),
    *("--access-logfile", "-", "--log-level", "info"),
)

GUNICORN_ASGI = (
    *("gunicorn", "--worker-class", "asgi", "--bind", "127.0.0.1:0", "--workers", "1"),
    *("--asgi-lifespan", "on"),
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
    # Such bytes have it refused, with 400.
    refuses_early: bool = False
    # Such bytes are lost in the server, and nobody hears of them.
    loses_early: bool = False
    # What a WebSocket library of the server's, which sees the handshake first, finds wrong in it.
    # What it cannot parse, a body or a long header, it does not answer: the client has to hang up.
    checks: frozenset[str] = frozenset()
    # time.sleep() and threading.Thread are right in a view: all but gevent without monkey patching.
    patched: bool = True
    # Coroutines can run: not where greenlets share a thread.
    coroutines: bool = True
    # The application learns the request's HTTP version: eventlet always says 1.0, uvicorn 1.1,
    # daphne nothing.
    http_version: bool = True
    # Views leave the server's threads, of which there are few.
    few_threads: bool = False
    # SIGTERM runs the interpreter's end in the process of the views: clients get Close 1001.
    says_goodbye: bool = False

    # A server for ASGI.
    asgi: bool = False
    # It speaks the protocol itself: compression, Pings, and what it does with forbidden frames are
    # its own affair. Otherwise the connection is taken from it, and all is as under WSGI.
    foreign: bool = False
    # Settings of its processes, by their names.
    settings: tuple[tuple[str, object], ...] = ()
    # The codes that clients may see at SIGTERM; None: the connection breaks.
    goodbye: frozenset[int | None] = frozenset({1001, None})
    # At SIGTERM it waits until the views have ended.
    ends_views: bool = False
    # The codes that stand for a client that has vanished: some servers do not know 1006.
    vanished: frozenset[int] = frozenset({1006})
    # A handshake that is no GET request is refused.
    checks_method: bool = True
    # A handshake can be refused with any HTTP answer; otherwise with an empty 403 alone.
    denies: bool = True
    # A Close of ours may have any code; otherwise 1000 or one above 2999: then 3000 is added.
    codes: bool = True
    # A Close of ours may have a reason.
    reasons: bool = True
    # A client's Close is answered with the code that it has; otherwise with 1000.
    echoes_codes: bool = True
    # The code of a client's Close reaches the view; otherwise it reads 1006.
    tells_codes: bool = True
    # So does its reason.
    tells_reasons: bool = True
    # Behind its Close the server waits for the client's; otherwise it hangs up at once.
    waits_for_close: bool = True
    # A client that does not answer our Close is soon hung up on; otherwise after some ten seconds.
    gives_up_soon: bool = True
    # Behind both Closes the connection ends without a reset.
    ends_gently: bool = True
    # A view's headers get into the 101.
    headers: bool = True
    # A message may be empty; otherwise such a one of ours is thrown away.
    empty_messages: bool = True
    # A client that reads nothing can be hung up on.
    cuts: bool = True
    # A view that sends too much is made to wait; otherwise all of it waits in the server's memory.
    paces: bool = True

    # Pages come from it, too, and the process that is started has the sockets: otherwise it takes
    # WebSockets alone, and passes their messages on.
    pages: bool = True

    # Each request has a database connection of its own: not so where Django was loaded before
    # gevent patched, or is not patched at all.
    database: bool = True
    # nginx stands in front, and passes on over a Unix socket.
    proxied: bool = False
    # Clients speak HTTP/2 with it: cases for those of HTTP/1.1 leave the row out.
    http2: bool = False
    # Stands for all that wait as it does, in cases where nothing else of a server matters.
    typical: bool = False
    # Coverage is measured in it, which costs time: not where other rows run the same of our lines.
    covered: bool = True
    # Much like other rows together: runs when DWEBSOCKET_TEST_ROWS names it.
    extra: bool = False

    @property
    def tls(self):
        return bool(self.tls_arguments)

    @property
    def thorough(self):
        """Every variant of a case runs on it; other rows show with one or two that they do it."""
        return self.name in THOROUGH

    def shown(self, code, reason=""):
        """What a client sees of a Close of ours."""
        sendable = self.codes or code == 1000 or code >= 3000
        return code if sendable else 3000 + code, reason if self.reasons else ""

    def answered(self, code):
        """The code in the answer to a client's Close."""
        return code if self.echoes_codes else 1000

    def heard(self, code, reason=""):
        """What a view hears of a client's Close."""
        return (code, reason if self.tells_reasons else "") if self.tells_codes else (1006, "")

    @property
    def missing(self):
        """What must be installed first, or None."""
        if find_spec(self.package) is None:
            return self.package
        if "tests.servers.haproxy" in self.arguments and HAPROXY is None:
            return "haproxy"
        return "nginx" if self.proxied and NGINX is None else None


#: One for each way of waiting.
THOROUGH = {
    *("gunicorn-gthread", "gunicorn-gthread-tls", "gevent-pywsgi", "gevent-unpatched"),
    *("eventlet", "uwsgi-http-socket", "uvicorn"),
}
#: Threads, greenlets, an event loop.
FEW = ["gunicorn-gthread", "gevent-pywsgi", "uvicorn"]


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
    """An ASGI server. What comes behind a handshake, in the same packet, is refused or lost."""
    return Row(
        name,
        ("-m", *arguments, "tests.project.asgi:application"),
        package=arguments[0],
        tls_arguments=tls,
        **{
            "asgi": True,
            "early_bytes": False,
            "few_threads": True,
            **abilities,
        },
    )


def haproxy(name, *worker, tls=False, **abilities):
    """gunicorn behind haproxy."""
    return Row(
        name,
        ("-m", "tests.servers.haproxy", "{port}", "--workers", "1", *worker),
        package="gunicorn",
        tls_arguments=("--certificate", "{certificate}", "--key", "{key}") if tls else (),
        http2=True,
        covered=False,
        **abilities,
    )


def foreign(name, *arguments, **abilities):
    """An ASGI server that keeps its connections."""
    return asgi(
        name, *arguments, **{"foreign": True, "vanished": frozenset({1005, 1006}), **abilities}
    )


UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "0")
UVICORN_TLS = ("--ssl-certfile", "{certificate}", "--ssl-keyfile", "{key}")
#: Its own library is websockets; an older part of it checks less.
UVICORN_CHECKS = frozenset({"version", "post", "body", "length"})
#: Where the server itself is to speak the protocol.
UNTAKEN = (("WEBSOCKET_TAKE_OVER", False),)

UWSGI_ROUTER = ("--http", "127.0.0.1:PORT", "--http-websockets")
UWSGI_TLS = "127.0.0.1:PORT,{certificate},{key}"
UWSGI_SOCKET = ("--http-socket", "127.0.0.1:PORT")
DAPHNE = ("daphne", "-b", "127.0.0.1", "-p", "0")
HYPERCORN = ("hypercorn", "-b", "127.0.0.1:0", "--graceful-timeout", "1")
GTHREAD = ("--worker-class", "gthread", "--threads", "8")

ROWS = [
    Row("runserver", ("-m", "django", "runserver", "127.0.0.1:0", "--noreload"), typical=True),
    launched("wsgiref", "wsgiref", "wsgiref", concurrent=False, covered=False),
    gunicorn("gunicorn-sync", few_threads=True, covered=False, ends_views=True),
    gunicorn("gunicorn-gthread", *GTHREAD, few_threads=True, typical=True, ends_views=True),
    gunicorn(
        "gunicorn-gthread-tls",
        *GTHREAD,
        tls=True,
        few_threads=True,
        typical=True,
        ends_views=True,
        covered=False,
    ),
    gunicorn("gunicorn-gevent", "--worker-class", "gevent", coroutines=False),
    gunicorn(
        "gunicorn-gevent-tls", "--worker-class", "gevent", tls=True, extra=True, coroutines=False
    ),
    gunicorn(
        "gunicorn-gevent-pywsgi",
        "--worker-class",
        "gevent_pywsgi",
        coroutines=False,
        covered=False,
    ),
    launched("gevent-pywsgi", "gevent", "gevent", typical=True, coroutines=False, covered=False),
    launched("gevent-pywsgi-tls", "gevent", "gevent", tls=True, typical=True, coroutines=False),
    launched(
        "gevent-unpatched",
        "gevent-unpatched",
        "gevent",
        patched=False,
        covered=False,
        typical=True,
        coroutines=False,
    ),
    launched(
        "eventlet", "eventlet", "eventlet", http_version=False, typical=True, coroutines=False
    ),
    launched(
        "eventlet-tls",
        "eventlet",
        "eventlet",
        tls=True,
        http_version=False,
        coroutines=False,
        covered=False,
    ),
    launched("werkzeug", "werkzeug", "werkzeug"),
    launched("werkzeug-tls", "werkzeug", "werkzeug", tls=True, extra=True),
    launched("cheroot", "cheroot", "cheroot", few_threads=True),
    launched("cheroot-tls", "cheroot", "cheroot", tls=True, few_threads=True),
    launched("waitress", "waitress", "waitress", early_bytes=False),
    uwsgi("uwsgi-processes", *UWSGI_ROUTER, "--processes", "1", concurrent=False, covered=False),
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
    # 1001, unless a request is running when a worker ends: uWSGI tells Python nothing then.
    uwsgi("uwsgi-http-socket", *UWSGI_SOCKET, "--threads", "8", typical=True, covered=False),
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
        *UVICORN,
        typical=True,
        loses_early=True,
        checks=UVICORN_CHECKS,
        http_version=False,
        goodbye=frozenset({1012}),
        ends_views=True,
    ),
    asgi(
        "uvicorn-tls",
        *(*UVICORN, "--loop", "asyncio", "--http", "h11", "--ws", "wsproto"),
        tls=UVICORN_TLS,
        loses_early=True,
        http_version=False,
        goodbye=frozenset({1012}),
        ends_views=True,
    ),
    asgi(
        "uvicorn-legacy",
        *(*UVICORN, "--loop", "asyncio", "--ws", "websockets"),
        loses_early=True,
        checks=frozenset({"version"}),
        http_version=False,
        goodbye=frozenset({1012}),
        ends_views=True,
        extra=True,
    ),
    asgi(
        "uvicorn-uvloop-tls",
        *(*UVICORN, "--loop", "uvloop"),
        tls=UVICORN_TLS,
        loses_early=True,
        checks=UVICORN_CHECKS,
        http_version=False,
        goodbye=frozenset({1012}),
        ends_views=True,
        extra=True,
    ),
    foreign(
        "uvicorn-untaken",
        *UVICORN,
        settings=UNTAKEN,
        http_version=False,
        gives_up_soon=False,
        goodbye=frozenset({1012, None}),
        ends_views=True,
    ),
    asgi(
        "daphne",
        *DAPHNE,
        early_bytes=True,
        covered=False,
        http_version=False,
        goodbye=frozenset({1001}),
        ends_views=True,
    ),
    asgi(
        "daphne-tls",
        "daphne",
        tls=("-e", "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"),
        early_bytes=True,
        covered=False,
        http_version=False,
        goodbye=frozenset({1001}),
        ends_views=True,
    ),
    # WebSocketProtocol.handle_reply() looks at nothing of an accept but its subprotocol, at nothing
    # of a close but its code, which sendClose() of autobahn checks, and sends what is true; it
    # never waits. autobahn echoes a code only if it is told to, and drops the
    # connection (dropConnection(abort=True)) when it has an answer to its Close. At SIGTERM
    # Server.kill_all_applications() cancels, unless a connection of which there is no application,
    # such as one that has just become a WebSocket, is a KeyError before.
    foreign(
        "daphne-untaken",
        *DAPHNE,
        *("--websocket-max-message-size", "4000000", "--websocket-max-frame-size", "4000000"),
        settings=UNTAKEN,
        covered=False,
        http_version=False,
        goodbye=frozenset({4001, None}),
        denies=False,
        codes=False,
        reasons=False,
        echoes_codes=False,
        ends_gently=False,
        tells_reasons=False,
        headers=False,
        empty_messages=False,
        paces=False,
        extra=True,
    ),
    asgi(
        "hypercorn",
        *HYPERCORN,
        refuses_early=True,
        goodbye=frozenset({1001}),
        ends_views=True,
    ),
    asgi(
        "hypercorn-tls",
        *HYPERCORN,
        tls=("--certfile", "{certificate}", "--keyfile", "{key}"),
        refuses_early=True,
        goodbye=frozenset({1001}),
        ends_views=True,
        extra=True,
    ),
    # WSStream takes a client's Close for the end of its stream, which is 1006. At SIGTERM it goes
    # on for its graceful time-out, then cancels, and when the first application has ended
    # asyncio.run() cancels again.
    # A client that knows may speak HTTP/2 without TLS, too.
    foreign("hypercorn-h2", *HYPERCORN, http2=True, tells_codes=False),
    foreign(
        "hypercorn-h2-tls",
        *HYPERCORN,
        tls=("--certfile", "{certificate}", "--keyfile", "{key}"),
        http2=True,
        covered=False,
        tells_codes=False,
    ),
    # Looks at no method (src/ws.rs), and does not tell it, as ASGI has it. Reads an accept's
    # subprotocol and a Close's code, and lets go of the connection when its own Close has been
    # written, whatever the client has sent (src/asgi/io.rs).
    foreign(
        "granian",
        *("granian", "--interface", "asgi", "--port", "{port}"),
        covered=False,
        checks_method=False,
        ends_gently=False,
        tells_reasons=False,
        waits_for_close=False,
        headers=False,
        cuts=False,
    ),
    asgi(
        "gunicorn-asgi",
        *GUNICORN_ASGI,
        loses_early=True,
        covered=False,
        goodbye=frozenset({1001}),
        ends_views=True,
    ),
    # gunicorn/asgi/websocket.py: its disconnect has a code alone. It unmasks byte by byte, which
    # takes seconds for a long message where coverage looks on.
    foreign(
        "gunicorn-asgi-untaken",
        *GUNICORN_ASGI,
        settings=UNTAKEN,
        covered=False,
        says_goodbye=True,
        ends_views=True,
        denies=False,
        tells_reasons=False,
        extra=True,
    ),
    uwsgi("uwsgi-nginx", "--nginx", "--threads", "8", proxied=True, covered=False),
    # Its front, and a process with handlers: what is said of descriptors, and of the process that
    # views run in, is not said of the one that is started here.
    Row(
        "gateway",
        ("-m", "django", "run_wsserver", "127.0.0.1:0", "--noreload"),
        package="zmq",
        goodbye=frozenset({1012}),
        few_threads=True,
        pages=False,
        covered=False,
        extra=True,
    ),
    haproxy("haproxy-gthread", *GTHREAD),
    haproxy("haproxy-gevent-tls", "--worker-class", "gevent", tls=True, coroutines=False),
]
