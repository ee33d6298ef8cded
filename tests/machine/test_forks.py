"""A forked child has neither its parent's members nor its connections: it has its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from ..groups.peers import check_order
from ..groups.test_processes import Site, row_of_workers
from ..project.settings import INSTALLED_APPS
from ..servers.process import ROOT, freeze, wait_until
from .conftest import MACHINE


def test_a_child_is_a_process_of_its_own(make, make_process, directory, wait_for_files):
    here, parent = make(), make_process()
    member = here.join("a")
    parent.do("join", "a")
    parent.do("send", "a", "parent")
    parent.do("fork", "a")
    assert [member.next(), member.next()] == ["parent", "child"]
    assert parent.do("take", "a", 2) == ["parent", "child"]
    wait_for_files(2)  # the child's are gone, its parent's are not
    check_order(make(), member)
    here.publish("a", "last")
    taken = parent.do("take", "a", 101)
    taken.remove("last")  # another one has sent it: it may have overtaken some
    assert taken == [str(number) for number in range(100)]
    assert parent.end() == 0
    assert parent.said() == ""
    wait_for_files(1)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(make_process, make, method, directory):
    """Whose children leave without the end of an interpreter: what they leave is removed."""
    here, parent = make(), make_process()
    member = here.join("a")
    parent.do("join", "a")
    assert parent.do("multiprocess", "a", method) == 0
    assert member.next() == "child"
    here.publish("a", "after it")
    wait_until(lambda: len([*directory.glob("*.sock")]) == 2, "what the child has left is removed")
    assert parent.do("take", "a", 2) == ["child", "after it"]


def test_the_end_of_a_parent_leaves_its_childs_files(make_process, directory, make, wait_for_files):
    parent = make_process()
    parent.do("join", "a")
    child = parent.do("leave_a_child", "a")
    try:
        wait_for_files(2)
        assert parent.end() == 0
        assert [file.name.split(".")[0] for file in directory.glob("*.sock")] == [str(child)]
        member = make().join("b")
        make().publish("a", "answer me")
        assert member.next() == "answer me too"
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_greenlets_that_go_on_in_a_forked_child_take_nothing_away(make, directory, kind):
    command = [sys.executable, "-W", "ignore", "-m", "tests.groups.forking", kind]
    with subprocess.Popen(
        [*command, json.dumps(MACHINE)],
        cwd=ROOT,
        env={**os.environ, "DWEBSOCKET_TEST_RUN_DIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "forked\n"
            check_order(make())
            assert process.stdout.read() == "all of them\nchild: 0\n"
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
def test_a_flood_leaves_other_greenlets_their_turns(make, directory, kind):
    count = 20_000
    command = [sys.executable, "-m", "tests.groups.turns", kind, json.dumps(MACHINE), str(count)]
    environment = {**os.environ, "DWEBSOCKET_TEST_RUN_DIR": str(directory)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            freeze(process.pid)
            here = make()
            for number in range(count):
                here.publish("flood", str(number))
            process.send_signal(signal.SIGCONT)
            assert int(process.stdout.readline()) > 5
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["uwsgi-processes", "gunicorn-gthread"])
def test_a_site_that_is_loaded_before_its_server_forks(start_server, name, directory, make):
    """uWSGI does so without a word to Python. The master has said something, and its workers have
    connections and numbers of their own nevertheless.
    """
    row = row_of_workers(name)
    if name == "gunicorn-gthread":
        row = replace(row, arguments=(*row.arguments, "--preload"))
    member = make().join("news")  # so that there is a connection before the fork
    settings = {
        "WEBSOCKET_RUN_DIR": str(directory),
        "INSTALLED_APPS": [*INSTALLED_APPS, "tests.machine.early.Early"],
        "WEBSOCKET_PING_INTERVAL": None,
    }
    server = start_server(row, settings)
    assert member.next() == "the site starts"
    site = Site(server)
    site.name = "news"
    try:
        clients = site.join_everywhere()
        for sender in clients[:8]:
            sender.send_text('["send_many", 50, 10]')
            for client in clients:
                assert [int(client.read_text()[:6]) for _ in range(50)] == [*range(50)]
        assert {answer["lost"] for answer in site.counts().values()} == {0}
    finally:
        site.close()
        server.stop()
