"""The fixtures for pytest, in projects of their own, found by the entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ...entry_points import install_entry_points

ROOT = Path(__file__).resolve().parents[3]

SITE = """
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from dwebsocket import accept_websocket

def mistake():
    raise LookupError("a mistake in the view")

@accept_websocket
def echo(request):
    for message in request.websocket:
        if message == "fail":
            mistake()
        request.websocket.send(message)

urlpatterns = [path("echo/", echo)]
settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="only-for-tests", ALLOWED_HOSTS=["*"])
"""


@pytest.fixture
def run_pytest(tmp_path):
    """run_pytest({name: source}, *arguments): its output, with what pyproject.toml says of us."""

    def run_pytest(files, *arguments, fails=False):
        install_entry_points(tmp_path / "installed")
        project = tmp_path / "project"
        project.mkdir()
        for name, source in files.items():
            (project / name).write_text(source)
        hidden = {"DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"}
        paths = os.pathsep.join([str(tmp_path / "installed"), str(ROOT)])
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            cwd=project,
            env={k: v for k, v in os.environ.items() if k not in hidden} | {"PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        assert (result.returncode != 0) == fails, result.stdout
        return result.stdout

    return run_pytest


def test_both(run_pytest):
    tests = """
import asyncio
from dwebsocket.testing import AsyncWebSocketClient, WebSocketClient

def test_one(websocket_client):
    assert type(websocket_client) is WebSocketClient
    with websocket_client.websocket("/echo/") as websocket:
        websocket.send("a")
        assert websocket.receive() == "a"

def test_other(async_websocket_client):
    assert type(async_websocket_client) is AsyncWebSocketClient

    async def talk():
        async with async_websocket_client.websocket("/echo/") as websocket:
            await websocket.send("a")
            assert await websocket.receive() == "a"

    asyncio.run(talk())
"""
    conftest = "import django\nimport site_of_the_test\ndjango.setup()\n"
    output = run_pytest(
        {"site_of_the_test.py": SITE, "conftest.py": conftest, "test_it.py": tests}, "-W", "error"
    )
    assert "2 passed" in output


def test_what_a_failure_looks_like(run_pytest):
    """The line of the test, and that of the view; of ours nothing that says nothing."""
    tests = """
def test_failing(websocket_client):
    with websocket_client.websocket("/echo/") as websocket:
        websocket.send("fail")
        assert websocket.receive() == "fail"
"""
    conftest = "import django\nimport site_of_the_test\ndjango.setup()\n"
    output = run_pytest(
        {"site_of_the_test.py": SITE, "conftest.py": conftest, "test_it.py": tests}, fails=True
    )
    shown = output.partition("= FAILURES =")[2].partition("Captured log")[0]
    lines = [line for line in shown.splitlines() if line.startswith((">", "E"))]
    assert lines[0] == '>           assert websocket.receive() == "fail"'
    assert lines[-2:] == [
        '>       raise LookupError("a mistake in the view")',
        "E       LookupError: a mistake in the view",
    ]
    assert "session.py" not in shown
    assert "During handling" not in shown


def test_a_project_that_does_not_use_it(run_pytest):
    """One without Django settings: nothing of Django, nor of ours, is imported."""
    tests = """
import sys

def test_it():
    assert "pytest_dwebsocket" in sys.modules
    assert not [name for name in sys.modules if name.partition(".")[0] in ("django", "dwebsocket")]
"""
    assert "1 passed" in run_pytest({"test_it.py": tests}, "-W", "error")


def test_they_say_what_they_are(run_pytest):
    output = run_pytest({}, "--fixtures")
    assert "Django's test client, which can also open WebSockets." in output
    assert "Django's async test client, which can also open WebSockets." in output


def test_a_fixture_without_settings(run_pytest):
    tests = "def test_it(websocket_client):\n    websocket_client.websocket('/')\n"
    assert "settings are not configured" in run_pytest({"test_it.py": tests}, fails=True)
