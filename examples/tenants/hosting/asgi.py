"""What every ASGI server loads: uvicorn --app-dir tenants hosting.asgi:application"""

import os

from dwebsocket.asgi import get_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hosting.settings")

application = get_websocket_application()
