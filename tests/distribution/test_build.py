"""What is published: built, looked at, installed where nothing else is, and run."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from ..docs.conversations import check_echo, open_websocket
from ..docs.pages import ROOT
from ..docs.projects import run
from ..docs.running import RunningServer
from .project import MODULES

# pip fetches what builds the package, and then what it depends on.
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what belongs to it git tells"),
]

#: What setuptools itself adds to an sdist.
ADDED = re.compile(r"PKG-INFO|setup\.cfg|dwebsocket\.egg-info(/.*)?")
SITE = """
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.urls import path

from dwebsocket import require_websocket

settings.configure(DEBUG=True, SECRET_KEY="secret", ROOT_URLCONF=__name__)


@require_websocket
def echo(request):
    for message in request.websocket:
        request.websocket.send(message)


urlpatterns = [path("echo/", echo)]
execute_from_command_line(sys.argv)
"""


@pytest.fixture(scope="module")
def files():
    """What belongs to the repository, or will with the next commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(files, tmp_path_factory):
    """A folder with the sdist, and the wheel that was made of it."""
    copy, output = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    run(copy, sys.executable, "-m", "build", "--outdir", str(output), timeout=500)
    return output


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("dwebsocket-*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("dwebsocket-*-py3-none-any.whl")
    return path


def test_the_sdist_is_the_repository(sdist, files):
    """So that whoever has it can run the tests and build the documentation."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {name for name in names if not ADDED.fullmatch(name)} == files


def test_the_wheel_is_the_package(wheel, files):
    """No tests, no examples; py.typed, which tells type checkers to look into it."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (licence,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    package = {name for name in files if name.startswith("dwebsocket/")}
    assert names == package | {f"{name}.py" for name in MODULES}
    assert "dwebsocket/py.typed" in names


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(path).decode())
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Description-Content-Type"] == "text/markdown"
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert sorted(re.match(r"\w+", line)[0] for line in needed) == ["Django", "websockets"]


def test_twine_finds_nothing(built):
    run(ROOT, sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir()))


def test_echo_where_nothing_else_is_installed(wheel, tmp_path):
    run(tmp_path, sys.executable, "-m", "venv", "fresh", timeout=300)
    python = tmp_path / "fresh" / "bin" / "python"
    run(tmp_path, str(python), "-I", "-m", "pip", "install", str(wheel), timeout=300)
    run(tmp_path, str(python), "-I", "-m", "pip", "check", timeout=300)
    code = "import dwebsocket, dwebsocket.asgi, dwebsocket.testing; print(dwebsocket.__file__)"
    path = Path(run(tmp_path, str(python), "-I", "-c", code).strip())
    assert path.is_relative_to(tmp_path / "fresh")
    (tmp_path / "site.py").write_text(SITE)
    command = f"{python} -I {tmp_path / 'site.py'} runserver --noreload 0"
    with RunningServer(command, tmp_path) as server, open_websocket(server) as websocket:
        check_echo(websocket)
