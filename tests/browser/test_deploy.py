"""gunicorn restarts its workers below open pages: the counter of examples/deploy counts on; where
nothing is handed over the released htmx comes again by itself.
"""

import signal
from configparser import RawConfigParser
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from ..docs.projects import environment
from ..docs.running import RunningServer
from ..servers.process import ROOT
from .released import serve_released

DEPLOY = ROOT / "examples" / "deploy"
TIMEOUT = 60_000  # ms: a busy machine starts a worker slowly, and htmx waits longer each time

CDN = "https://cdn.jsdelivr.net/npm"
HTMX2 = (f"{CDN}/htmx.org@2.0.11/dist/htmx.min.js", f"{CDN}/htmx-ext-ws@2.0.4/dist/ws.min.js")
HTMX4 = (f"{CDN}/htmx.org@4.0.1/dist/htmx.min.js", f"{CDN}/htmx.org@4.0.1/dist/ext/hx-ws.min.js")
PAGES = {
    "htmx2": (HTMX2, 'hx-ext="ws" ws-connect="/moving/shown/"'),
    "htmx4": (HTMX4, 'hx-ws:connect="/moving/shown/"'),
}


@pytest.fixture(scope="module")
def site():
    """As the unit starts it, but for the variables of the place."""
    unit = RawConfigParser(strict=False)
    unit.read(DEPLOY / "mysite.service")
    program = unit["Service"]["ExecStart"].rpartition("/")[2]
    settings = f"SECRET_KEY={'0123456789' * 5} ALLOWED_HOSTS=127.0.0.1 BIND=127.0.0.1:0"
    with RunningServer(f"env {settings} {program}", DEPLOY) as server:
        yield server


@pytest.fixture(scope="module")
def plain_site():
    """The site of the tests: nothing of it is handed over."""
    options = "--workers 1 --threads 4 --bind 127.0.0.1:0 --no-control-socket"
    variables = {
        **environment(),
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "DWEBSOCKET_TEST_SETTINGS": '{"WEBSOCKET_DRAIN": 1}',
        "PYTHONPATH": str(ROOT),
    }
    command = f"python -m gunicorn -k gthread {options} tests.project.wsgi:application"
    with RunningServer(command, ROOT, env=variables) as server:
        yield server


def test_the_counter_counts_on(context, site, screenshot):
    """And the picture of the documentation is taken: docs/pictures/counter.png is a copy of it."""
    page = context.new_page()
    page.set_viewport_size({"width": 640, "height": 380})
    closed = []
    page.on("websocket", lambda websocket: websocket.on("close", lambda one: closed.append(one)))
    page.goto(f"http://127.0.0.1:{site.port}/counter/")
    count, workers = page.get_by_label("Count"), page.get_by_label("Workers")
    expect(workers).to_have_text("1")
    for number in (2, 3):
        before = int(count.inner_text())
        site.signal(signal.SIGHUP)
        expect(workers).to_have_text(str(number), timeout=TIMEOUT)
        assert int(count.inner_text()) > before
    expect(page.get_by_label("Connections")).to_have_text("1")
    assert not closed
    screenshot(page, "counter")


@pytest.mark.parametrize("library", PAGES)
def test_htmx_comes_again(context, plain_site, library):
    scripts, attribute = PAGES[library]
    serve_released(context)
    loaded = "".join(f'<script src="{script}"></script>' for script in scripts)
    body = f'<!doctype html><head>{loaded}</head><div {attribute}><p id="shown"></p></div>'
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{plain_site.port}/moving/page/?{urlencode({'body': body})}")
    shown = page.locator("#shown")
    expect(shown).to_contain_text("worker")
    before = shown.inner_text()
    plain_site.signal(signal.SIGHUP)
    expect(shown).not_to_have_text(before, timeout=TIMEOUT)
    expect(shown).to_contain_text("worker")
