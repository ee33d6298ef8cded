"""A reader's first hour: a new virtual environment, a new project, and what the pages say.

The other tests of the pages run them where all is installed. Here pip installs this source, and
then what each page says and nothing else.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

from ..servers.process import find_free_port
from .pages import ROOT, page
from .projects import run, write_file, write_files
from .test_commands import Shell

PATIENCE = 300  # seconds: pip takes its time on a busy machine
pytestmark = pytest.mark.timeout(2 * PATIENCE)

README, TUTORIAL, SERVERS = map(page, ("README.md", "docs/tutorial.md", "docs/servers/index.md"))
MAKE, ACTIVATE, RELEASED = TUTORIAL.blocks_in("console")[0].commands[:3]
INSTALL = "python -m pip install ."

# The pages that say how to start these servers, and the files that a server reads.
PAGES = {
    "runserver": "docs/servers/runserver.md",
    "gunicorn": "docs/servers/gunicorn.md",
    "uvicorn": "docs/howto/asgi.md",
    "uwsgi": "docs/howto/uwsgi.md",
}
FILES = {"mysite/asgi.py", "uwsgi.ini"}


class FreshShell(Shell):
    """Does also what the other tests only look at."""

    def __init__(self, directory, certificates):
        super().__init__(directory, certificates)
        for name in ("VIRTUAL_ENV", "PYTHONPATH"):
            self.environment.pop(name, None)
        ours = str(Path(sys.executable).parent)
        path = [entry for entry in os.environ["PATH"].split(os.pathsep) if entry != ours]
        self.environment["PATH"] = os.pathsep.join([str(make_python(directory)), *path])

    def run_program(self, words, command):
        if words[1:3] == ["-m", "venv"] or words[1:3] == ["-m", "pip"]:
            self.type(command)
        elif words[0] == ".":
            output = self.type(f"{command} && env -0").removesuffix("\0")
            self.environment = dict(line.split("=", 1) for line in output.split("\0"))
        elif words[0] == "uwsgi":
            self.serve_ini(command, words[-1])
        else:
            super().run_program(words, command)

    def type(self, command):
        return run(self.directory, "sh", "-c", command, timeout=PATIENCE, env=self.environment)

    def serve_ini(self, command, name):
        ini, port = self.directory / name, find_free_port()
        text = ini.read_text()
        assert "8000" in text
        ini.write_text(text.replace("8000", str(port)))
        self.talk(command, port=port)

    def list_installed(self):
        packages = Path(self.environment["VIRTUAL_ENV"]).glob("lib/*/site-packages/*.dist-info")
        return {path.name.partition("-")[0] for path in packages}


def make_python(directory):
    """A directory with the command `python` alone, which is the one that has made ours."""
    command = directory / "bin" / "python"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')
    command.chmod(0o755)
    return command.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory, certificates):
    """The shell of somebody who has installed dwebsocket as the README says."""
    directory = tmp_path_factory.mktemp("first-hour")
    shell = FreshShell(directory, certificates)
    for command in (MAKE, ACTIVATE):
        shell.run(command)
    shell.directory = copy_source(directory / "checkout")
    assert f"`{INSTALL}` in a checkout" in README.text
    try:
        shell.run(INSTALL)
    except AssertionError as error:
        if "after connection broken by" not in str(error):
            raise
        pytest.skip("pip reaches no index of packages")
    return shell


def copy_source(directory):
    """What a checkout has, and pip looks at, without what an earlier build has left."""
    directory.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "dwebsocket", directory / "dwebsocket", ignore=ignore)
    return directory


@pytest.fixture
def shell(installed, tmp_path):
    """That shell in an empty directory. What is installed by it is gone at the end."""
    before = installed.list_installed()
    installed.directory = tmp_path
    yield installed
    if added := installed.list_installed() - before:
        installed.type(f"python -m pip uninstall --yes {' '.join(added)}")


def test_tutorial(shell):
    for block in TUTORIAL.blocks:
        if block.language == "console":
            for command in block.commands:
                if command not in (MAKE, ACTIVATE, RELEASED):
                    shell.run(command)
        elif block.file is not None:
            write_file(shell.directory / block.file, block)


@pytest.mark.parametrize("name", PAGES)
def test_first_echo(name, shell):
    """The README's view, by the commands of the server's page up to the first that serves."""
    shown = page(PAGES[name])
    assert shown.path in linked_from(README) | linked_from(SERVERS)
    for command in ("django-admin startproject mysite", "cd mysite"):
        assert command in TUTORIAL.blocks_in("console")[0].commands
        shell.run(command)
    write_files(README, shell.directory)
    for block in shown.blocks:
        if block.file in FILES:
            write_file(shell.directory / block.file, block)
    for command in up_to_server(shown):
        shell.run(command)


def linked_from(shown):
    return {(shown.path.parent / link.partition("#")[0]).resolve() for link in shown.links}


def up_to_server(shown):
    """The commands of a page up to the first that starts a server."""
    for block in shown.blocks_in("console"):
        for command in block.commands:
            yield command
            if "pip install" not in command:
                return
