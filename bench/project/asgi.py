"""Our side of the project under ASGI."""

from dwebsocket.asgi import get_websocket_application

application = get_websocket_application()
