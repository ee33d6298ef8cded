"""Run a command of soak/ as a user does, and see that it found nothing."""

import subprocess
import sys

from ..servers.process import ROOT, without_coverage

__all__ = ["run"]


def run(module, *arguments, timeout):
    # Coverage's own records grow, and slow the server: here the package is what is measured.
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=without_coverage(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert result.returncode == 0, result.stdout
