"""The load: builds wsload.c once and runs it against a server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bench.processes import Process, pinned
from bench.works import Work

SOURCE = Path(__file__).with_name("wsload.c")
PROGRAM = SOURCE.parents[1] / "build" / "bench" / "wsload"

# Beyond the measurement itself: opening 5,000 connections, and the last answers.
PATIENCE = 60  # seconds

NEEDED = (
    "It needs a C compiler (cc) and OpenSSL: `apt install gcc libc6-dev libssl-dev` on Debian and "
    "Ubuntu, `dnf install gcc openssl-devel` on Fedora, `apk add build-base openssl-dev` on Alpine."
)


class LoadError(Exception):
    """A measurement that cannot be used, with what was seen."""


def build() -> None:
    """Compile the load generator unless the program is newer than its source."""
    if PROGRAM.exists() and PROGRAM.stat().st_mtime >= SOURCE.stat().st_mtime:
        return
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit(
            f"The load generator is a C program and there is no C compiler on PATH. {NEEDED}"
        )
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-o", str(PROGRAM), str(SOURCE), "-lssl", "-lcrypto"]
    if subprocess.run(command).returncode:
        raise SystemExit(f"The load generator does not compile. {NEEDED}")


def warm_up(server: Process) -> None:
    """Some echoes first: imports on first use and the interpreter's own specialising are no cost
    of a message."""
    mode = "connect" if server.kind.page else "echo"
    _run(server, Work("", "", "", mode, 4, 125), 0.3)


def measure(server: Process, work: Work, seconds: float) -> float:
    """The server's CPU time a message or handshake in µs, or its memory a connection in KiB."""
    figures = _run(server, work, seconds)
    key = "rss_kB_per_conn" if work.mode == "hold" else "cpu_us"
    if key not in figures:
        raise LoadError(f"the load generator gave no {key}: nothing came back from the server")
    return figures[key]


def _run(server: Process, work: Work, seconds: float) -> dict[str, float]:
    mode = "get" if server.kind.page else work.mode if server.kind.websocket else "raw"
    command = [str(PROGRAM), mode, "127.0.0.1", str(server.port)]
    command += [server.kind.path, str(work.connections)]
    if work.mode == "echo":
        command += [str(work.size), str(work.depth)]
    command = pinned([*command, str(seconds)], server.load_cpu)
    environment = {**os.environ, "WSLOAD_PIDS": ",".join(map(str, server.pids))}
    if server.kind.tls:
        environment["WSLOAD_TLS"] = "1"
    patience = seconds + PATIENCE
    try:
        result = subprocess.run(command, env=environment, capture_output=True, timeout=patience)
    except subprocess.TimeoutExpired as late:
        seen = _seen(late.stderr, late.stdout) or "not all connections opened"
        raise _lost(server, f"not done after {patience:g} s: {seen}") from None
    seen = _seen(result.stderr, result.stdout)
    if result.returncode:
        raise _lost(server, f"connections or messages were lost: {seen[:160]}")
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", seen)}


def _lost(server: Process, what: str) -> LoadError:
    return LoadError(f"{what}; the server's last words: {server.last_words()}")


def _seen(*outputs: bytes | None) -> str:
    return " ".join(b" ".join(output or b"" for output in outputs).decode(errors="replace").split())
