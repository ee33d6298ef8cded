"""`manage.py check`: a bad value gives the error with its id, a good one gives none."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import override_settings

from dwebsocket import accept_websocket
from dwebsocket.checks import (
    check_backend,
    check_deployment,
    check_groups,
    check_listed_middleware,
    check_middleware,
    check_names,
    check_settings,
)
from dwebsocket.conf import DEFAULT_GROUPS, Conf
from dwebsocket.groups.workers import count_workers

from .site import MIDDLEWARE, OURS

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}
MEMORY = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}
REDIS = {"BACKEND": "dwebsocket.groups.redis.RedisGroupBackend", "LOCATION": "redis://x"}
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"


@pytest.fixture(autouse=True)
def sweepers_of_earlier_tests_go_on(monkeypatch):
    """They read settings, which change in no real process."""
    right = SimpleNamespace(PING_INTERVAL=20, PING_TIMEOUT=20)
    monkeypatch.setattr("dwebsocket.backends.sockets.sweeper.conf", right)


BAD = [
    ("E001", "FACTORY_CLASS", 5),
    ("E001", "FACTORY_CLASS", ""),
    ("E001", "FACTORY_CLASS", ".Factory"),
    ("E001", "FACTORY_CLASS", False),
    ("E001", "FACTORY_CLASS", "no_dots"),
    ("E001", "FACTORY_CLASS", "dwebsocket.nothing.Factory"),
    ("E001", "FACTORY_CLASS", "dwebsocket.conf.conf"),
    ("E001", "FACTORY_CLASS", "dwebsocket.conf.Conf"),
    ("E002", "ACCEPT_ALL", "yes"),
    ("E002", "ACCEPT_ALL", 1),
    ("E003", "ALLOWED_ORIGINS", "https://example.com"),
    ("E003", "ALLOWED_ORIGINS", 5),
    ("E003", "ALLOWED_ORIGINS", ["example.com"]),
    ("E003", "ALLOWED_ORIGINS", [5]),
    ("E003", "ALLOWED_ORIGINS", "https://*.example.com"),
    ("E003", "ALLOWED_ORIGINS", "*"),
    ("E003", "ALLOWED_ORIGINS", b"https://example.com"),
    ("E003", "ALLOWED_ORIGINS", {"https://example.com": True}),
    ("E003", "ALLOWED_ORIGINS", False),
    ("E003", "ALLOWED_ORIGINS", [None]),
    ("E003", "ALLOWED_ORIGINS", ["https://*"]),
    ("E003", "ALLOWED_ORIGINS", ["https://*."]),
    ("E003", "ALLOWED_ORIGINS", ["https://*.:8000"]),
    ("E003", "ALLOWED_ORIGINS", ["*://example.com"]),
    ("E003", "ALLOWED_ORIGINS", ["https://*.*"]),
    ("E003", "ALLOWED_ORIGINS", [["https://example.com"]]),
    ("E004", "MAX_MESSAGE_SIZE", 0),
    ("E004", "MAX_MESSAGE_SIZE", -1),
    ("E004", "MAX_MESSAGE_SIZE", 1.5),
    ("E004", "MAX_MESSAGE_SIZE", "1000"),
    ("E005", "PING_INTERVAL", 0),
    ("E005", "PING_INTERVAL", True),
    ("E006", "PING_TIMEOUT", -1),
    ("E006", "PING_TIMEOUT", "20"),
    ("E007", "CLOSE_TIMEOUT", None),
    ("E007", "CLOSE_TIMEOUT", -1),
    ("E024", "PRESENCE_GRACE", -1),
    ("E031", "HANDOVER", "yes"),
    ("E032", "HANDOVER_TIMEOUT", -1),
    ("E033", "DRAIN", None),
    ("E034", "TAKE_OVER", "no"),
    ("E008", "SEND_TIMEOUT", 0),
    ("E009", "MAX_CONNECTIONS", 0),
    ("E009", "MAX_CONNECTIONS", 2.5),
    ("E010", "LEGACY", "True"),
    ("E012", "COMPRESSION", None),
    ("E013", "COMPRESSION_CONTEXT_TAKEOVER", 15),
    ("E014", "MAX_SEND_BUFFER", 0),
    ("E014", "MAX_SEND_BUFFER", None),
    ("E014", "MAX_SEND_BUFFER", 1e6),
    ("E015", "VIEW_THREADS", -1),
    ("E015", "VIEW_THREADS", None),
    ("E015", "VIEW_THREADS", True),
    ("E016", "GROUPS", "memory"),
    ("E016", "GROUPS", None),
    ("E016", "GROUPS", {"BACKEND": 5}),
    ("E022", "GROUP_HISTORY", ["room.*"]),
    ("E022", "GROUP_HISTORY", None),
    ("E023", "RUN_DIR", 5),
    ("E023", "RUN_DIR", ""),
    ("E023", "RUN_DIR", "run"),
    ("E023", "RUN_DIR", b"/run"),
    ("E017", "ROOT_WS_URLCONF", 5),
    ("E017", "ROOT_WS_URLCONF", ""),
    ("E017", "ROOT_WS_URLCONF", ".ws_urls"),
    ("E017", "ROOT_WS_URLCONF", False),
    ("E017", "ROOT_WS_URLCONF", "no_such_module"),
    ("E017", "ROOT_WS_URLCONF", "dwebsocket.conf"),
    ("E017", "ROOT_WS_URLCONF", "tests.glue.django_ws.stranger_ws_urls"),
    ("E018", "WS_MIDDLEWARE", "tests.glue.django_ws.page.AuthAsyncMiddleware"),
    ("E018", "WS_MIDDLEWARE", None),
    ("E018", "WS_MIDDLEWARE", ["no_such_module.Middleware"]),
    ("E018", "WS_MIDDLEWARE", ["dwebsocket.conf.UNLIMITED"]),
    ("E018", "WS_MIDDLEWARE", [5]),
    ("E018", "WS_MIDDLEWARE", [""]),
    ("E018", "WS_MIDDLEWARE", False),
    ("E019", "CONTEXTS", "dwebsocket.contexts.tenant"),
    ("E019", "CONTEXTS", None),
    ("E019", "CONTEXTS", ["no_such_module.context"]),
    ("E019", "CONTEXTS", ["dwebsocket.contexts.no_such_context"]),
    ("E019", "CONTEXTS", ["dwebsocket.conf.UNLIMITED"]),
    ("E019", "CONTEXTS", [5]),
]
#: What no number of seconds or bytes is; environment variables are text.
NO_NUMBERS = ["20", "1MB", "", "None", True, False, [20], b"20", Decimal(20), 1j, -1, 1 << 63]
FLOATS = [nan, inf, -inf, -0.5]
NUMBERS = {
    "MAX_MESSAGE_SIZE": ("E004", [*NO_NUMBERS, *FLOATS, 0, 1.5, 10**400]),
    "PING_INTERVAL": ("E005", [*NO_NUMBERS, *FLOATS, 0, 0.0, 10**400]),
    "PING_TIMEOUT": ("E006", [*NO_NUMBERS, *FLOATS, 0, 0.0]),
    "CLOSE_TIMEOUT": ("E007", [*NO_NUMBERS, *FLOATS, None]),
    "PRESENCE_GRACE": ("E024", [*NO_NUMBERS, *FLOATS, None]),
    "RESUME_TIMEOUT": ("E026", [*NO_NUMBERS, *FLOATS, None]),
    "HANDOVER_TIMEOUT": ("E032", [*NO_NUMBERS, *FLOATS, None]),
    "DRAIN": ("E033", [*NO_NUMBERS, *FLOATS, None]),
    "SEND_TIMEOUT": ("E008", [*NO_NUMBERS, *FLOATS, 0, 0.0]),
    "MAX_CONNECTIONS": ("E009", [*NO_NUMBERS, *FLOATS, 0, 2.5]),
    "MAX_SEND_BUFFER": ("E014", [*NO_NUMBERS, *FLOATS, 0, None, 1e6]),
    "VIEW_THREADS": ("E015", [*NO_NUMBERS, *FLOATS, None, 1e3]),
}
FLAGS = {
    "ACCEPT_ALL": "E002",
    "LEGACY": "E010",
    "COMPRESSION": "E012",
    "COMPRESSION_CONTEXT_TAKEOVER": "E013",
    "GROUPS_ON_COMMIT": "E021",
    "FALLBACK": "E025",
    "TAKE_OVER": "E034",
}
BAD += [(check, name, value) for name, (check, values) in NUMBERS.items() for value in values]
BAD += [
    (check, name, value)
    for name, check in FLAGS.items()
    for value in ["False", "no", "", "0", 0, 1, None, [], [True]]
]
GOOD = [
    ("GROUPS", {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}),
    ("GROUPS", {"BACKEND": "dwebsocket.groups.redis.RedisGroupBackend", "LOCATION": "redis://x"}),
    ("FACTORY_CLASS", None),
    ("FACTORY_CLASS", "dwebsocket.backends.default.factory.WebSocketFactory"),
    ("ALLOWED_ORIGINS", None),
    ("ALLOWED_ORIGINS", ["*"]),
    ("ALLOWED_ORIGINS", ("https://example.com", "http://*.example.com:8000")),
    ("MAX_MESSAGE_SIZE", None),
    ("MAX_MESSAGE_SIZE", 1),
    ("PING_INTERVAL", None),
    ("PING_INTERVAL", 0.5),
    ("PING_TIMEOUT", None),
    ("CLOSE_TIMEOUT", 0),
    ("PRESENCE_GRACE", 0),
    ("RESUME_TIMEOUT", 0),
    ("FALLBACK", False),
    ("TAKE_OVER", False),
    ("HANDOVER_TIMEOUT", 0),
    ("DRAIN", 0),
    ("SEND_TIMEOUT", None),
    ("MAX_CONNECTIONS", None),
    ("MAX_CONNECTIONS", 1),
    ("MAX_SEND_BUFFER", 1),
    ("VIEW_THREADS", 0),
    ("VIEW_THREADS", 4),
    ("LEGACY", True),
    ("ALLOWED_ORIGINS", {"https://example.com", "capacitor://localhost", "file://"}),
    ("ALLOWED_ORIGINS", ["wss://example.com/"]),
    ("PING_INTERVAL", 1_000_000),
    ("MAX_MESSAGE_SIZE", 1 << 62),
    ("ROOT_WS_URLCONF", None),
    ("ROOT_WS_URLCONF", "tests.glue.django_ws.ws_urls"),
    ("WS_MIDDLEWARE", []),
    ("WS_MIDDLEWARE", ("tests.glue.django_ws.page.AuthAsyncMiddleware",)),
    ("CONTEXTS", []),
    ("GROUPS", {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"}),
    ("GROUPS_ON_COMMIT", True),
    ("GROUP_HISTORY", {}),
    ("GROUP_HISTORY", {"room.*": {"size": 100, "seconds": 300}, "price.*": {"cache": True}}),
    ("RUN_DIR", None),
    ("RUN_DIR", "/run/mysite"),
    ("RUN_DIR", Path("/run/mysite")),
    ("CONTEXTS", ("dwebsocket.contexts.tenant", "dwebsocket.contexts.current_request")),
]
#: The names that django-ws gave them.
UNPREFIXED = {"ROOT_WS_URLCONF", "WS_MIDDLEWARE"}


def full_name(name):
    return name if name in UNPREFIXED else f"WEBSOCKET_{name}"


@pytest.mark.parametrize(("check_id", "name", "value"), BAD)
def test_bad_value(check_id, name, value):
    with override_settings(**{full_name(name): value}):
        found = check_settings()
        assert check_middleware() == []
    assert [message.id for message in found] == [f"dwebsocket.{check_id}"]
    assert found[0].is_serious()
    assert found[0].msg.startswith(full_name(name))
    assert shown(value) in found[0].msg


def shown(value):
    """What is wrong of it: an entry of a list, perhaps, or of a dictionary."""
    return repr(value[0] if isinstance(value, list) and value else value)


@pytest.mark.parametrize(("check_id", "name", "value"), BAD)
def test_a_bad_value_is_told_by_the_first_handshake_in_the_words_of_its_check(
    site, caplog, check_id, name, value
):
    with override_settings(**{full_name(name): value}):
        [message] = check_settings()
    client = site.serve(greet, **{full_name(name): value})
    raw = site.connect()
    raw.send_request("/")
    assert raw.read_response().status == 500
    assert raw.read_to_eof() == b""
    raw.join()
    [record] = [record for record in caplog.records if record.name == "django.request"]
    error = record.exc_info[1]
    assert isinstance(error, ImproperlyConfigured)
    assert str(error).removesuffix(".") == message.msg.removesuffix(".")
    assert client.get("/").content == b"plain"


@accept_websocket
def greet(request):
    return HttpResponse("plain")


BAD_WITHOUT_PREFIX = [
    ("E017", "ROOT_WS_URLCONF", "nowhere.ws_urls", "No module named 'nowhere'"),
    ("E017", "ROOT_WS_URLCONF", "dwebsocket.conf", "has no list of urlpatterns"),
    ("E018", "WS_MIDDLEWARE", "mysite.middleware.Auth", "must be a list of dotted paths"),
    ("E018", "WS_MIDDLEWARE", ["nowhere.Auth"], "No module named 'nowhere'"),
]


@pytest.mark.parametrize(("check_id", "name", "value", "why"), BAD_WITHOUT_PREFIX)
def test_bad_value_of_a_setting_without_our_prefix(check_id, name, value, why):
    with override_settings(**{name: value}):
        [message] = check_settings()
    assert message.id == f"dwebsocket.{check_id}"
    assert message.msg.startswith(name)
    assert why in message.msg
    assert shown(value) in message.msg


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({5: {"size": 10}}, "A key of WEBSOCKET_GROUP_HISTORY is 5"),
        ({"": {"size": 10}}, "A key of WEBSOCKET_GROUP_HISTORY is ''"),
        ({"room.*": 100}, "WEBSOCKET_GROUP_HISTORY['room.*'] is 100"),
        ({"room.*": {}}, "WEBSOCKET_GROUP_HISTORY['room.*'] is {}"),
        ({"room.*": {"size": 0}}, "WEBSOCKET_GROUP_HISTORY['room.*']['size'] is 0"),
        ({"room.*": {"size": 9, "seconds": "60"}}, "['room.*']['seconds'] is '60'"),
        ({"room.*": {"size": 9, "age": 60}}, "'age'"),
        ({"room.*": {"cache": "yes"}}, "['room.*']['cache'] is 'yes'"),
    ],
)
def test_a_bad_entry_of_the_histories(value, words):
    with override_settings(WEBSOCKET_GROUP_HISTORY=value):
        [message] = check_settings()
    assert message.id == "dwebsocket.E022"
    assert words in message.msg


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_good_value(name, value):
    with override_settings(**{full_name(name): value}):
        assert check_settings() == []


@override_settings(ROOT_URLCONF="tests.glue.django_ws.broken.urls")
def test_the_urlconf_that_is_found_without_a_setting_is_looked_at():
    [message] = check_settings()
    assert message.id == "dwebsocket.E017"
    assert "'tests.glue.django_ws.broken.ws_urls', which cannot be imported" in message.msg


def test_defaults_are_good():
    assert run_checks() == []


def test_import_error_is_told():
    with override_settings(WEBSOCKET_FACTORY_CLASS="no.such.Factory"):
        [message] = check_settings()
    assert "No module named 'no'" in message.msg
    assert "dwebsocket.backends.default.factory.WebSocketFactory" in message.msg


@override_settings(WEBSOCKET_ACCEPT_ALL=True, MIDDLEWARE=MIDDLEWARE)
def test_accept_all_needs_the_middleware():
    [message] = check_middleware()
    assert message.id == "dwebsocket.W001"
    assert not message.is_serious()
    assert OURS in message.hint


@override_settings(WEBSOCKET_ACCEPT_ALL=True, MIDDLEWARE=[*MIDDLEWARE, OURS, LOGIN_REQUIRED])
def test_guards_come_before_the_middleware():
    [message] = check_middleware()
    assert message.id == "dwebsocket.E011"
    assert LOGIN_REQUIRED in message.msg


@pytest.mark.parametrize(
    "middleware",
    [
        [*MIDDLEWARE, OURS],
        [*MIDDLEWARE, LOGIN_REQUIRED, OURS],
        [OURS, *MIDDLEWARE],  # CsrfViewMiddleware's process_view does nothing for GET
    ],
)
def test_good_orders(middleware):
    with override_settings(WEBSOCKET_ACCEPT_ALL=True, MIDDLEWARE=middleware):
        assert check_middleware() == []


@override_settings(MIDDLEWARE=[OURS, LOGIN_REQUIRED])
def test_order_does_not_matter_without_accept_all():
    assert check_middleware() == []


def test_manage_py_check(tmp_path):
    (tmp_path / "checked_site.py").write_text(
        "SECRET_KEY = 'only-for-tests'\n"
        "INSTALLED_APPS = ['dwebsocket']\n"
        "WEBSOCKET_PING_INTERVAL = 'often'\n"
        "WEBSOCKET_ACCEPT_ALL = True\n"
        f"WEBSOCKET_GROUPS = {{**{REDIS!r}, 'LOCATION': 'redis://[::1:6379'}}\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "django", "check", "--settings", "checked_site"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert "(dwebsocket.E005) WEBSOCKET_PING_INTERVAL is 'often'" in result.stderr
    assert "(dwebsocket.W001)" in result.stderr
    assert (
        "(dwebsocket.E016) WEBSOCKET_GROUPS, LOCATION redis://[::1:6379: Invalid IPv6 URL."
        in result.stderr
    )


def test_each_setting_has_an_id_of_its_own():
    pairs = {(check_id, name) for check_id, name, *_ in [*BAD, *BAD_WITHOUT_PREFIX]}
    assert len({check_id for check_id, _ in pairs}) == len(pairs)
    assert {name for _, name in pairs} == {name for name in vars(Conf) if name.isupper()}


#: Django's, that stand for ours where those are not set.
BAD_OF_DJANGO = [
    ("E003", "CSRF_TRUSTED_ORIGINS", "https://*.example.com"),
    ("E003", "CSRF_TRUSTED_ORIGINS", ["*"]),
    ("E003", "CSRF_TRUSTED_ORIGINS", ["example.com"]),
    ("E003", "CSRF_TRUSTED_ORIGINS", None),
    *(
        ("E004", "DATA_UPLOAD_MAX_MEMORY_SIZE", value)
        for value in ["2621440", "2.5MB", "", True, nan, inf, -1, [5], 1 << 63]
    ),
]


@pytest.mark.parametrize(("check_id", "name", "value"), BAD_OF_DJANGO)
def test_a_bad_value_of_a_setting_of_django(site, caplog, check_id, name, value):
    with override_settings(**{name: value}):
        [message] = check_settings()
        with override_settings(
            WEBSOCKET_ALLOWED_ORIGINS=["https://example.com"], WEBSOCKET_MAX_MESSAGE_SIZE=5
        ):
            assert check_settings() == []
    assert message.id == f"dwebsocket.{check_id}"
    assert message.msg.startswith(name)
    assert shown(value) in message.msg
    site.serve(greet, **{name: value})
    client = site.connect()
    client.send_request("/")
    assert client.read_response().status == 500
    client.join()
    [record] = [record for record in caplog.records if record.name == "django.request"]
    assert record.exc_info[0] is ImproperlyConfigured


@pytest.mark.parametrize(
    "options",
    [
        {"CLUSTER": "False"},
        {"CLUSTER": 1},
        {"SENTINEL": True},
        {"SENTINEL": ""},
        {"PREFIX": 5},
        {"PREFIX": None},
        {"socket_timeout": inf},
        {"socket_timeout": nan},
        {"socket_timeout": True},
        {"socket_timeout": "5"},
        {"health_check_interval": False},
        {"max_connections": True},
    ],
)
def test_a_bad_option(options):
    [(name, value)] = options.items()
    with override_settings(WEBSOCKET_GROUPS={**REDIS, "OPTIONS": options}):
        [message] = check_settings()
    assert message.id == "dwebsocket.E016"
    assert name in message.msg
    assert f"is {value!r}, it must be" in message.msg


def test_a_bad_setting_that_the_groups_read_is_told_once():
    with override_settings(WEBSOCKET_SEND_TIMEOUT="20", WEBSOCKET_GROUPS=REDIS):
        [message] = check_settings()
    assert message.id == "dwebsocket.E008"


@pytest.mark.parametrize("options", [{}, {"CLUSTER": True}, {"SENTINEL": "chat"}])
@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("redis://:se/12cret@host:6379", "percent-encoded"),
        ("redis://:se#12cret@host:6379", "percent-encoded"),
        ("redis://:se?12cret@host:6379", "percent-encoded"),
        ("redis://:se@1/2cret@host:6379", "percent-encoded"),
        ("redis://:12/secret@host:6379", "percent-encoded"),  # the port would be 12
        ("redis://:12#secret@host:6379", "percent-encoded"),
        ("redis://:12?secret@host:6379", "percent-encoded"),
        ("redis://user:12secret/@host", "percent-encoded"),
        ("unix://:12/secret@/run/redis.sock", "percent-encoded"),
        ("redis://:12secret℀@host", "percent-encoded"),
        ("redis://:12[secret@host", "Invalid IPv6 URL"),
        ("redis://:12@secret@host:port", "the port, behind the last colon, is not a number"),
        ("redis://host:port", "the port, behind the last colon, is not a number"),
        ("redis://:12secret@host:63:79", "the port, behind the last colon, is not a number"),
        ("redis://[::1:6379", "Invalid IPv6 URL"),
        ("redis//:12secret@host", "must be a URL"),
        ({"host": "x", "password": "12secret"}, "must be a URL"),
        (["redis://host", ":12secret@host"], "must be a URL"),
    ],
)
def test_a_bad_location_is_told_without_a_piece_of_its_password(location, text, options):
    setting = {**REDIS, "LOCATION": location, "OPTIONS": options}
    with override_settings(WEBSOCKET_GROUPS=setting):
        [message] = check_settings()
    assert message.id == "dwebsocket.E016"
    assert text in message.msg
    assert not re.search("12|se[^t ]?cret|cret", message.msg)


@pytest.mark.parametrize("options", [{}, {"CLUSTER": True}, {"SENTINEL": "chat"}])
@pytest.mark.parametrize(
    "location",
    [
        "redis://:se%2F12cret@host",
        "redis://:se@12cret@host",  # the last one ends it
        "redis://:secret@host:6379/0?client_name=a@b",
        "redis://host?client_name=a@b",
        "redis://[::1]:6379/0",
    ],
)
def test_good_locations(location, options):
    with override_settings(WEBSOCKET_GROUPS={**REDIS, "LOCATION": location, "OPTIONS": options}):
        assert check_settings() == []


@pytest.mark.parametrize("location", ["unix:///run/r@dis.sock", "unix://:secret@/run/redis.sock"])
def test_good_sockets(location):
    with override_settings(WEBSOCKET_GROUPS={**REDIS, "LOCATION": location}):
        assert check_settings() == []


@pytest.mark.parametrize(
    "setting",
    [
        "redis://:12secret@host",
        {"BACKENDS": REDIS["BACKEND"], "LOCATION": "redis://:12secret@host"},
        {**REDIS, "OPTIONS": [("password", "12secret")]},
    ],
)
def test_a_bad_setting_is_told_without_its_password(setting):
    with override_settings(WEBSOCKET_GROUPS=setting):
        [message] = check_settings()
    assert message.id == "dwebsocket.E016"
    assert "must be a dictionary" in message.msg
    assert "12secret" not in message.msg


WORKERS = [
    ({"WEB_CONCURRENCY": "4"}, None, "WEB_CONCURRENCY asks for 4"),
    ({"GUNICORN_CMD_ARGS": "--bind :80 --workers=3"}, None, "GUNICORN_CMD_ARGS asks for 3"),
    ({"GUNICORN_CMD_ARGS": "-w 2"}, None, "GUNICORN_CMD_ARGS asks for 2"),
    ({}, "bind = ':80'\nworkers = 5\n", "The configuration file of gunicorn asks for 5"),
    ({"WEB_CONCURRENCY": "4"}, "workers = 1\n", None),
    ({"WEB_CONCURRENCY": "1"}, None, None),
    ({"UVICORN_WORKERS": "4"}, None, "UVICORN_WORKERS asks for 4"),
    ({"GRANIAN_WORKERS": "4"}, None, "GRANIAN_WORKERS asks for 4"),
    ({}, "workers = 'several'", None),
    ({}, "this is no Python", None),
    ({}, None, None),
]


#: All that any of the servers reads.
VARIABLES = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS")


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A directory without a file, an environment without a number of workers."""
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def on_command_line(server):
    return f"The command line of {server}"


FILE = "The configuration file of gunicorn"


@pytest.mark.parametrize(
    ("command_line", "found"),
    [
        ("/usr/bin/gunicorn mysite.wsgi -w 4", (on_command_line("gunicorn"), 4)),
        ("/lib/gunicorn/__main__.py -w 1 --workers=3", (on_command_line("gunicorn"), 3)),
        ("uvicorn mysite.asgi --workers 2", (on_command_line("uvicorn"), 2)),
        ("hypercorn mysite.asgi -w2", (on_command_line("hypercorn"), 2)),
        ("granian --workers 2 --interface asgi", (on_command_line("granian"), 2)),
        ("uvicorn mysite.asgi", None),
        ("uvicorn mysite.asgi --workers 1", None),
        ("manage.py loads --workers 8", None),
    ],
)
def test_workers_on_a_command_line(monkeypatch, bare, command_line, found):
    monkeypatch.setattr("sys.argv", command_line.split())
    assert count_workers() == found


@pytest.mark.parametrize(
    ("command_line", "heeded"),
    [
        ("gunicorn mysite.wsgi", ["GUNICORN_CMD_ARGS", FILE, "WEB_CONCURRENCY"]),
        ("uvicorn mysite.asgi", ["UVICORN_WORKERS", "WEB_CONCURRENCY"]),
        ("granian mysite.asgi", ["GRANIAN_WORKERS"]),
        ("hypercorn mysite.asgi", []),
        ("daphne mysite.asgi:application", []),
        ("waitress-serve mysite.wsgi:application", []),
        ("/lib/waitress/__main__.py mysite.wsgi:application", []),
        ("/lib/cheroot/__main__.py mysite.wsgi:application", []),
        (
            "manage.py check",
            ["GUNICORN_CMD_ARGS", FILE, "WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS"],
        ),
    ],
)
def test_a_server_is_asked_for_what_it_heeds_itself(monkeypatch, bare, command_line, heeded):
    """The strongest first; what other servers read says nothing about it."""
    monkeypatch.setattr("sys.argv", command_line.split())
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 4")
    for name in VARIABLES[1:]:
        monkeypatch.setenv(name, "4")
    file = bare / "gunicorn.conf.py"
    file.write_text("workers = 4")
    for source in heeded:
        assert count_workers() == (source, 4)
        file.unlink() if source == FILE else monkeypatch.delenv(source)
    assert count_workers() is None


@pytest.mark.parametrize(
    ("command_line", "arguments", "found"),
    [
        ("gunicorn -c conf/production.py mysite.wsgi", "", (FILE, 6)),
        ("gunicorn --config=conf/production.py mysite.wsgi", "", (FILE, 6)),
        ("gunicorn --config file:conf/production.py mysite.wsgi", "", (FILE, 6)),
        ("gunicorn mysite.wsgi", "-c conf/production.py", (FILE, 6)),
        ("gunicorn -c conf/production.py mysite.wsgi", "-c gunicorn.conf.py", (FILE, 6)),
        ("gunicorn -c python:conf.production mysite.wsgi", "", None),
        ("gunicorn -c conf/none.py mysite.wsgi", "", None),
        ("gunicorn mysite.wsgi", "", (FILE, 2)),
        ("manage.py loads -c conf/production.py", "", (FILE, 2)),
    ],
)
def test_the_configuration_file_that_gunicorn_reads(
    monkeypatch, bare, command_line, arguments, found
):
    (bare / "conf").mkdir()
    (bare / "conf/production.py").write_text("workers = 6")
    (bare / "gunicorn.conf.py").write_text("workers = 2")
    monkeypatch.setattr("sys.argv", command_line.split())
    monkeypatch.setenv("GUNICORN_CMD_ARGS", arguments)
    assert count_workers() == found


@pytest.mark.parametrize(("processes", "found"), [(1, None), (3, ("uWSGI", 3))])
def test_uwsgi_says_it_itself(monkeypatch, bare, processes, found):
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(numproc=processes))
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    assert count_workers() == found


@pytest.mark.parametrize(("environment", "configuration", "text"), WORKERS)
def test_groups_of_one_process_and_several_workers(
    monkeypatch, bare, environment, configuration, text
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if configuration is not None:
        (bare / "gunicorn.conf.py").write_text(configuration)
    with override_settings(WEBSOCKET_GROUPS=MEMORY):
        found = check_groups()
    assert [message.id for message in found] == (["dwebsocket.W002"] if text else [])
    if text:
        assert re.match(text, found[0].msg)
        assert not found[0].is_serious()
        assert found[0].hint.startswith("Leave WEBSOCKET_GROUPS out")
    for setting in (REDIS, MACHINE, DEFAULT_GROUPS):
        with override_settings(WEBSOCKET_GROUPS=setting):
            assert check_groups() == []
    (bare / "a file").touch()
    with override_settings(WEBSOCKET_GROUPS=DEFAULT_GROUPS, WEBSOCKET_RUN_DIR=str(bare / "a file")):
        found = check_groups()  # the default cannot be what it is meant to be
    assert [message.id for message in found] == (["dwebsocket.W002"] if text else [])
    if text:
        assert "would be reached, but the run directory" in found[0].hint


MISSPELT = [
    ("WEBSOCKET_ALLOWED_ORIGIN", "WEBSOCKET_ALLOWED_ORIGINS"),
    ("WEBSOCKET_ORIGINS", "WEBSOCKET_ALLOWED_ORIGINS"),
    ("WEBSOCKET_PING_INTERVALL", "WEBSOCKET_PING_INTERVAL"),
    ("WEBSOCKET_PINGTIMEOUT", "WEBSOCKET_PING_TIMEOUT"),
    ("WEBSOCKET_MAX_MESSAGES_SIZE", "WEBSOCKET_MAX_MESSAGE_SIZE"),
    ("WEBSOCKET_GROUP", "WEBSOCKET_GROUPS"),
    ("WEBSOCKETS_GROUPS", "WEBSOCKET_GROUPS"),
    ("DWEBSOCKET_LEGACY", "WEBSOCKET_LEGACY"),
    ("WEB_SOCKET_ACCEPT_ALL", "WEBSOCKET_ACCEPT_ALL"),
    ("WEBSOCKET_FACTORY", "WEBSOCKET_FACTORY_CLASS"),
    ("WS_PING_INTERVAL", "WEBSOCKET_PING_INTERVAL"),
    ("WS_MIDDLEWARES", "WS_MIDDLEWARE"),
    ("ROOT_WS_URLCONFS", "ROOT_WS_URLCONF"),
]


@pytest.mark.parametrize(("name", "meant"), MISSPELT)
def test_a_misspelt_setting(name, meant):
    with override_settings(**{name: None}):
        [message] = check_names()
    assert message.id == "dwebsocket.W004"
    assert message.msg == f"Nobody reads {name}: dwebsocket has no setting of this name."
    assert f"Do you mean {meant}?" in message.hint


def test_our_own_settings_are_not_misspelt():
    ours = {full_name(name): None for name in vars(Conf) if name.isupper()}
    with override_settings(**ours):
        assert check_names() == []


@pytest.mark.parametrize(
    "name", ["WEBSOCKET_URL", "WEBSOCKET_HOST", "WEBSOCKET_PORT", "WS_URL", "SOCKET_DIR", "GROUPS"]
)
def test_settings_of_others_are_left_alone(name):
    with override_settings(**{name: "x"}):
        assert check_names() == []


LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}


def test_channel_layers_without_channels():
    with override_settings(CHANNEL_LAYERS=LAYERS):
        [message] = check_names()
    assert message.id == "dwebsocket.W005"
    assert "CHANNEL_LAYERS is read by Channels alone" in message.msg
    assert "WEBSOCKET_GROUPS: {'BACKEND': 'dwebsocket.groups.redis" in message.hint
    with override_settings(CHANNEL_LAYERS=LAYERS, WEBSOCKET_GROUPS=REDIS):
        assert check_names() == []


def test_our_middleware_is_listed_twice():
    with override_settings(MIDDLEWARE=[OURS, *MIDDLEWARE, OURS]):
        [message] = check_listed_middleware()
        assert check_middleware() == []
    assert message.id == "dwebsocket.W006"
    assert f"lists {OURS!r} more than once" in message.msg
    assert message.hint == "Remove all but the last one."


def test_middleware_classes():
    with override_settings(MIDDLEWARE_CLASSES=[OURS]):
        [message] = check_listed_middleware()
    assert message.id == "dwebsocket.W007"
    assert "MIDDLEWARE_CLASSES is not read by Django any more" in message.msg
    assert "List it in MIDDLEWARE." in message.hint


@override_settings(
    WEBSOCKET_FACTORY_CLASS="dwebsocket.backends.uwsgi.factory.uWsgiWebSocketFactory"
)
def test_the_backend_for_uwsgi_where_none_runs():
    [message] = check_backend()
    assert message.id == "dwebsocket.W008"
    assert "this process is not run by uWSGI" in message.msg
    assert "Remove the setting" in message.hint


@pytest.mark.parametrize(
    ("check_id", "changed", "text"),
    [
        ("W009", {"WEBSOCKET_ALLOWED_ORIGINS": ["*"]}, "a page of any site can open WebSockets"),
        ("W010", {"WEBSOCKET_MAX_MESSAGE_SIZE": None}, "no limit to the size of a message"),
        ("W010", {"DATA_UPLOAD_MAX_MEMORY_SIZE": None}, "no limit to the size of a message"),
        ("W011", {"WEBSOCKET_PING_INTERVAL": None}, "holds its connection for ever"),
        ("W011", {"WEBSOCKET_PING_TIMEOUT": None}, "holds its connection for ever"),
    ],
)
def test_what_is_not_for_a_site_in_the_open(check_id, changed, text):
    with override_settings(**changed):
        [message] = check_deployment()
        assert run_checks() == []
        found = {one.id for one in run_checks(include_deployment_checks=True)}
    assert message.id == f"dwebsocket.{check_id}"
    assert text in message.msg
    assert message.id in found


def test_defaults_are_for_a_site_in_the_open():
    assert check_deployment() == []


def test_what_is_wrong_is_left_to_its_own_check():
    with override_settings(WEBSOCKET_PING_INTERVAL="20", WEBSOCKET_FACTORY_CLASS=5):
        assert check_deployment() == check_backend() == []
