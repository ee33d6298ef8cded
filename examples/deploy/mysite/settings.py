"""Settings for production. What differs from machine to machine comes from the environment."""

import os
from pathlib import Path

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")

INSTALLED_APPS = ["dwebsocket"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).with_name("templates")],
    }
]
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"

# nginx ends TLS, and sets this header whatever the browser has sent. Without it a page of https://
# would be of another origin than the site's, and its WebSockets get a 403.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
# nginx redirects to https://; that browsers shall never ask otherwise is for you to decide.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

# A group reaches the clients of all processes, on whatever machine they are.
WEBSOCKET_GROUPS = {
    "BACKEND": "dwebsocket.groups.redis.RedisGroupBackend",
    "LOCATION": os.environ.get("REDIS", "redis://127.0.0.1:6379"),
    "OPTIONS": {"PREFIX": "mysite"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
