"""Who may speak for clients, and what is done with what is none of the gateway's."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.core.exceptions import ImproperlyConfigured
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dwebsocket.backends.gateway.addresses import find_addresses, make_keys
from dwebsocket.backends.gateway.wire import (
    HEAD,
    Kind,
    pack,
    pack_close,
    pack_json,
    unpack,
)
from tests.servers.process import find_free_port

from .processes import Gateway, wait_for_line

TIMEOUT = 30


def ask(client, message):
    client.send(message)
    return client.recv(TIMEOUT)


def test_tcp_needs_keys():
    with pytest.raises(ImproperlyConfigured, match="--make-keys"):
        find_addresses("tcp://127.0.0.1:5000", None, None)


@pytest.mark.parametrize("address", ["ws_push", "ipc://ws_push", "udp://127.0.0.1:5000"])
def test_an_address_that_cannot_be_used(address):
    with pytest.raises(ImproperlyConfigured, match="--push-socket"):
        find_addresses(address, None, None)


def test_keys_that_others_may_read(tmp_path):
    make_keys(tmp_path / "keys")
    (tmp_path / "keys" / "front.key").chmod(0o644)
    with pytest.raises(ImproperlyConfigured, match="must be 0600"):
        find_addresses("ipc:///tmp/a", "ipc:///tmp/b", str(tmp_path / "keys"))


def test_over_tcp_with_keys(tmp_path):
    """Who has none, or others, is not heard."""
    keys, foreign = tmp_path / "keys", tmp_path / "foreign"
    make_keys(keys)
    make_keys(foreign)
    push, sub = (f"tcp://127.0.0.1:{find_free_port()}" for _ in range(2))
    sockets = ("--push-socket", push, "--sub-socket", sub)
    gateway = Gateway(*sockets, "--keys", str(keys))
    try:
        gateway.run("--handlers", "1", *sockets, "--keys", str(foreign))
        gateway.start_handlers(*sockets, "--keys", str(keys), wait_for=1)
        with connect(gateway.url("/counter/")) as client:
            assert ask(client, "a").startswith("1 a")
        assert gateway.health()["handlers"] == 1
    finally:
        gateway.stop()


@pytest.fixture
def own_front():
    """One whose log has no lines of another test."""
    gateway = Gateway()
    yield gateway
    gateway.stop()


def test_garbage_is_dropped_and_said_once(own_front, meet):
    front, stranger = own_front, meet(own_front)
    for data in (b"", b"\0", b"\xff" * 100, HEAD.pack(7, 9, bytes(16), 0, 0, 0)):
        stranger.outgoing.send(data)
        stranger.outgoing.send_multipart([data, data])
    stranger.send(Kind.HELLO, body=b"[" * 100_000)
    stranger.send(Kind.HELLO, body=pack_json({"version": 99, "pid": 1}))
    stranger.send(Kind.TEXT, b"i" * 16, 1, 0, b"forged")
    wait_for_line(front.front, "A packet was dropped")
    worker = meet(own_front)
    worker.greet()  # all of that has been worked on by now
    assert front.health() == {"handlers": 1, "connections": 0}
    assert front.front.log.text().count("A packet was dropped") == 1


def test_only_whose_it_is_speaks_for_a_connection_and_once(front, meet):
    worker, other = meet(), meet()
    worker.greet()
    with ThreadPoolExecutor() as threads:
        connecting = threads.submit(connect, front.url("/"))
        id = worker.wait_for(Kind.OPEN).connection
        other.greet()
        answer = {"subprotocol": None, "headers": [], "user": None, "handler": True}
        other.send(Kind.ACCEPT, id, 1, 0, pack_json({**answer, "headers": [["X-Forged", "1"]]}))
        other.send(Kind.BEAT)
        other.wait_for(Kind.BEAT)
        worker.send(Kind.ACCEPT, id, 1, 0, pack_json(answer))
        client = connecting.result(TIMEOUT)
    with client:
        assert "X-Forged" not in client.response.headers
        other.send(Kind.TEXT, id, 2, 0, b"forged")
        other.send(Kind.CLOSE, id, 3, 0, pack_close(1000, ""))
        other.send(Kind.BEAT)
        other.wait_for(Kind.BEAT)
        worker.send(Kind.TEXT, id, 2, 0, b"true")
        worker.send(Kind.TEXT, id, 2, 0, b"replayed")
        worker.send(Kind.TEXT, id, 3, 0, b"next")
        assert [client.recv(TIMEOUT), client.recv(TIMEOUT)] == ["true", "next"]


@pytest.mark.parametrize("cut", [1, HEAD.size - 1, HEAD.size + 3])
def test_packets_that_are_cut_off_are_none(cut):
    whole = pack(Kind.BEAT)
    for data in (pack(Kind.TEXT, body=b"text")[:cut], whole + pack(Kind.TEXT, body=b"text")[:cut]):
        with pytest.raises(ValueError):  # noqa: PT011  # whose text nobody sees
            unpack(data)


def test_packets_come_back_as_they_were():
    first = (Kind.BINARY, b"c" * 16, 3, 2, b"body")
    packets = unpack(pack(*first, redelivered=True) + pack(Kind.BEAT))
    assert packets == [
        (Kind.BINARY, True, *first[1:]),
        (Kind.BEAT, False, bytes(16), 0, 0, b""),
    ]


@pytest.mark.parametrize("data", [b"", HEAD.pack(99, 0, bytes(16), 0, 0, 0)])
def test_what_is_no_packet(data):
    with pytest.raises(ValueError):  # noqa: PT011
        unpack(data)


def test_who_has_been_logged_out_does_not_go_on(tmp_path):
    database = tmp_path / "db.sqlite3"
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}}
    gateway = Gateway(settings={"DATABASES": databases})
    try:
        cookies = gateway.manage("shell", "-c", LOG_IN_TWICE).split()[-2:]
        handlers = gateway.start_handlers()
        headers = [{"Cookie": f"sessionid={cookie}"} for cookie in cookies]
        with (
            connect(gateway.url("/mine/"), additional_headers=headers[0]) as stays,
            connect(gateway.url("/mine/"), additional_headers=headers[1]) as goes,
        ):
            assert stays.recv(TIMEOUT) == goes.recv(TIMEOUT) == "ann"
            with closing(sqlite3.connect(database)) as opened, opened:
                opened.execute("DELETE FROM django_session WHERE session_key = ?", [cookies[1]])
            assert handlers.stop() == 0
            gateway.start_handlers(wait_for=1)
            assert stays.recv(TIMEOUT) == "ann"
            with pytest.raises(ConnectionClosed) as caught:
                goes.recv(TIMEOUT)
        assert caught.value.rcvd.code == 1008
    finally:
        gateway.stop()


LOG_IN_TWICE = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
call_command("migrate", verbosity=0)
user = get_user_model().objects.create(username="ann")
for _ in range(2):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(session.session_key)
"""
