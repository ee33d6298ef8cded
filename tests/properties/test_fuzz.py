"""Some seconds of the search in fuzz/, by whichever engine is installed: the same at each run."""

import os
import subprocess
import sys

from ..servers.process import ROOT, without_coverage

SECONDS = int(os.environ.get("DWEBSOCKET_TEST_FUZZ", "10"))


def test_short_search_finds_nothing(tmp_path):
    result = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz", "--seed", "1"),
            *("--seconds", str(SECONDS), "--directory", str(tmp_path)),
        ],
        cwd=ROOT,
        env=without_coverage(),  # memory is measured there, and coverage's would count
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS + 80,
        text=True,
        errors="replace",
    )
    found = {path.name: path.read_bytes().hex(" ") for path in tmp_path.iterdir() if path.is_file()}
    assert result.returncode == 0, f"{result.stdout}\n{found}"
