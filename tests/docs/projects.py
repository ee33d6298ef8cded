"""Django projects made of the files that a page shows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..servers.process import without_coverage
from .pages import FILE_NAME, page

SETTINGS = "mysite/settings.py"
APPS = 'INSTALLED_APPS += ["dwebsocket", "chat"]'


def environment(**variables):
    """Of a reader's shell: the commands of this virtual environment, no settings of the tests."""
    inherited = without_coverage()  # which says of the package what other tests say
    inherited = {key: inherited[key] for key in inherited if not key.startswith("DJANGO_")}
    return {
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "VIRTUAL_ENV": sys.prefix,
        "GUNICORN_CMD_ARGS": "--no-control-socket",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "default",
        **variables,
    }


def run(directory, *command, timeout=100, env=None):
    """Run a command that ends; its output. A failure of the command fails the test."""
    result = subprocess.run(
        command,
        cwd=directory,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}"
    return result.stdout


def make_skeleton(directory):
    """What `startproject mysite` and `startapp chat` make, with the quick start's view."""
    run(directory, "django-admin", "startproject", "mysite", ".")
    run(directory, sys.executable, "manage.py", "startapp", "chat")
    write_files(page("README.md"), directory)


def make_project(skeleton, directory, shown):
    """The skeleton with the files of one page."""
    shutil.copytree(skeleton, directory)
    if not any(APPS in block.code for block in shown.blocks):
        with (directory / SETTINGS).open("a") as settings:
            settings.write(f"\n{APPS}\n")
    write_files(shown, directory)
    return directory


def write_files(shown, directory):
    for block in shown.blocks:
        if block.file is not None:
            write_file(directory / block.file, block)


def write_file(path, block):
    """A page shows whole files, but of the settings only what is added at their end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    adds = block.continued or block.file == SETTINGS
    with path.open("a" if adds else "w", encoding="utf-8") as file:
        file.write(FILE_NAME.sub("\n" if adds else "", block.code, count=1))
