"""What every ASGI server loads: uvicorn --app-dir examples demo.asgi:application"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from dwebsocket.asgi import get_websocket_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")

# A site's own asgi.py says get_websocket_application(). Here plain HTTP has static files, too:
# those of demo/urls.py work as well, but Django warns of each file that it streams under ASGI.
application = get_websocket_application(ASGIStaticFilesHandler(get_asgi_application()))
