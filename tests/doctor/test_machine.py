"""What is said without an address: limits, settings, middleware, groups."""

import subprocess
import sys
import tempfile

import pytest

OURS = "dwebsocket.middleware.WebSocketMiddleware"
LOGIN = "django.contrib.auth.middleware.LoginRequiredMiddleware"
USUAL = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]


def test_all_is_well(examine):
    report = examine(settings={})
    report.check_well()
    assert not report.step("dns")


def test_descriptors(run_doctor, examine):
    """Of which the limit is the shell's."""
    few = ("prlimit", "--nofile=200:300")
    result = run_doctor(before=few, settings={})
    assert "ok       descriptors   A process may open 200 (hard limit 300): room for 180" in (
        result.stdout
    )
    result = run_doctor(before=few, settings={"WEBSOCKET_MAX_CONNECTIONS": 181})
    assert result.returncode == 0
    assert "warning  descriptors   A process may open 200 (hard limit 300), and WEBSOCKET_MAX" in (
        result.stdout
    )
    assert "ulimit -n" in result.stdout
    examine(settings={"WEBSOCKET_MAX_CONNECTIONS": 180}).check_well()


def test_threads(examine):
    examine(settings={"WEBSOCKET_VIEW_THREADS": 0}).check_well()


@pytest.mark.parametrize(
    ("settings", "mark", "words"),
    [
        ({"WEBSOCKET_PING_INTERVAL": "20"}, "fault", "(dwebsocket.E005) WEBSOCKET_PING_INTERVAL"),
        ({"WEBSOCKET_MAX_CONNECTIONS": "x"}, "fault", "(dwebsocket.E009)"),
        ({"WEBSOCKET_GROUPS": {}}, "fault", "(dwebsocket.E016)"),
        ({"WEBSOCKET_ACCEPT_ALL": True}, "warning", "(dwebsocket.W001)"),
        ({"MIDDLEWARE": ["nowhere.Middleware"]}, "fault", "cannot be imported"),
        ({"MIDDLEWARE": [*USUAL, OURS, LOGIN]}, "warning", f"{LOGIN} comes after"),
    ],
)
def test_wrong_settings(examine, settings, mark, words):
    (found,) = examine(settings=settings).marked(mark)
    assert words in found


def test_a_silenced_check_is_silent(examine):
    settings = {"WEBSOCKET_ACCEPT_ALL": True, "SILENCED_SYSTEM_CHECKS": ["dwebsocket.W001"]}
    examine(settings=settings).check_well()


def test_several_workers_and_groups_in_memory(examine):
    memory = {"WEBSOCKET_GROUPS": {"BACKEND": "dwebsocket.groups.memory.MemoryGroupBackend"}}
    (found,) = examine(settings=memory, WEB_CONCURRENCY="4").marked("warning")
    assert "WEB_CONCURRENCY asks for 4 worker processes" in found


def test_groups_of_the_machine(examine, tmp_path):
    with tempfile.TemporaryDirectory(prefix="dw-") as directory:  # where no other test is
        report = examine(settings={"WEBSOCKET_RUN_DIR": directory}, WEB_CONCURRENCY="4")
    report.check_well()
    (found,) = report.step("groups")
    assert "MachineGroupBackend reaches the processes that meet in /" in found["text"]
    assert "nobody listens there just now" in found["text"]
    (tmp_path / "a file").touch()
    (found,) = examine(settings={"WEBSOCKET_RUN_DIR": str(tmp_path / "a file")}).marked("fault")
    assert "dwebsocket.E023" in found


def test_middleware(examine):
    report = examine(settings={"MIDDLEWARE": [*USUAL, OURS]})
    report.check_well()
    assert "guards 2 others" in report.step("middleware")[0]["text"]


def test_servers_that_are_installed(examine):
    """All of the table are, where tests run; and with nothing there is a warning."""
    (found,) = examine(settings={}).step("installed")
    for name in ["gunicorn", "cheroot", "waitress", "uvicorn", "daphne", "hypercorn", "granian"]:
        assert f"{name} " in found["text"]


def test_nothing_is_installed(tmp_path):
    """In a Python that has none of them."""
    code = (
        "from dwebsocket.management.doctor import installed\n"
        "found = {'bjoern': '3.2.2'}\n"
        "installed.find_version = found.get\n"
        "for finding in installed.examine_installed(): print(finding.mark.value, finding.text)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.splitlines() == [
        "warning Only runserver is here to carry WebSockets, which is for development.",
        "warning bjoern 3.2.2 does not let go of its sockets: a handshake gets 501.",
    ]
