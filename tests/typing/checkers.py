"""mypy and pyright, run as users run them: over a project of their own, with dwebsocket installed.

What they find is told as a set of (file, line, rule).
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from ..servers.process import ROOT, without_coverage

#: What django-stubs installs.
STUBS = {"django-stubs", "django_stubs_ext", "mypy_django_plugin"}


def make_site(directory, *, stubs):
    """A virtual environment with the packages of this one and a dwebsocket that is installed; its
    Python.
    """
    venv.create(directory, symlinks=True)
    (site,) = directory.glob("lib/python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        left_out = entry.suffix == ".pth" or "dwebsocket" in entry.name
        if not left_out and (stubs or entry.name not in STUBS):
            (site / entry.name).symlink_to(entry)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "dwebsocket", site / "dwebsocket", ignore=ignored)
    return directory / "bin" / "python"


def run_mypy(python, project, *arguments):
    """What mypy finds in a project."""
    command = [sys.executable, "-m", "mypy", "--python-executable", python]
    command += ["--show-traceback", "--output", "json"]
    result = run([*command, "--cache-dir", python.parents[1] / "cache", *arguments], project)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines() if line]
    return {(one["file"], one["line"], one["code"]) for one in found if one["severity"] == "error"}


def run_pyright(python, project, *arguments):
    """What pyright finds in a project."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", python, "--outputjson"]
    result = run([*command, *arguments], project)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"]
    return {
        (
            Path(one["file"]).relative_to(project.resolve()).as_posix(),
            one["range"]["start"]["line"] + 1,
            one.get("rule", one["message"]),
        )
        for one in report["generalDiagnostics"]
    }


def run(command, project):
    environment = without_coverage()
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    # The plugin of django-stubs imports the settings.
    environment["PYTHONPATH"] = os.pathsep.join([str(project), str(ROOT)])
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=110
    )
