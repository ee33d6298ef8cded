"""``runserver`` with the option of django-websocket, in projects that list apps in some order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = "django.contrib.staticfiles"
CONTENT = "django.contrib.contenttypes"

STAND_IN = """
from django.core.management.commands.runserver import Command as Base


class Command(Base):
    def inner_run(self, *args, **options):
        self.stdout.write(f"serves, threads {options['use_threading']}")
"""


@pytest.fixture
def runserver(tmp_path):
    """runserver(apps, *options): what the command says; an app `served` has a runserver that does
    not serve, and so ends.
    """

    def run(apps, *options, command="runserver"):
        (tmp_path / "site_of_test.py").write_text(
            f"SECRET_KEY = 'only-for-tests'\nINSTALLED_APPS = {apps!r}\nDEBUG = True\n"
            "STATIC_URL = 'static/'\nROOT_URLCONF = 'site_of_test'\nurlpatterns = []\n"
            "ASGI_APPLICATION = 'site_of_test.application'\n"
        )
        commands = tmp_path / "served" / "management" / "commands"
        commands.mkdir(parents=True, exist_ok=True)
        for directory in (commands, commands.parent, commands.parent.parent):
            (directory / "__init__.py").touch()
        (commands / "runserver.py").write_text(STAND_IN)
        return subprocess.run(
            [sys.executable, "-m", "django", command, *options, "--settings", "site_of_test"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    return run


def test_the_option_is_taken_and_said_to_be_needless_once(runserver):
    result = runserver(["dwebsocket", "served"], "--multithreaded", "--noreload")
    assert result.returncode == 0, result.stdout
    assert result.stdout == (
        "--multithreaded is not needed: runserver serves connections side by side anyway.\n"
        "serves, threads True\n"
    )


def test_the_process_that_the_autoreloader_starts_says_nothing(runserver, monkeypatch):
    monkeypatch.setenv("RUN_MAIN", "true")
    result = runserver(["dwebsocket", "served"], "--multithreaded", "--noreload")
    assert result.stdout == "serves, threads True\n"


def test_without_the_option_all_is_as_it_was(runserver):
    result = runserver(["dwebsocket", "served"], "--noreload", "--nothreading")
    assert result.stdout == "serves, threads False\n"


def test_it_contradicts_nothreading(runserver):
    result = runserver(["dwebsocket", "served"], "--multithreaded", "--nothreading", "--noreload")
    assert result.returncode == 1
    assert "--multithreaded and --nothreading contradict each other. Leave both" in result.stdout


@pytest.mark.parametrize(
    ("apps", "option"),
    [
        (["dwebsocket", CONTENT, STATIC], "--nostatic"),
        (["dwebsocket", "daphne", STATIC], "--noasgi"),
        (["dwebsocket", STATIC, "daphne"], "--nostatic"),
        ([CONTENT, "dwebsocket"], "--nothreading"),
    ],
)
def test_the_command_of_the_next_app_is_the_base(runserver, apps, option):
    result = runserver(apps, "runserver", command="help")
    assert option in result.stdout
    assert "--multithreaded" in result.stdout


@pytest.mark.parametrize("apps", [[STATIC, "dwebsocket"], ["served", "dwebsocket"]])
def test_an_app_in_front_has_its_own(runserver, apps):
    result = runserver(apps, "--multithreaded")
    assert result.returncode == 2
    assert "unrecognized arguments: --multithreaded" in result.stdout
