"""The benchmarks: what they name is there, and the load generator counts on each kind of server."""

import re
import shutil
import subprocess
import sys

import pytest

from bench.servers import OVER_TLS, SERVERS
from bench.works import ALL_WORKS, TARGETS

MEASURED = {server.name: server for server in (*SERVERS, *OVER_TLS)}
WORKS = {work.name: work for work in ALL_WORKS}


def test_names_are_unique():
    assert len(MEASURED) == len(SERVERS) + len(OVER_TLS)
    assert len({server.title for server in MEASURED.values()}) == len(MEASURED)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_target_is_about_what_is_measured(target):
    for name in {target.ours, target.against} - {None}:
        assert WORKS[target.work].is_for(MEASURED[name])
    assert (target.against is None) == (WORKS[target.work].unit == "KiB")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_messages_handshakes_pages_and_tls():
    measured = {
        "handler_gthread": ("echo", "handshake"),
        "page_gthread": ("handshake",),
        "handler_gthread_tls": ("echo",),
    }
    command = [sys.executable, "-m", "bench", "--no-write", "--rounds", "1", "--seconds", "0.1"]
    command += ["--only", ",".join(measured), "--work", "echo,handshake"]
    bench = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert bench.returncode == 0, bench.stdout + bench.stderr
    for server, works in measured.items():
        line = re.search(rf"^\[1/1\] {server}: (.*)$", bench.stdout, re.MULTILINE)
        assert [cell.split()[0] for cell in line[1].split(", ")] == [*works]
        assert all(re.fullmatch(r"\w+ [\d.]+ µs", cell) for cell in line[1].split(", "))
