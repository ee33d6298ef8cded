"""Settings of the gateway's examples. For a machine of your own only: DEBUG is on and the key is
public.
"""

import os
from pathlib import Path

DEBUG = True
SECRET_KEY = "only-for-the-examples"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = ["sockets", "dwebsocket"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "sockets.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

HERE = Path(__file__).parents[1]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DEMO_DATABASE", HERE / "db.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# Pages come from runserver, on another port: that is another origin.
WEBSOCKET_ALLOWED_ORIGINS = ["http://localhost:8000", "http://127.0.0.1:8000"]

DEFAULT_WS_HANDLERS = {
    "default": "sockets.handlers.EchoHandler",
    "visits": "sockets.handlers.VisitsHandler",
    "chat": "sockets.handlers.ChatHandler",
}
