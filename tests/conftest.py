"""What real servers need: certificates, a database, a journal. All made once, when asked for."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from .servers.certificates import make_certificates
from .servers.examples import manage
from .servers.journal import Journal
from .servers.postgresql import PostgresServer
from .servers.process import ROOT, ServerProcess, without_coverage
from .servers.redis import RedisServer
from .servers.rows import Row


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


#: Files whose tests take long, one after the other.
LONGEST = {
    *("test_soak.py", "test_tenants.py", "test_packages.py", "test_processes.py"),
    *("test_behaviours.py", "test_commands.py", "test_chat.py", "test_first_hour.py"),
    *("test_samples.py", "test_examples.py", "test_wrong.py", "test_build.py", "test_proxies.py"),
    *("test_fuzz.py", "test_many_clients.py", "test_asgi_servers.py", "test_gunicorn_ends.py"),
    *("test_hanging.py", "test_faults.py", "test_redis.py", "test_servers.py"),
}


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
    where a mark says otherwise. What takes longest begins first, then what is most.
    """
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        row = item.callspec.params.get("row") if hasattr(item, "callspec") else None
        together = f"{item.path.parent.name}-{row.name}" if isinstance(row, Row) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(together))
    yield
    sizes = Counter(map(group_of, items))
    items.sort(key=lambda item: (item.path.name not in LONGEST, -sizes[group_of(item)]))


def group_of(item):
    return item.get_closest_marker("xdist_group").args[0]
