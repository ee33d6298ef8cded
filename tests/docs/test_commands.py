"""The shell commands of each page, run in the order of the page, between the files it shows.

Servers are started, on a free port instead of 8000, and talked to. Commands that end are run. What
would install something, or needs a server, is only looked at.
"""

import re
import shlex
import shutil
from importlib.util import find_spec
from urllib.request import urlopen

import pytest

from .conversations import check_echo, open_websocket
from .pages import PAGES, ROOT
from .projects import environment, make_project, run, write_file
from .running import RunningServer

TUTORIAL = "docs/tutorial.md"

# Its server answers to www.example.com alone: test_nginx.py starts it. uWSGI's listens on two
# ports: test_uwsgi.py does. test_doctor.py asks the doctor.
ELSEWHERE = ("docs/servers/nginx.md", "docs/howto/uwsgi.md", "docs/howto/doctor.md")

WITH_COMMANDS = [
    shown for shown in PAGES if shown.blocks_in("console") and shown.name not in ELSEWHERE
]
SERVERS = {
    "gunicorn": "gunicorn",
    "waitress-serve": "waitress",
    "cheroot": "cheroot",
    "uvicorn": "uvicorn",
    "daphne": "daphne",
    "hypercorn": "hypercorn",
    "granian": "granian",
}


@pytest.mark.timeout(300)  # some pages start seven servers
@pytest.mark.parametrize("shown", WITH_COMMANDS, ids=lambda shown: shown.name)
def test_commands_of_the_page(shown, skeleton, tmp_path, certificates):
    shell = Shell(tmp_path, certificates)
    if shown.name != TUTORIAL:  # which makes its project itself
        shell.directory = make_project(skeleton, tmp_path / "project", shown)
    for block in shown.blocks:
        if block.language == "console":
            assert all(
                line.startswith("$ ") for line in block.code.replace("\\\n", "").splitlines()
            )
            for command in block.commands:
                shell.run(command)
        elif shown.name == TUTORIAL and block.file is not None:
            write_file(shell.directory / block.file, block)
            shell.has_script = shell.has_script or "websocket_script" in block.code


class Shell:
    """Does what a reader does who types in the commands of a page."""

    def __init__(self, directory, certificates):
        self.directory = directory
        self.certificates = certificates
        self.environment = environment()
        self.has_script = False  # whether a page loads the client

    def run(self, command):
        words = shlex.split(command)
        if words[0] == "cd":
            self.directory = self.directory / words[1]
            assert self.directory.is_dir()
        elif words[:2] in (["python", "-m"], ["python", "manage.py"]) or words[0] != "python":
            self.run_program(words, command)
        else:
            self.serve(command)

    def run_program(self, words, command):
        program = words[2] if words[1:2] == ["-m"] else words[0]
        serves = words[2:3] in (["runserver"], ["runserver_plus"])
        serves = serves or (words[2:3] == ["run_wsserver"] and "8000" in command)
        if program in SERVERS or serves:
            self.serve(command)
        elif program == "pip":
            check_pip(words[3:])
        elif program == "make":
            check_target(words[1])
        elif program == "curl":
            check_handshake(command)
        elif words[:2] == ["python", "manage.py"] or program == "django-admin":
            run(self.directory, *words, env=self.environment)
        else:
            assert command in ("python -m venv venv", ". venv/bin/activate"), f"unknown: {command}"

    def serve(self, command):
        assert "8000" in command or "serve_" in command
        self.prepare_files(command)
        tls = self.certificates.client_context if "cert" in command or "tls" in command else None
        if "serve_cheroot" in command:
            tls = self.certificates.client_context
        self.talk(command.replace("8000", "0"), tls)

    def talk(self, command, tls=None, port=None):
        with (
            RunningServer(command, self.directory, port, env=self.environment) as server,
            open_websocket(server, ssl=tls) as websocket,
        ):
            check_echo(websocket)
            if self.has_script:
                check_script(server.port)

    def prepare_files(self, command):
        """A script names the port itself, and its certificates."""
        shutil.copy(self.certificates.certificate, self.directory / "cert.pem")
        shutil.copy(self.certificates.key, self.directory / "key.pem")
        for script in re.findall(r"\S+\.py", command):
            path = self.directory / script
            text = path.read_text()
            assert script == "manage.py" or "8000" in text
            path.write_text(text.replace("8000", "0"))


def check_pip(words):
    """It installs what the project declares."""
    assert words[0] == "install"
    project = (ROOT / "pyproject.toml").read_text()
    servers = set(
        re.findall(r'"(\S+)"', re.search(r"^servers = \[(.*?)\]", project, re.M | re.S)[1])
    )
    extras = set(re.findall(r"^(\w+) = ", project.partition("[project.optional-dep")[2], re.M))
    for word in words[1:]:
        name, _, extra = re.split(r"[<>=]", word)[0].rstrip("]").partition("[")
        assert name in servers | {"dwebsocket"}
        assert not extra or name != "dwebsocket" or extra in extras


def check_script(port):
    with urlopen(f"http://127.0.0.1:{port}/static/dwebsocket/websocket.js", timeout=30) as script:
        assert b"DWebSocket" in script.read()


def check_target(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def check_handshake(command):
    for header in ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]:
        assert f'-H "{header}"' in command
    assert "/echo/" in command


@pytest.mark.parametrize("package", SERVERS.values())
def test_servers_are_installed(package):
    """Otherwise the commands above would have been run by nothing."""
    assert find_spec(package)
