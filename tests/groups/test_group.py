"""The class, and the settings that choose its backend."""

import asyncio
import os
import re
import tempfile
import threading
import zlib

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import override_settings

from dwebsocket import Group, WebSocketHandler, require_websocket
from dwebsocket.conf import DEFAULT_GROUPS
from dwebsocket.exceptions import GroupUnavailable, InvalidGroupBackend
from dwebsocket.groups.base import BaseGroupBackend, Closing
from dwebsocket.groups.current import get_backend, get_members
from dwebsocket.machine import find_directory

from ..glue.site import wait_until
from ..servers.redis import BACKEND
from .peers import Failing, groups_left


@require_websocket
def member(request):
    group = Group("all")
    group.add(request.websocket)
    request.websocket.send("in")
    for message in request.websocket:
        group.send(message)


def join(client):
    session = client.websocket("/")
    assert session.receive() == "in"
    return session


@pytest.mark.parametrize("name", ["", None, 5, b"bytes", "half a pair: \ud800"])
def test_names_are_text(name):
    with pytest.raises(ValueError, match="the name of a group"):
        Group(name)


@pytest.mark.parametrize("name", ["a", "Zoë ✓", "with spaces\n", "x" * 10_000])
def test_any_text_is_a_name(name):
    group = Group(name)
    group.send("to nobody")
    assert len(group) == 0
    assert group
    assert group == Group(name)


@pytest.mark.parametrize("message", [None, 5, ["a"], {"a": 1}])
def test_what_cannot_be_sent(message):
    with pytest.raises(TypeError, match="send_json"):
        Group("a").send(message)


@pytest.mark.parametrize(("code", "reason"), [(1006, ""), (5000, ""), (1000, "x" * 124)])
def test_what_cannot_close(code, reason):
    with pytest.raises(ValueError, match=r"close code|reason to close"):
        Group("a").close(code, reason)


def test_plain_http_has_no_websocket():
    with pytest.raises(TypeError, match=r"request\.websocket is None"):
        Group("a").add(None)


class Chat(WebSocketHandler):
    pass


@pytest.mark.parametrize(("one", "name"), [(Chat(), "Chat"), (HttpRequest(), "HttpRequest")])
def test_a_handler_and_a_request_are_no_websockets(one, name):
    text = (
        f"add() takes a WebSocket, not {name}: a handler's is self.websocket, a view's is "
        "request.websocket"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        Group("a").add(one)
    assert len(Group("a")) == 0


@pytest.mark.parametrize("content", ["hello", b"hello", Closing(4000, "over")])
def test_a_member_that_cannot_be_sent_to(make_peer, caplog, content):
    """Is not the loss of those behind it."""
    here = make_peer({"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"})
    here.join("lobby", Failing)
    member = here.join("lobby")
    here.backend.receive("lobby", content)
    assert member.next() == content
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "'lobby'" in record.getMessage()


def test_members_are_counted_and_found(site):
    client = site.serve(member)
    with join(client), join(client):
        assert len(Group("all")) == 2
        assert all(one in Group("all") for one in get_members().of("all"))
    wait_until(lambda: len(Group("all")) == 0)
    assert "all" not in get_members().names()


def test_async(site):
    with join(site.serve(member)) as session:
        asyncio.run(Group("all").asend("from async code"))
        assert session.receive() == "from async code"


def test_from_many_threads(site):
    """Members come and go while others send: who stays gets everything, in order."""
    client = site.serve(member)
    with join(client) as first, join(client) as second:

        def come_and_go():
            for _ in range(20):
                client.websocket("/").close()  # what others send may come before its "in"

        def send(mark):
            for number in range(300):
                Group("all").send(f"{mark}{number}")

        threads = [threading.Thread(target=come_and_go) for _ in range(3)]
        threads += [threading.Thread(target=send, args=(mark,)) for mark in "abcde"]
        for thread in threads:
            thread.start()
        for session in (first, second):
            got = [session.receive() for _ in range(1500)]
            for mark in "abcde":
                numbers = [int(one[1:]) for one in got if one[0] == mark]
                assert numbers == list(range(300))
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    wait_until(lambda: len(Group("all")) == 0)


def test_100_000_changes_from_eight_threads_with_sends_in_between(site):
    """Of real WebSockets: no lost member, no leak, no deadlock."""
    client = site.serve(member)
    with join(client) as session, join(client) as other:
        first, second = get_members().of("all")

        def change(number):
            group = Group(f"group {number % 3}")
            for turn in range(6250):
                group.add(first)
                group.add(second)
                if turn % 250 == 0:
                    Group("all").send(f"{number} {turn}")
                group.discard(first)

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for one in (session, other):
            assert len({one.receive(30) for _ in range(200)}) == 200
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert get_members().of("all") == [first, second]
        for number in range(3):
            assert second in Group(f"group {number}")
            assert first not in Group(f"group {number}")
    wait_until(lambda: groups_left() == [])


class Away(BaseGroupBackend):
    def publish(self, name, content):
        raise GroupUnavailable("not there")


def test_members_here_get_it_though_the_others_do_not(site):
    path = f"{__name__}.Away"
    client = site.serve(member, WEBSOCKET_GROUPS={"BACKEND": path})
    with join(client) as session:
        with pytest.raises(GroupUnavailable, match="not there"):
            Group("all").send("hello")
        assert session.receive() == "hello"


def at_redis(**options):
    return {"BACKEND": BACKEND, "LOCATION": "redis://localhost", "OPTIONS": options}


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (None, "must be a dictionary"),
        ({}, "must be a dictionary"),
        ({"BACKEND": "no.such.module.Backend"}, "cannot be imported"),
        ({"BACKEND": "dwebsocket.conf.Conf"}, "derived from"),
        ({"BACKEND": f"{__name__}.Away", "HOST": "x"}, "'HOST'"),
        ({"BACKEND": f"{__name__}.Away", "OPTIONS": ["PREFIX"]}, "'OPTIONS' is"),
        (at_redis(PREFIX="half a pair: \ud800"), "PREFIX"),
        (at_redis(SENTINEL="chat", nonsense=1), "nonsense"),
        (at_redis(CLUSTER=True, nonsense=1), "nonsense"),
        (at_redis(nonsense=1), "nonsense"),
        ({**at_redis(SENTINEL="chat"), "LOCATION": "redis://x?nonsense=1"}, "nonsense"),
        ({**at_redis(), "LOCATION": "rediss://x?ssl_cert_reqs=nonsense"}, "nonsense"),
        (at_redis(socket_timeout="2"), "'socket_timeout' is '2', it must be a number of seconds"),
        (at_redis(socket_connect_timeout=0), "'socket_connect_timeout' is 0"),
        (at_redis(health_check_interval=-1), "'health_check_interval' is -1"),
        (at_redis(max_connections=0), "'max_connections' is 0, it must be a whole number"),
        (at_redis(retry=3), "'retry' is 3, it must be a redis.retry.Retry"),
        ({**at_redis(), "OPTIONS": {1: 2}}, "no option 1"),
    ],
)
def test_bad_settings(setting, text):
    raised = pytest.raises(InvalidGroupBackend, match=text)
    with override_settings(WEBSOCKET_GROUPS=setting), raised:
        Group("a").send("x")


def test_a_forked_child_begins_without_members(site):
    with join(site.serve(member)):
        backend = get_backend()
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                fine = len(Group("all")) == 0 and get_backend() is not backend
                Group("all").send("from the child")
                os.write(writer, b"fine" if fine else b"members")
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as result:
            assert result.read() == b"fine"
        os.waitpid(pid, 0)
        assert len(Group("all")) == 1


def test_the_command_says_that_it_would_reach_nobody():
    memory = {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}
    with (
        override_settings(WEBSOCKET_GROUPS=memory),
        pytest.raises(CommandError, match=r"Nobody would get this: .* Leave WEBSOCKET_GROUPS out"),
    ):
        call_command("websocket_send", "all", "hello")


@pytest.fixture
def empty_directory():
    """Where nobody of another test listens."""
    with (
        tempfile.TemporaryDirectory(prefix="dw-") as path,
        override_settings(WEBSOCKET_RUN_DIR=path),
    ):
        yield path


def test_the_command_says_that_nobody_listens(capsys, empty_directory):
    """Which is no error: perhaps nobody is connected just now."""
    with override_settings(WEBSOCKET_GROUPS=DEFAULT_GROUPS):
        call_command("websocket_send", "all", "hello")
    said = capsys.readouterr().err
    assert said.count("Nobody gets this now: no process of this site that runs as the user") == 1
    assert str(find_directory().path) in said
    with override_settings(WEBSOCKET_GROUP_HISTORY={"all": {"size": 10}}):
        call_command("websocket_send", "all", "hello")
    assert "Nobody gets this now, and its history keeps it: " in capsys.readouterr().err


def test_the_command_reaches_the_members_of_its_own_process(site):
    with join(site.serve(member)) as session:
        call_command("websocket_send", "all", "hello")
        assert session.receive() == "hello"


def test_legacy_members_get_bytes_as_text(site):
    client = site.serve(member, WEBSOCKET_LEGACY=True, raise_request_exception=False)
    with join(client) as session:
        Group("all").send("ä".encode())
        assert session.receive() == "ä"
        Group("all").send(b"\xff")
        assert session.receive() == b"\xff"


def test_compression_that_remembers(site):
    """Such a member has a frame of its own each time, in one order with what its view sends."""
    site.serve(member, WEBSOCKET_COMPRESSION_CONTEXT_TAKEOVER=True)
    client = site.open(headers={"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert client.read_text() == "in"
    unpack = zlib.decompressobj(-15)
    sizes = []
    for _ in range(3):
        text = "".join(chr(33 + number % 90) for number in range(0, 20_000, 7))
        Group("all").send(text)
        frame = client.read_frame()
        assert frame.rsv == 4
        assert unpack.decompress(frame.payload + b"\x00\x00\xff\xff").decode() == text
        sizes.append(len(frame.payload))
    assert sizes[1] < sizes[0]
