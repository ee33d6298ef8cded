"""What `make demo` sets up on a machine that has nothing yet."""

import shutil
import subprocess

import pytest

from ..servers.process import ROOT

NEEDS = {"": [], "WORKERS=4": ["gunicorn"], "REDIS=1": ["redis", "gunicorn"]}


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("variable", NEEDS)
def test_it_installs_what_it_starts(tmp_path, variable):
    told = subprocess.run(
        ["make", "--dry-run", "demo", f"VENV={tmp_path}/none", *variable.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    installed = [line for line in told.splitlines() if "pip install" in line]
    for package in NEEDS[variable]:
        assert any(package in line for line in installed), told
    assert ("-m gunicorn" in told) == variable.startswith("WORKERS")
