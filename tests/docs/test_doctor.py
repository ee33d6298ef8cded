"""The doctor's page shows what the doctor says, but for numbers and what is installed."""

import re
import shlex
import subprocess

import pytest

from ..servers.certificates import make_certificates
from ..servers.nginx import Nginx
from .pages import ROOT, code_in, page
from .projects import environment, make_project
from .running import RunningServer

PAGE = page("docs/howto/doctor.md")
ALONE, THROUGH = [command for block in PAGE.blocks_in("console") for command in block.commands]
MACHINE, WELL, LOST = [block.code for block in PAGE.blocks_in("text")]
#: What is said before the way to an address.
STEPS = [code_in(row[0])[0] for row in PAGE.table("Step").rows]
HERE = STEPS[: STEPS.index("dns")]


@pytest.fixture(scope="module")
def server(skeleton, tmp_path_factory):
    shown = page("docs/servers/nginx.md")
    project = make_project(skeleton, tmp_path_factory.mktemp("doctor") / "project", shown)
    command = "gunicorn -k gthread --threads 8 --bind 127.0.0.1:0 mysite.wsgi"
    with RunningServer(command, project) as running:
        running.project = project
        yield running


@pytest.fixture
def certificates(tmp_path):
    return make_certificates(tmp_path, "www.example.com")


@pytest.fixture
def start_nginx(server, certificates, tmp_path):
    started = []

    def start(**changes):
        started.append(Nginx(tmp_path / "nginx", [server.port], certificates, changes))
        return started[-1].port

    yield start
    for nginx in started:
        nginx.stop()


def run(server, command, authority=None):
    """Its lines, and the exit status."""
    variables = {"SSL_CERT_FILE": str(authority)} if authority else {}
    result = subprocess.run(
        shlex.split(command),
        cwd=server.project,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in result.stderr
    return result.stdout, result.returncode


def comparable(text):
    """Without numbers, and without the names of what is installed, of the run directory, and of who
    listens there: servers do from their first WebSocket on.
    """
    text = re.sub(r"meet in \S+: [^.]*", "meet in a directory", text)
    text = re.sub(r"(carry WebSockets:).*", r"\1", text)
    return re.sub(r"\d+(\.\d+)*", "N", text).splitlines()


def way(text):
    """The lines about the way to an address."""
    return "".join(line for line in text.splitlines(True) if line.split()[1] not in HERE)


def test_the_machine(server):
    output, status = run(server, ALONE)
    assert comparable(MACHINE) == comparable(output)
    assert status == 0


def test_the_way(server, start_nginx, certificates):
    command = THROUGH.replace("443", str(start_nginx())).replace("--idle", "--idle 1")
    output, status = run(server, command, certificates.authority)
    assert comparable(WELL) == comparable(way(output))
    assert status == 0


def test_lost_headers(server, start_nginx, certificates):
    command = THROUGH.replace("443", str(start_nginx(upgrade="", connection="")))
    output, status = run(server, command, certificates.authority)
    assert comparable(LOST) == comparable(way(output))[-len(LOST.splitlines()) :]
    assert status == 1


def test_every_option_is_shown(server):
    output, _ = run(server, "python manage.py websocket_doctor --help")
    parser = output[output.index("options:") :]
    ours = set(re.findall(r"^  (--[a-z-]+)", parser, re.M))
    django = {"--version", "--settings", "--pythonpath", "--traceback"}
    shown = {code_in(row[0])[0].split()[0] for row in PAGE.table("Option").rows}
    assert shown == ours - django - {"--no-color", "--force-color", "--skip-checks"}


def test_every_step_is_shown():
    folder = ROOT / "dwebsocket/management/doctor"
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    found = set(re.findall(r'\b(?:ok|warning|fault)\(\s*"(\w+)"', source))
    found |= set(re.findall(r'^STEP = "(\w+)"', source, re.M))
    assert found == set(STEPS)
