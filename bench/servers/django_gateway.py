"""dwebsocket: the handlers behind the gateway, in one process beside its front."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

from bench.servers import announce


def start(*arguments):
    command = [sys.executable, "-m", "django", "run_wsserver", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def has_handlers(address):
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["handlers"] > 0
    except OSError:  # it does not listen yet
        return False


def main():
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.project.settings"
    directory = tempfile.mkdtemp(prefix="dw-")
    sockets = ("--push-socket", f"ipc://{directory}/push", "--sub-socket", f"ipc://{directory}/sub")
    front = start("127.0.0.1:0", "--front", *sockets)
    port = int(re.search(r":(\d+)$", front.stdout.readline().strip())[1])
    handlers = start("--handlers", "1", *sockets)
    address = f"http://127.0.0.1:{port}/healthz"
    deadline = time.monotonic() + 60
    while not has_handlers(address):
        if time.monotonic() > deadline:
            sys.exit("The gateway has no process with handlers after 60 seconds")
        time.sleep(0.1)
    announce(port, front.pid, handlers.pid)
    front.wait()


if __name__ == "__main__":
    main()
