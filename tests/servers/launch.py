"""Run the test site on one WSGI server, on a free port: python -m tests.servers.launch NAME.

These servers have no command line that prints the port it got, or none at all. Imports stand in
the functions because monkey patching must come before everything else.
"""

import argparse
import signal
import sys


def announce(port):
    print(f"LISTENING {port}", flush=True)


def load_application():
    from tests.project.wsgi import application

    return application


def run_wsgiref(options):
    from wsgiref.simple_server import make_server

    server = make_server("127.0.0.1", 0, load_application())
    announce(server.server_port)
    server.serve_forever()


def run_gevent(options):
    from gevent import monkey

    monkey.patch_all()
    run_gevent_unpatched(options)


def run_gevent_unpatched(options):
    from gevent import signal_handler
    from gevent.pywsgi import WSGIServer

    # In a greenlet of its own: one that is a thread of a view would keep the SystemExit to itself.
    signal_handler(signal.SIGTERM, sys.exit, 0)
    tls = {"certfile": options.certificate, "keyfile": options.key} if options.certificate else {}
    server = WSGIServer(("127.0.0.1", 0), load_application(), **tls)
    server.start()
    announce(server.server_port)
    server.serve_forever()


def run_eventlet(options):
    import eventlet

    eventlet.monkey_patch()
    from eventlet import wsgi

    listener = eventlet.listen(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if options.certificate:
        listener = eventlet.wrap_ssl(
            listener, certfile=options.certificate, keyfile=options.key, server_side=True
        )
    announce(port)
    wsgi.server(listener, load_application())


def run_werkzeug(options):
    from werkzeug.serving import make_server

    tls = (options.certificate, options.key) if options.certificate else None
    server = make_server("127.0.0.1", 0, load_application(), threaded=True, ssl_context=tls)
    announce(server.server_port)
    server.serve_forever()


def run_cheroot(options):
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), load_application(), numthreads=8)
    if options.certificate:
        server.ssl_adapter = BuiltinSSLAdapter(options.certificate, options.key)
    server.prepare()
    announce(server.bind_addr[1])
    server.serve()


def run_waitress(options):
    from waitress.server import create_server

    server = create_server(load_application(), host="127.0.0.1", port=0, threads=8)
    announce(server.effective_port)
    server.run()


SERVERS = {
    "wsgiref": run_wsgiref,
    "gevent": run_gevent,
    "gevent-unpatched": run_gevent_unpatched,
    "eventlet": run_eventlet,
    "werkzeug": run_werkzeug,
    "cheroot": run_cheroot,
    "waitress": run_waitress,
}

# wsgiref catches SystemExit inside a request, eventlet and cheroot wait until every request has
# ended. SIGTERM kills these at once, as it does by default.
KEEP_SERVING_AFTER_SYSTEM_EXIT = {"wsgiref", "eventlet", "cheroot"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()
    # End as an interpreter ends, with atexit and the joining of threads: what hangs there is found.
    if options.server not in KEEP_SERVING_AFTER_SYSTEM_EXIT:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    SERVERS[options.server](options)


if __name__ == "__main__":
    main()
