"""The gateway's examples: the sample projects of django-ws, a chat, and how they go live."""

import os
import re
import shlex
import subprocess
import sys
from configparser import RawConfigParser
from functools import partial

import pytest
import yaml
from websockets.sync import client as websockets_client

from dwebsocket.management.commands.run_wsserver import Command

from ..docs.running import RunningServer
from ..servers.process import ROOT

GATEWAY = ROOT / "examples" / "gateway"
TIMEOUT = 30
connect = partial(websockets_client.connect, open_timeout=TIMEOUT)

compose = yaml.safe_load((GATEWAY / "compose.yaml").read_text())


def read_unit(name):
    unit = RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string((GATEWAY / name).read_text().replace("\\\n", ""))
    return unit["Service"]


FRONT, HANDLERS = read_unit("ws-front.service"), read_unit("ws-handlers.service")
README = (GATEWAY / "README.md").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The README's commands, in the example's folder."""
    database = tmp_path_factory.mktemp("gateway") / "db.sqlite3"
    environment = {**os.environ, "DEMO_DATABASE": str(database), "PYTHONPATH": str(ROOT)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    for command in ("migrate", "check --fail-level WARNING", "makemigrations --check --dry-run"):
        run = [sys.executable, "manage.py", *command.split()]
        subprocess.run(run, cwd=GATEWAY, env=environment, check=True, capture_output=True)
    (command,) = re.findall(r"^    python (manage.py run_wsserver .*)$", README, re.M)
    command = command.replace("run_wsserver", f"run_wsserver 0 --push-socket {database}-push")
    command = f"{sys.executable} {command} --sub-socket {database}-sub"
    with RunningServer(command, GATEWAY, env=environment) as server:
        yield f"ws://127.0.0.1:{server.port}/socket/"


def test_echo_and_then_numbers(site):
    with connect(site) as client:
        client.send("hello")
        assert [client.recv(TIMEOUT) for _ in range(4)] == ["hello", "0", "1", "2"]


def test_visits_are_counted(site):
    with connect(f"{site}visits") as first, connect(f"{site}visits") as second:
        first.send("one")
        seen = int(first.recv(TIMEOUT))
        second.send("two")
        assert int(second.recv(TIMEOUT)) == seen + 1
        while int(first.recv(TIMEOUT)) == seen:
            pass


def test_chat(site):
    with connect(f"{site}chat") as ann:
        ann.send("Ann")
        assert ann.recv(TIMEOUT) == "Ann has come"
        with connect(f"{site}chat") as ben:
            ben.send("Ben")
            assert ann.recv(TIMEOUT) == ben.recv(TIMEOUT) == "Ben has come"
            ann.send("hello")
            assert ben.recv(TIMEOUT) == ann.recv(TIMEOUT) == "Ann: hello"
        assert ann.recv(TIMEOUT) == "Ben has gone"


COMMANDS = [
    FRONT["ExecStart"],
    HANDLERS["ExecStart"],
    *(service["command"] for service in compose["services"].values()),
]


def parse(command):
    """The options of run_wsserver in a command line."""
    words = shlex.split(command)
    words = words if "run_wsserver" in words else shlex.split(words[-1])
    parser = Command().create_parser("manage.py", "run_wsserver")
    return parser.parse_args(words[words.index("run_wsserver") + 1 :])


@pytest.mark.parametrize("front", [0, 2], ids=["units", "compose"])
def test_both_sides_meet_at_the_same_sockets(front):
    front, handlers = map(parse, COMMANDS[front : front + 2])
    assert front.front
    assert handlers.handlers > 1
    assert front.push_socket == handlers.push_socket
    assert front.sub_socket == handlers.sub_socket


def test_units_give_calls_the_time_to_end():
    stop = Command().create_parser("manage.py", "run_wsserver").get_default("stop_timeout")
    assert stop < int(HANDLERS["TimeoutStopSec"])
    assert stop < int(compose["services"]["handlers"]["stop_grace_period"].removesuffix("s"))
    assert HANDLERS["ExecReload"].endswith("-HUP $MAINPID")
