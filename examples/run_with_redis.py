#!/usr/bin/env python
"""Serve the examples with two processes of gunicorn, and a redis-server of their own between them:
python run_with_redis.py -b 127.0.0.1:8000
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKERS = 2
PATIENCE = 10  # seconds, to start and to end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-b", "--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    bind = parser.parse_args().bind
    if shutil.which("redis-server") is None:
        sys.exit(
            "redis-server is not installed. On Debian and Ubuntu: apt-get install redis-server"
        )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        path = Path(directory) / "redis.sock"
        redis = start_redis(path)
        gunicorn = start_gunicorn(bind, path)
        try:
            sys.exit(gunicorn.wait())
        finally:
            end(gunicorn)
            end(redis)


def start_redis(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", path.parent],
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for gunicorn
    )
    deadline = time.monotonic() + PATIENCE
    while not answers(path):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit("redis-server did not start.")
        time.sleep(0.05)
    return process


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def start_gunicorn(bind: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
            *("-k", "gthread", "--threads", "8", "--workers", str(WORKERS), "-b", bind),
            "demo.wsgi",
        ],
        cwd=Path(__file__).parent,
        env={**os.environ, "DEMO_REDIS": f"unix://{path}"},
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
