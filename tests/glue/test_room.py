"""For how many WebSockets a process has room, and what it says when there is none."""

import logging
import os
import resource
import socket
import subprocess

import pytest
from django.test import RequestFactory, override_settings

from dwebsocket.backends import room
from dwebsocket.backends.gunicorn_worker import list_children
from dwebsocket.backends.room import Shortage, TooFewDescriptors, TooManyConnections, check_room
from dwebsocket.backends.sockets import ending
from dwebsocket.backends.view_threads import NoFurtherThread
from dwebsocket.transports import descriptors
from dwebsocket.upgrade.refusals import refuse_for


@pytest.fixture
def limit_descriptors():
    """Set the limit of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def limit(count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))

    yield limit
    limit(soft)


@pytest.fixture
def take_descriptors():
    """Open so many descriptors, or all there are."""
    taken = []
    with socket.socket() as sock:

        def take(below):
            try:
                while (not taken or taken[-1] < below - 1) and len(taken) < below:
                    taken.append(os.dup(sock.fileno()))
            except OSError:  # there is none left
                pass

        yield take
        for fd in taken:
            os.close(fd)


def test_connections_are_limited_by_the_descriptors(limit_descriptors):
    limit_descriptors(500)
    assert room.default_max_connections() == 450
    check_room(449)
    for setting in ({}, {"WEBSOCKET_MAX_CONNECTIONS": None}):
        with override_settings(**setting), pytest.raises(TooManyConnections, match="holds 450"):
            check_room(450)
    with pytest.raises(TooManyConnections, match="holds 7"):
        check_room(7, default=7)


@override_settings(WEBSOCKET_MAX_CONNECTIONS=3)
def test_the_setting_counts_before_any_default():
    check_room(2, default=1)
    with pytest.raises(TooManyConnections, match="holds 3"):
        check_room(3, default=100)


def test_the_last_descriptors_are_for_others(limit_descriptors, take_descriptors):
    limit_descriptors(500)
    check_room(0)
    take_descriptors(450)
    with pytest.raises(TooFewDescriptors, match=r"500 descriptors.*ulimit -n") as caught:
        check_room(0)
    assert caught.value.status_code == 503
    with socket.socket() as sock:  # what the refusal needs
        assert sock.fileno() >= 450


def test_a_full_table_opens_the_reserve_until_there_is_room(limit_descriptors, take_descriptors):
    limit_descriptors(300)
    check_room(0)
    assert len(descriptors.held) == descriptors.RESERVE
    take_descriptors(10_000)
    with pytest.raises(OSError, match="Too many open files"):
        socket.socket()
    with pytest.raises(TooFewDescriptors):
        check_room(0)
    others = [socket.socket() for _ in range(descriptors.RESERVE)]
    for other in others:
        other.close()
    limit_descriptors(600)
    check_room(0)
    assert len(descriptors.held) == descriptors.RESERVE


def test_nothing_is_free_in_a_full_table(limit_descriptors, take_descriptors):
    """Though one that looks needs a descriptor for that."""
    limit_descriptors(300)
    assert 0 < descriptors.count_room() < 300
    take_descriptors(10_000)
    assert descriptors.count_room() == 0


def test_a_process_that_ends_finds_others_in_a_full_table(
    limit_descriptors, take_descriptors, monkeypatch
):
    """Whether gunicorn has started some, and where they listen."""
    monkeypatch.setattr(ending.ending, "began", None)  # and so again: this one does not end
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        limit_descriptors(300)
        check_room(0)
        take_descriptors(10_000)
        assert child.pid in list_children(os.getpid())
        limit_descriptors(600)
        check_room(0)
        take_descriptors(10_000)
        ending.move(list)
        with socket.socket(socket.AF_UNIX):
            pass
        child.communicate()


@pytest.mark.usefixtures("nothing_told")
def test_a_shortage_is_told_once_in_a_while(caplog):
    caplog.set_level(logging.DEBUG, "dwebsocket.handshake")
    request = RequestFactory().get("/")
    shortages = [TooFewDescriptors(), TooFewDescriptors(), NoFurtherThread("none")]
    for error in (*shortages, TooManyConnections("full"), TooManyConnections("full")):
        assert refuse_for(request, error).status_code == 503
    assert [record.levelno for record in caplog.records] == [30, 10, 30, 30, 30]


@pytest.fixture
def nothing_told(monkeypatch):
    """Nothing has been told yet."""
    for shortage in Shortage.__subclasses__():
        monkeypatch.setattr(shortage, "_quiet_until", 0.0)
