"""What `startproject` writes, as far as it matters here: all of its middleware, nothing added."""

SECRET_KEY = "only for the benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bench.project.urls"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "dwebsocket",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# Nobody here compresses: the same work for all.
WEBSOCKET_COMPRESSION = False
# A thread each for the 5,000 idle connections, on the server that works with threads.
WEBSOCKET_VIEW_THREADS = 6000
# The loads do not answer Pings.
WEBSOCKET_PING_INTERVAL = 600
