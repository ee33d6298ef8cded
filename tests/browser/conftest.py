import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from ..servers.examples import ExampleServer

TIMEOUT = 30_000  # ms: what takes longer has failed, also on a busy machine
ARTIFACTS = Path(__file__).resolve().parents[2] / "build" / "artifacts"
NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"]
FLAGS = [
    "--no-sandbox",  # chromium refuses its sandbox to root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium():
    """One browser for a module: playwright's event loop must not live on beside other tests."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("No Chromium found. Install the package 'chromium' (apt-get install chromium).")
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium):
    """A fresh profile; a script error on any page of it fails the test."""
    errors = []
    context = chromium.new_context(viewport={"width": 1200, "height": 760})
    context.set_default_timeout(TIMEOUT)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


@pytest.fixture
def screenshot():
    """Keep a picture of the page for those who look at the results."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.fixture(scope="module")
def start_example(tmp_path_factory, example_database):
    servers = []

    def start(name):
        server = ExampleServer(name, tmp_path_factory.mktemp("example"), example_database)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop_for_good()
