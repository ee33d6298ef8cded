"""Settings of the site that the test servers run.

A test changes single settings of one server process through DWEBSOCKET_TEST_SETTINGS, a JSON
object of names and values.
"""

import json
import os

SECRET_KEY = "only-for-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.project.urls"
WSGI_APPLICATION = "tests.project.wsgi.application"
USE_TZ = True
# Patching late, gevent looks at every object there is, and so does it at Django's static files.
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "dwebsocket",
]

# Django's seven defaults, as startproject writes them. wsgi.py adds our middleware for the
# addresses that shall have it.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DWEBSOCKET_TEST_DATABASE", ":memory:"),
    }
}

# Everything on stderr, once, so that a test that reads the log sees every traceback.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"django": {"handlers": [], "level": "INFO", "propagate": True}},
}

CSRF_TRUSTED_ORIGINS = ["https://trusted.test", "https://*.wild.test"]

# Short, so that a test of a peer that does not answer is short.
WEBSOCKET_CLOSE_TIMEOUT = 1.5

# Of those tests that run beside this one nothing is to be heard.
WEBSOCKET_RUN_DIR = os.environ.get("DWEBSOCKET_TEST_RUN_DIR")

if "DWEBSOCKET_TEST_NO_THREADS" in os.environ:
    from . import no_threads

    no_threads.obey(os.environ["DWEBSOCKET_TEST_NO_THREADS"])

globals().update(json.loads(os.environ.get("DWEBSOCKET_TEST_SETTINGS", "{}")))

if globals().get("WATCHED_BY_SENTRY"):
    from . import agents

    agents.start()
