"""Every setting: its default, a value, and that the value counts from the moment it is set."""

import pytest
from django.test import override_settings

from dwebsocket.conf import Conf, conf

from .test_checks import full_name

DEFAULTS = {
    "FACTORY_CLASS": None,
    "ACCEPT_ALL": False,
    "ALLOWED_ORIGINS": [],
    "MAX_MESSAGE_SIZE": 2_621_440,  # Django's DATA_UPLOAD_MAX_MEMORY_SIZE
    "PING_INTERVAL": 20,
    "PING_TIMEOUT": 20,
    "CLOSE_TIMEOUT": 2,  # as this site sets it
    "SEND_TIMEOUT": 20,
    "MAX_SEND_BUFFER": 1 << 20,
    "VIEW_THREADS": 1000,
    "MAX_CONNECTIONS": None,
    "GROUPS": {"BACKEND": "dwebsocket.groups.machine.MachineGroupBackend"},
    "GROUPS_ON_COMMIT": False,
    "GROUP_HISTORY": {},
    "PRESENCE_GRACE": 15,
    "FALLBACK": True,
    "TAKE_OVER": True,
    "RESUME_TIMEOUT": 30,
    "HANDOVER": False,
    "HANDOVER_TIMEOUT": 10,
    "DRAIN": 30,
    "COMPRESSION": True,
    "COMPRESSION_CONTEXT_TAKEOVER": False,
    "LEGACY": False,
    "ROOT_WS_URLCONF": None,
    "WS_MIDDLEWARE": [],
    "CONTEXTS": [],
    "RUN_DIR": None,
}
VALUES = {
    "FACTORY_CLASS": "dwebsocket.backends.default.factory.WebSocketFactory",
    "ACCEPT_ALL": True,
    "ALLOWED_ORIGINS": ["https://other.test"],
    "MAX_MESSAGE_SIZE": 1000,
    "PING_INTERVAL": 1.5,
    "PING_TIMEOUT": 2.5,
    "CLOSE_TIMEOUT": 0,
    "SEND_TIMEOUT": 3,
    "MAX_SEND_BUFFER": 5000,
    "VIEW_THREADS": 0,
    "GROUPS": {"BACKEND": "mysite.groups.Backend"},
    "GROUPS_ON_COMMIT": True,
    "RUN_DIR": "/run/mysite",
    "PRESENCE_GRACE": 0,
    "FALLBACK": False,
    "TAKE_OVER": False,
    "RESUME_TIMEOUT": 0,
    "HANDOVER": True,
    "HANDOVER_TIMEOUT": 2.5,
    "DRAIN": 0,
    "COMPRESSION": False,
    "COMPRESSION_CONTEXT_TAKEOVER": True,
    "MAX_CONNECTIONS": 7,
    "LEGACY": True,
    "ROOT_WS_URLCONF": "mysite.sockets",
    "WS_MIDDLEWARE": ["mysite.middleware.AuthAsyncMiddleware"],
    "CONTEXTS": ["mysite.contexts.tenant"],
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_default(name):
    assert getattr(conf, name) == DEFAULTS[name]


@pytest.mark.parametrize("name", VALUES)
def test_value_counts_while_it_is_set(name):
    before = getattr(conf, name)
    with override_settings(**{full_name(name): VALUES[name]}):
        assert getattr(conf, name) == VALUES[name]
    assert getattr(conf, name) == before != VALUES[name]


def test_the_rules_of_histories():
    value = {"room.*": {"size": 100, "seconds": 300}, "price.*": {"cache": True}}
    with override_settings(WEBSOCKET_GROUP_HISTORY=value):
        assert conf.GROUP_HISTORY["room.*"] == (100, 300, False)
        assert conf.GROUP_HISTORY["price.*"][2] is True
    assert conf.GROUP_HISTORY == {}


def test_close_timeout_is_5_seconds():
    from django.conf import settings

    with override_settings(SECRET_KEY="any change makes conf look again"):
        del settings.WEBSOCKET_CLOSE_TIMEOUT
        assert conf.CLOSE_TIMEOUT == 5


@pytest.mark.parametrize("name", ["PING_INTERVAL", "PING_TIMEOUT", "SEND_TIMEOUT"])
def test_none_turns_a_timeout_off(name):
    with override_settings(**{f"WEBSOCKET_{name}": None}):
        assert getattr(conf, name) is None


@override_settings(WEBSOCKET_MAX_MESSAGE_SIZE=None)
def test_messages_without_a_limit():
    assert conf.MAX_MESSAGE_SIZE > 1 << 60


def test_message_size_follows_uploads():
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=5000):
        assert conf.MAX_MESSAGE_SIZE == 5000
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=None):
        assert conf.MAX_MESSAGE_SIZE > 1 << 60


@override_settings(CSRF_TRUSTED_ORIGINS=["https://trusted.test"])
def test_trusted_origins_are_allowed_unless_the_setting_says_others():
    assert conf.ALLOWED_ORIGINS == ["https://trusted.test"]
    with override_settings(WEBSOCKET_ALLOWED_ORIGINS=("https://other.test",)):
        assert conf.ALLOWED_ORIGINS == ["https://other.test"]
    with override_settings(WEBSOCKET_ALLOWED_ORIGINS=[]):
        assert conf.ALLOWED_ORIGINS == []


def test_every_setting_is_tested_and_documented():
    names = {name for name in vars(Conf) if name.isupper()}
    assert names - DEFAULTS.keys() == set()
    assert names - VALUES.keys() == {"GROUP_HISTORY"}  # what is read is another thing than is set
    assert all(vars(Conf)[name].__doc__ for name in names)
