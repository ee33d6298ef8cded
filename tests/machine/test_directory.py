"""A run directory that cannot be used is refused with the reason; the default does without."""

import logging
import os
import pwd
import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from dwebsocket.conf import DEFAULT_GROUPS
from dwebsocket.exceptions import ForeignRunDirectory, InvalidGroupBackend
from dwebsocket.groups import current
from dwebsocket.groups.members import Members
from dwebsocket.groups.memory import MemoryGroupBackend

from ..servers.process import ROOT, without_coverage
from .conftest import MACHINE, ROOT_ONLY

NOBODY = pwd.getpwnam("nobody").pw_uid


def chown(path):
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, -1)


def make_wide(path):
    path.mkdir()
    path.chmod(0o755)


def make_narrow(path):
    path.mkdir()
    path.chmod(0o500)


def link(path):
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.parent / "elsewhere")


def put_into_file(path):
    path.parent.rmdir()
    path.parent.touch()


UNUSABLE = {
    "of another user": (chown, f"it belongs to the user {NOBODY}, and this process runs as"),
    "open to others": (make_wide, "its mode is 0755, and must be 0700"),
    "closed to ourselves": (make_narrow, "its mode is 0500, and must be 0700"),
    "a file": (lambda path: path.touch(), "it is no directory"),
    "a link": (link, "it is no directory"),
    "in a file": (put_into_file, "ot a directory"),
}
PARAMETERS = [
    pytest.param(name, marks=ROOT_ONLY if name == "of another user" else ()) for name in UNUSABLE
]


@pytest.mark.parametrize("name", PARAMETERS)
def test_one_that_cannot_be_used(directory, name, caplog, monkeypatch):
    spoil, reason = UNUSABLE[name]
    spoil(directory)
    with override_settings(WEBSOCKET_RUN_DIR=str(directory)):
        with pytest.raises(InvalidGroupBackend) as caught:
            current.create_backend(MACHINE, Members())
        assert reason in str(caught.value)
        assert f"the run directory {str(directory)!r} cannot be used" in str(caught.value)
        assert isinstance(caught.value, ForeignRunDirectory) == (name == "of another user")

        monkeypatch.setattr(current, "is_test", lambda: False)
        backend = current.create_backend(DEFAULT_GROUPS, Members())
        assert type(backend) is MemoryGroupBackend
        [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "Groups reach the members in the sender's own process only: " in line.getMessage()
        assert reason in line.getMessage()

        found = [one for one in run_checks() if one.id == "dwebsocket.E023"]
        # Another user may serve the site, and use it.
        assert len(found) == (name != "of another user")
    if directory.parent.is_file():
        directory.parent.unlink()


def test_too_long_a_path(directory):
    path = str(directory / ("x" * 90))
    with (
        override_settings(WEBSOCKET_RUN_DIR=path),
        pytest.raises(InvalidGroupBackend, match=r"too long by \d+ bytes"),
    ):
        current.create_backend(MACHINE, Members())


@pytest.mark.parametrize("more", [-1, 0])
def test_the_longest_path(make_peer, directory, more):
    """One byte before the limit, and at it."""
    length = 107 - len("/4294967296.01234567.sock.new") + more
    path = str(directory / "x")
    path += "x" * (length - len(path))
    one, other = (make_peer(MACHINE, WEBSOCKET_RUN_DIR=path) for _ in range(2))
    member = one.join("a")
    other.publish("a", "hello")
    assert member.next() == "hello"


@ROOT_ONLY
def test_one_that_may_not_be_made(directory):
    """By a user who may not write there. Chosen it is an error, by default a line in the log."""
    code = (
        "import os, sys, django; from django.conf import settings\n"
        f"settings.configure(WEBSOCKET_RUN_DIR={str(directory)!r}, **eval(sys.argv[1]))\n"
        "import dwebsocket.groups.machine, dwebsocket.groups.memory\n"
        f"django.setup(); from dwebsocket import Group; os.setuid({NOBODY})\n"
        "Group('a').send('hello')\n"
    )

    def run(settings):
        return subprocess.run(
            [sys.executable, "-c", code, repr(settings)],
            cwd=ROOT,
            env=without_coverage(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    reason = f"this process may not write into {directory.parent}"
    chosen = run({"WEBSOCKET_GROUPS": MACHINE})
    assert chosen.returncode == 1
    assert "InvalidGroupBackend" in chosen.stderr
    assert reason in chosen.stderr
    default = run({})
    assert default.returncode == 0
    assert default.stderr.count(reason) == 1


def test_a_system_without_unix_sockets():
    code = (
        "import sys, django; sys.modules['fcntl'] = None; from django.conf import settings\n"
        "settings.configure(INSTALLED_APPS=['dwebsocket']); django.setup()\n"
        "from dwebsocket import Group; [Group('a').send('x') for _ in range(3)]\n"
        "from django.core.management import call_command; call_command('check')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=without_coverage(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stderr.count("Groups reach the members in the sender's own process only: ") == 1
    assert "fcntl" in result.stderr


FIND = (
    "import django; django.setup()\n"
    "from dwebsocket.machine import find_directory; print(find_directory().path)\n"
)


def find(tmp_path, module, **variables):
    result = subprocess.run(
        [sys.executable, "-c", FIND],
        cwd=tmp_path,
        env={**without_coverage(), "PYTHONPATH": f"{tmp_path}:{ROOT}", **variables}
        | {"DJANGO_SETTINGS_MODULE": module},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout


def test_each_site_has_one(tmp_path):
    for project in ("one", "other"):
        (tmp_path / project).mkdir()
        for name in ("mysite", "theirs"):
            (tmp_path / project / f"{name}.py").touch()
    here = find(tmp_path / "one", "mysite", TMPDIR="/tmp")
    assert here.startswith(f"/tmp/dwebsocket-{os.geteuid()}-")
    assert find(tmp_path / "one", "mysite", TMPDIR="/tmp") == here
    assert find(tmp_path / "one", "theirs", TMPDIR="/tmp") != here
    assert find(tmp_path / "other", "mysite", TMPDIR="/tmp") != here
    (tmp_path / "one/mysite.py").write_text("WEBSOCKET_RUN_DIR = '/run/mysite'")
    assert find(tmp_path / "one", "mysite") == "/run/mysite\n"


def test_a_test_has_groups_of_its_own(directory):
    """Those that run beside it, and the site itself, hear nothing of it."""
    code = (
        "import django; from django.conf import settings\n"
        f"settings.configure(WEBSOCKET_RUN_DIR={str(directory)!r}); django.setup()\n"
        "from dwebsocket.groups.current import get_backend\n"
        "from django.test.utils import setup_test_environment\n"
        "import sys; len(sys.argv) > 1 and setup_test_environment()\n"
        "print(type(get_backend()).__name__)\n"
    )
    for arguments, name in (([], "MachineGroupBackend"), (["test"], "MemoryGroupBackend")):
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=without_coverage(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert result.stdout == f"{name}\n"
