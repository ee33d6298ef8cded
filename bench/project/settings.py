"""What `startproject` writes, as far as it matters here: all of its middleware, nothing added."""

import os

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

# Nobody here compresses: the same work for all. But see bench.offered.
WEBSOCKET_COMPRESSION = "BENCH_COMPRESSION" in os.environ
# Under ASGI: our own protocol, or the server's.
WEBSOCKET_TAKE_OVER = "BENCH_TAKE_OVER" not in os.environ
# A thread each for the 5,000 idle connections, on the server that works with threads.
WEBSOCKET_VIEW_THREADS = 6000
# The loads do not answer Pings.
WEBSOCKET_PING_INTERVAL = 600

# Both carry messages in the same way: in memory, or through Redis by publish and subscribe. Ours
# can let the machine's processes meet.
REDIS, PREFIX = os.environ.get("BENCH_REDIS"), os.environ.get("BENCH_PREFIX")
if REDIS:
    WEBSOCKET_GROUPS = {
        "BACKEND": "dwebsocket.groups.redis.RedisGroupBackend",
        "LOCATION": REDIS,
        "OPTIONS": {"PREFIX": PREFIX},
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # redis-py gives up after 5 seconds, and the layer waits as long for messages.
            "CONFIG": {
                "hosts": [{"address": REDIS, "socket_timeout": 60}],
                "prefix": PREFIX,
                "capacity": 100_000,
            },
        }
    }
else:
    backend = "machine.Machine" if os.environ.get("BENCH_CARRIER") else "memory.Memory"
    WEBSOCKET_GROUPS = {"BACKEND": f"dwebsocket.groups.{backend}GroupBackend"}
    WEBSOCKET_RUN_DIR = os.environ.get("BENCH_RUN_DIR") or f"/tmp/bench-{os.geteuid()}-{PREFIX}"
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.InMemoryChannelLayer",
            "CONFIG": {"capacity": 100_000},
        }
    }
