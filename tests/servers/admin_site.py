"""The site with an admin: its database, and a server of two processes."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .examples import START, ExampleServer
from .process import ROOT, without_coverage

__all__ = ["AdminServer", "make_database", "run_django"]


def environment(database, **more):
    return {
        **without_coverage(),
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.admin_site.settings",
        "ADMIN_SITE_DATABASE": str(database),
        **more,
    }


def run_django(database, *arguments):
    """What a command prints; a failure of it is an error."""
    return run("django", *arguments, database=database)


def run(*words, database):
    result = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment(database),
        capture_output=True,
        text=True,
        timeout=START,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def make_database(path):
    """With tables, and with people."""
    run_django(path, "migrate", "--verbosity", "0")
    run("tests.admin_site.people", database=path)
    return path


class AdminServer(ExampleServer):
    folder = ROOT
    client_context = None

    def __init__(self, directory, database):
        super().__init__("gunicorn-gthread", directory, database)
        self.run_directory = Path(tempfile.mkdtemp(prefix="dw-"))
        self.environment = {
            **environment(shutil.copy(database, directory)),
            "PYTHONUNBUFFERED": "1",
            "DWEBSOCKET_TEST_RUN_DIR": str(self.run_directory),
        }
        self.command[-1] = "tests.admin_site.wsgi"
        self.command += ["--workers", "2"]

    def stop_for_good(self):
        super().stop_for_good()
        shutil.rmtree(self.run_directory, ignore_errors=True)
