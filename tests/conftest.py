"""What real servers need: certificates, a database, a journal. All made once, when asked for."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from .order import arrange, name_group
from .servers.certificates import make_certificates
from .servers.examples import manage
from .servers.journal import Journal
from .servers.postgresql import PostgresServer
from .servers.process import ROOT, ServerProcess, without_coverage
from .servers.redis import RedisServer


@pytest.fixture(scope="session")
def test_directory():
    # A short path: the address of a Unix socket has room for some hundred characters.
    with tempfile.TemporaryDirectory(prefix="dwebsocket-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session", autouse=True)
def run_directory(test_directory):
    """Where processes of one test run meet that are no server's; inherited by their environment."""
    path = Path(tempfile.mkdtemp(prefix="dw-"))
    os.environ["DWEBSOCKET_TEST_RUN_DIR"] = str(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def certificates(test_directory):
    return make_certificates(test_directory)


@pytest.fixture(scope="session")
def journal(test_directory):
    return Journal(test_directory / "journal")


@pytest.fixture(scope="session")
def database_path(test_directory):
    return test_directory / "database.sqlite3"


@pytest.fixture(scope="session")
def server_environment(journal, database_path):
    return {
        "DWEBSOCKET_TEST_JOURNAL": str(journal.path),
        "DWEBSOCKET_TEST_DATABASE": str(database_path),
    }


@pytest.fixture(scope="session")
def session_key(server_environment):
    """The tables exist, and the user ada is logged in with this session."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.project.prepare"],
        cwd=ROOT,
        env={
            **without_coverage(),
            **server_environment,
            "DJANGO_SETTINGS_MODULE": "tests.project.settings",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
        text=True,
    )
    return result.stdout.strip()


@pytest.fixture(scope="session")
def start_server(server_environment, certificates, session_key):
    """Start a row's server, with changed settings if wished, or a limit. Coverage is `measured` but
    in those that run the same of our lines as others: there it takes time for nothing.
    """

    def start(row, settings=None, *, measured=True, **limits):
        return ServerProcess(
            row if measured else replace(row, covered=False),
            environment=server_environment,
            certificates=certificates,
            settings=settings,
            **limits,
        )

    return start


@pytest.fixture(scope="session")
def example_database(tmp_path_factory):
    """The tables of the examples, empty; each server gets a copy."""
    path = tmp_path_factory.mktemp("examples") / "database.sqlite3"
    manage(path, "migrate", "--verbosity", "0")
    return path


@pytest.fixture(scope="session")
def redis_server(test_directory):
    """One that goes on until the tests end."""
    server = RedisServer(test_directory / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgresql():
    """One that goes on until the tests end; see to databases of your own."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collecting makes a million objects, and they live until the end: the garbage collector, which
    takes half of the time then, and all that the tests do with it, look at none of them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    """With several processes a server's cases stay with one, and so does everything of a file, but
    where a mark says otherwise.
    """
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(name_group(item)))
    yield
    items[:] = arrange(items)
