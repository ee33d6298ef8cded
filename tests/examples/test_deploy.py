"""The files of examples/deploy, as they stand but for ports and paths: nginx, gunicorn, Redis."""

import re
import shutil
import signal
import socket
import ssl
import subprocess
from configparser import RawConfigParser
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPSConnection

import pytest
import yaml
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ..docs.projects import run
from ..docs.running import RunningServer
from ..docs.test_nginx import MAIN
from ..servers.process import ROOT, find_free_port, list_children, wait_until
from ..servers.rows import NGINX
from ..servers.tls import share

DEPLOY = ROOT / "examples" / "deploy"
HOST = "www.example.com"
TIMEOUT = 20  # seconds
VARIABLES = {"SECRET_KEY": "0123456789" * 5, "ALLOWED_HOSTS": HOST}

unit = RawConfigParser(strict=False)
unit.optionxform = str
unit.read(DEPLOY / "mysite.service")
compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
dockerfile = (DEPLOY / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def start_gunicorn(redis_server):
    """The unit's command, in the unit's folder."""
    words = {**VARIABLES, "REDIS": redis_server.location, "BIND": "127.0.0.1:0", "WORKERS": "1"}
    setting = " ".join(f"{name}={word}" for name, word in words.items())
    program = unit["Service"]["ExecStart"].rpartition("/")[2]
    return lambda: RunningServer(f"env {setting} {program}", DEPLOY)


@pytest.fixture(scope="module")
def gunicorns(start_gunicorn):
    with start_gunicorn() as one, start_gunicorn() as two:
        yield one, two


@pytest.fixture
def site(gunicorns, certificates, tmp_path):
    """nginx before both, which gives each every second connection; its port for https."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    ports = find_free_port(), find_free_port()
    changes = {
        "server web:8000;": "".join(f"server 127.0.0.1:{one.port};" for one in gunicorns),
        "listen 80;": f"listen 127.0.0.1:{ports[0]};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports[1]} ssl;",
        "/etc/nginx/certificates/mysite.pem": str(certificates.certificate),
        "/etc/nginx/certificates/mysite.key": str(certificates.key),
    }
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mysite.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(MAIN.format(directory=tmp_path))
    with RunningServer(f"{NGINX} -p {tmp_path} -c nginx.conf", tmp_path, port=ports[1]):
        yield ports


@contextmanager
def open_talk(site, origin=f"https://{HOST}"):
    """As a browser does that shows a page of this site."""
    sock = socket.create_connection(("127.0.0.1", site[1]), TIMEOUT)
    options = {"sock": sock, "ssl": trusting(), "open_timeout": TIMEOUT}
    with connect(f"wss://{HOST}/talk/", origin=origin, **options) as websocket:
        yield websocket


def trusting():
    """The certificate of the tests has another name."""
    context = share(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def come(person, name):
    """It is in the group when it hears itself: a connection is open before its handler has run."""
    person.send(f"{name} is here")
    while person.recv(TIMEOUT) != f"{name} is here":
        pass


def hear(person):
    """What is said next, but for who has come."""
    while (text := person.recv(TIMEOUT)).endswith(" is here"):
        pass
    return text


def test_what_one_says_all_read(site):
    with ExitStack() as stack:
        people = [stack.enter_context(open_talk(site)) for _ in range(4)]
        for number, person in enumerate(people):
            come(person, number)
        for number, speaker in enumerate(people):
            speaker.send(f"{number}: Grüße")
            assert [hear(person) for person in people] == [f"{number}: Grüße"] * 4


def test_the_page_comes_by_https_alone(site):
    connection = HTTPSConnection("127.0.0.1", site[1], context=trusting(), timeout=TIMEOUT)
    with closing(connection):
        connection.request("GET", "/", headers={"Host": HOST})
        response = connection.getresponse()
        assert response.status == 200
        assert b'"/talk/"' in response.read()
    with socket.create_connection(("127.0.0.1", site[0]), TIMEOUT) as sock:
        sock.sendall(f"GET /?a=b HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        answer = sock.makefile("rb").read()
    assert b" 301 " in answer
    assert f"Location: https://{HOST}/?a=b".encode() in answer


def test_pages_of_others_are_refused(site):
    with pytest.raises(InvalidStatus) as refused, open_talk(site, "https://evil.example"):
        pass
    assert refused.value.response.status_code == 403


def test_a_reload_leaves_the_clients_alone(start_gunicorn):
    """As the unit's ExecReload has it; they talk to new workers, and to those who come later."""
    assert unit["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"
    with start_gunicorn() as server, open_directly(server) as websocket:
        (before,) = list_children(server.pid)
        server.signal(signal.SIGHUP)
        wait_until(lambda: before not in list_children(server.pid), "the old worker ends", 60)
        with open_directly(server) as other:
            come(websocket, "who stays")
            come(other, "who is new")
            for speaker in (websocket, other):
                speaker.send("Grüße")
                assert [hear(one) for one in (websocket, other)] == ["Grüße"] * 2


def open_directly(server):
    options = {"additional_headers": {"X-Forwarded-Proto": "https"}, "open_timeout": TIMEOUT}
    sock = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
    return connect(f"ws://{HOST}/talk/", sock=sock, origin=f"https://{HOST}", **options)


def test_gunicorn_tells_systemd_that_it_is_there(start_gunicorn, tmp_path, monkeypatch):
    """Type=notify waits for that."""
    assert unit["Service"]["Type"] == "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(TIMEOUT)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with start_gunicorn():
            assert b"READY=1" in sock.recv(1000)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path):
    program = unit["Service"]["ExecStart"]
    text = (DEPLOY / "mysite.service").read_text()
    (tmp_path / "mysite.service").write_text(text.replace(program, "/bin/true"))
    found = run(tmp_path, "systemd-analyze", "verify", str(tmp_path / "mysite.service"))
    assert "mysite.service" not in found  # it may say something of other units


def test_django_finds_nothing_to_say():
    variables = [f"{name}={word}" for name, word in VARIABLES.items()]
    command = ["python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    run(DEPLOY, "env", *variables, *command)


def test_every_variable_is_in_the_example():
    """Without those of the place, which compose itself sets."""
    sources = [*DEPLOY.glob("mysite/settings.py"), DEPLOY / "gunicorn.conf.py"]
    read = {
        name
        for path in sources
        for name in re.findall(r'os\.environ(?:\[|\.get\()"(\w+)"', path.read_text())
    }
    example = re.findall(r"^(\w+)=", (DEPLOY / "mysite.env.example").read_text(), re.M)
    assert read == {*example, *compose["services"]["web"]["environment"]}


def test_compose_names_what_is_there():
    services = compose["services"]
    build = services["web"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == DEPLOY / "Dockerfile"
    assert services["web"]["env_file"] + ".example" in {path.name for path in DEPLOY.iterdir()}
    assert services["web"]["environment"]["REDIS"].partition("//")[2].split(":")[0] in services
    assert re.search(r"server (\w+):8000;", (DEPLOY / "nginx.conf").read_text())[1] in services
    mounts = dict(volume.split(":")[:2] for volume in services["nginx"]["volumes"])
    assert (DEPLOY / "nginx.conf").samefile(DEPLOY / next(iter(mounts)))
    assert mounts["./certificates"] + "/mysite.pem" in (DEPLOY / "nginx.conf").read_text()
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)


def test_the_image_has_what_the_project_needs():
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (.+)$", dockerfile, re.M)]
    names = {name for sources in copied for name in sources}
    assert all((ROOT / name).exists() for name in names)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    passed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert all(any(f"{name}/".startswith(f"{kept}/") for kept in passed) for name in names)
    # What builds the package, and what runs in the image.
    assert {"pyproject.toml", "README.md", "LICENSE", "dwebsocket"} <= names
    assert {f"examples/deploy/{name}" for name in ("gunicorn.conf.py", "mysite")} <= names


def test_the_image_starts_what_the_unit_starts():
    (command,) = re.findall(r'^CMD \["(\w+)"\]$', dockerfile, re.M)
    assert unit["Service"]["ExecStart"].endswith(f"/bin/{command}")


def has_compose():
    """Docker and its plugin are installed; its daemon need not run."""
    command = ["docker", "compose", "version"]
    return shutil.which("docker") and not subprocess.run(command, capture_output=True).returncode


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_compose_takes_its_file(tmp_path):
    shutil.copy(DEPLOY / "compose.yaml", tmp_path)
    (tmp_path / "mysite.env").write_text("SECRET_KEY=secret\n")
    run(tmp_path, "docker", "compose", "config", "--quiet")
