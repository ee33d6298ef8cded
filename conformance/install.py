"""Set up the Autobahn test suite: a Python 2.7 program, in a virtual environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
DIRECTORY = Path(__file__).parents[1] / "build" / "autobahn"
ENVIRONMENT = DIRECTORY / "venv"
STAMP = DIRECTORY / "installed"

# The last version that makes environments for Python 2.7.
VIRTUALENV = "virtualenv==20.21.1"
# Masking and UTF-8 checks in C: large messages go twice as fast. It needs a compiler.
WSACCEL = "wsaccel==0.6.6"


class InstallError(Exception):
    """The suite could not be installed."""


class NoPython27(InstallError):
    """There is no Python 2.7 here."""


def suite_variables() -> dict[str, str]:
    """The environment variables for a program of the suite: none that mean our own Python."""
    ours = {"PYTHONPATH", "PYTHONHOME", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}


def install() -> None:
    """Install the suite unless it is there already, with the versions now required.

    Raises:
        InstallError: it cannot run here.
    """
    required = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == required:
        return
    python27 = find_python27()
    print(f"Installing the Autobahn test suite into {ENVIRONMENT}", flush=True)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    create_environment(python27)
    pip_install("--requirement", REQUIREMENTS)
    try:
        pip_install(WSACCEL)
    except InstallError:
        print("wsaccel did not build; the suite runs without it, slower.", flush=True)
    STAMP.write_text(required)


def find_python27() -> str:
    """The path of a Python 2.7 that runs and has TLS."""
    on_path = [shutil.which(name) for name in ("python2.7", "python2")]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for candidate in (*on_path, *map(str, pyenv.glob("versions/2.7*/bin/python"))):
        if candidate and is_python27(candidate):
            return candidate
    raise NoPython27(
        "the Autobahn test suite needs Python 2.7, found neither as python2.7 or python2 on PATH "
        f"nor under {pyenv / 'versions'} (`pyenv install 2.7`)"
    )


def is_python27(path: str) -> bool:
    # A pyenv shim is on PATH even when no version stands behind it: ask it.
    question = "import ssl, sys; sys.exit(sys.version_info[:2] != (2, 7))"
    return subprocess.run([path, "-c", question], capture_output=True).returncode == 0


def create_environment(python27: str) -> None:
    tool = DIRECTORY / "virtualenv"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--target", tool, VIRTUALENV)
    make = (sys.executable, "-m", "virtualenv", "--quiet", "--no-download", "--python", python27)
    run(*make, ENVIRONMENT, PYTHONPATH=str(tool))


def pip_install(*what: str | Path) -> None:
    # --no-deps: every package is pinned.
    pip = (ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps")
    run(*pip, *what)


def run(*command: str | Path, **variables: str) -> None:
    """Run a command quietly.

    Raises:
        InstallError: it failed; with what it said.
    """
    environment = {**suite_variables(), "PIP_NO_PYTHON_VERSION_WARNING": "1", **variables}
    result = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode:
        words = " ".join(map(str, command))
        raise InstallError(f"`{words}` failed; it said:\n{result.stdout.strip()}")
