"""The sites of wsgi.py under ASGI."""

import django
from django.conf import settings
from django.test.utils import override_settings

from dwebsocket.asgi import get_websocket_application

from .wsgi import OURS

django.setup()


def build_site(middleware):
    with override_settings(MIDDLEWARE=middleware):
        return get_websocket_application()


plain_site = get_websocket_application()
mounted_sites = {
    "/middleware-last": build_site([*settings.MIDDLEWARE, OURS]),
    "/middleware-first": build_site([OURS, *settings.MIDDLEWARE]),
    "/bare": build_site([]),
}


async def application(scope, receive, send):
    for prefix, site in mounted_sites.items():
        if scope.get("path", "").startswith(prefix + "/"):
            await site({**scope, "root_path": prefix}, receive, send)
            return
    await plain_site(scope, receive, send)
