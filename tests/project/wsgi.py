"""Four sites in one process: without WebSocketMiddleware, with it last, with it first, and without
any middleware.

A server process is expensive and a second middleware list is not, so the sites differ by the
first part of the address: /…, /middleware-last/…, /middleware-first/… and /bare/….
"""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

django.setup()

OURS = "dwebsocket.middleware.WebSocketMiddleware"


def build_site(middleware):
    with override_settings(MIDDLEWARE=middleware):
        return WSGIHandler()


plain_site = WSGIHandler()
mounted_sites = {
    "/middleware-last": build_site([*settings.MIDDLEWARE, OURS]),
    "/middleware-first": build_site([OURS, *settings.MIDDLEWARE]),
    "/bare": build_site([]),
}


def application(environ, start_response):
    for prefix, site in mounted_sites.items():
        if environ["PATH_INFO"].startswith(prefix + "/"):
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
            return site(environ, start_response)
    return plain_site(environ, start_response)
