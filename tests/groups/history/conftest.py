"""Stores of what groups remember, and their run directory."""

import tempfile
from itertools import count
from pathlib import Path

import pytest

from dwebsocket.groups.history import MemoryHistory
from dwebsocket.groups.machine import file as file_module
from dwebsocket.groups.machine.file import GroupFile
from dwebsocket.groups.machine.history import FileHistory
from dwebsocket.groups.machine.tables import prepare
from dwebsocket.machine import RunDirectory


@pytest.fixture
def directory():
    with tempfile.TemporaryDirectory(prefix="dw-") as path:  # made with mode 0700
        yield RunDirectory(Path(path))


@pytest.fixture
def make_file(directory):
    """make_file() → what another process has of the same file."""
    made = []

    def make():
        made.append(FileHistory(GroupFile(directory, prepare)))
        return made[-1]

    yield make
    for one in made:
        one._file.close()


@pytest.fixture
def patient_file(monkeypatch):
    """Who has the file may stand still for a while, as on a busy machine."""
    monkeypatch.setattr(file_module, "PATIENCE", 60)


prefixes = count(1)


@pytest.fixture
def redis_setting(redis_server):
    """Of a Redis where nobody else uses our keys."""
    return {**redis_server.setting, "OPTIONS": {"PREFIX": f"history-{next(prefixes)}"}}


@pytest.fixture(params=["memory", "machine", "redis"])
def store(request):
    """Every store keeps the same promises."""
    if request.param == "memory":
        return MemoryHistory()
    if request.param == "machine":
        return request.getfixturevalue("make_file")()
    setting = request.getfixturevalue("redis_setting")
    return request.getfixturevalue("make_peer")(setting).backend.history._store


@pytest.fixture
def file(make_file):
    return make_file()


@pytest.fixture
def path(directory):
    return directory.path / "groups.sqlite3"
