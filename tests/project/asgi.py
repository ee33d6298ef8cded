"""The sites of wsgi.py under ASGI."""

import django
from django.conf import settings

from dwebsocket.asgi import get_websocket_application

from . import wsgi

django.setup()


def build_site(middleware):
    return wsgi.build_site(middleware, get_websocket_application)


plain_site = get_websocket_application()
mounted_sites = {
    "/middleware-last": build_site([*settings.MIDDLEWARE, wsgi.OURS]),
    "/middleware-first": build_site([wsgi.OURS, *settings.MIDDLEWARE]),
    "/bare": build_site([]),
}


async def application(scope, receive, send):
    for prefix, site in mounted_sites.items():
        if scope.get("path", "").startswith(prefix + "/"):
            await site({**scope, "root_path": prefix}, receive, send)
            return
    await plain_site(scope, receive, send)
