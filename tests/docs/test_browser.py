"""The pages' HTML and JavaScript, in Chromium, against a server that runs the page's project."""

import pytest

from ..browser.conftest import TIMEOUT, chromium, context  # noqa: F401  (fixtures)
from ..browser.frames import first_frame
from ..browser.released import serve_released
from ..servers.process import find_free_port
from .pages import PAGES, page
from .projects import make_project, run
from .running import RunningServer

RUNSERVER = "python manage.py runserver --noreload 0"
SCRIPTS = [(shown, block) for shown in PAGES for block in shown.blocks_in("js")]


@pytest.fixture(scope="module")
def serve(skeleton, tmp_path_factory):
    def start(shown):
        directory = tmp_path_factory.mktemp("served") / "project"
        return RunningServer(RUNSERVER, make_project(skeleton, directory, shown))

    return start


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=[f"{shown.name}:{block.line}" for shown, block in SCRIPTS]
)
def test_script_is_javascript(script, chromium):  # noqa: F811
    opened = chromium.new_page()
    opened.evaluate("code => { new Function(code); }", script[1].code)
    opened.close()


@pytest.mark.parametrize("name", ["README.md"])
def test_script_in_the_console(name, serve, context):  # noqa: F811
    """Typed into the browser's console, on the page that Django shows for an unknown address."""
    (block,) = page(name).blocks_in("js")
    with serve(page(name)) as server:
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{server.port}/")
        with tab.expect_console_message(lambda said: said.text == "Hello", timeout=TIMEOUT):
            tab.evaluate(block.code + "; 'Chromium would call a last function'")


def test_tutorial_shows_the_script_of_the_readme():
    assert (
        page("docs/tutorial.md").blocks_in("js")[0].code
        == page("README.md").blocks_in("js")[0].code
    )


def test_a_page_that_breaks_and_comes_back(serve, context):  # noqa: F811
    """What was sent meanwhile is there, and nothing twice."""
    shown = page("docs/howto/history.md")
    with serve(shown) as server:
        first, second = context.new_page(), context.new_page()
        for tab in (first, second):
            tab.add_init_script(KEEP_SOCKETS)
            with first_frame(tab):
                tab.goto(f"http://127.0.0.1:{server.port}/room/")
        send = "text => sockets.at(-1).send(text)"
        second.evaluate(send, "one")
        first.wait_for_selector("li:has-text('one')", timeout=TIMEOUT)
        with first_frame(first):
            first.evaluate("sockets.at(-1).close()")
            second.evaluate(send, "two")
        second.evaluate(send, "three")
        first.wait_for_selector("li:has-text('three')", timeout=TIMEOUT)
        assert first.locator("li").all_inner_texts() == ["one", "two", "three"]


def test_a_page_that_comes_back_after_the_server(skeleton, tmp_path, context):  # noqa: F811
    """The client brings its positions to a server that has never seen it."""
    project = make_project(skeleton, tmp_path / "project", page("docs/howto/history.md"))
    port = find_free_port()
    command = f"python manage.py runserver --noreload {port}"
    tab = context.new_page()
    with RunningServer(command, project, port):
        tab.goto(f"http://127.0.0.1:{port}/board/")
        tab.evaluate("socket.send('one')")
        tab.wait_for_selector("li:has-text('one')", timeout=TIMEOUT)
        tab.evaluate("list.firstChild.id = 'kept'")
    send = "from chat.boards import board; board.send('missed')"
    run(project, "python", "manage.py", "shell", "-c", send)
    with RunningServer(command, project, port):
        tab.wait_for_selector("li:has-text('missed')", timeout=2 * TIMEOUT)
        tab.evaluate("socket.send('three')")
        tab.wait_for_selector("li:has-text('three')", timeout=TIMEOUT)
        assert tab.locator("li").all_inner_texts() == ["one", "missed", "three"]
        assert tab.locator("li#kept").count() == 1  # it has not loaded anew


def test_a_page_says_how_its_connection_is(serve, context):  # noqa: F811
    with serve(page("docs/howto/client.md")) as server:
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{server.port}/shout/")
        tab.wait_for_selector("#state:has-text('Connected')", timeout=TIMEOUT)
        tab.evaluate("socket.reconnect(1e8)")
        tab.wait_for_selector("#state:has-text('Away: attempt 1 in 100000 s')", timeout=TIMEOUT)
        tab.fill("input", "while away")
        tab.click("button")
        tab.evaluate("dispatchEvent(new Event('online'))")
        tab.wait_for_selector("li:has-text('WHILE AWAY')", timeout=TIMEOUT)
        assert tab.inner_text("#state") == "Back, and nothing is missing"
        tab.evaluate("socket.close(4000, 'enough')")
        tab.wait_for_selector("#state:has-text('The end: 4000')", timeout=TIMEOUT)


#: What the page makes is within reach of the test.
KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(url) { super(url); sockets.push(this); }
};
"""


def test_html_in_pages_with_htmx_and_turbo(serve, context):  # noqa: F811
    serve_released(context)
    with serve(page("docs/howto/html.md")) as server:
        shown = {name: context.new_page() for name in ("htmx4", "htmx2", "turbo")}
        for name, tab in shown.items():
            with first_frame(tab):
                tab.goto(f"http://127.0.0.1:{server.port}/{name}/")
        for name, tab in shown.items():
            tab.fill("[name=text]", f"<b>{name}</b>")
            tab.click("button")
            tab.wait_for_selector(f"li:has-text('<b>{name}</b>')", timeout=TIMEOUT)
        shown["htmx4"].wait_for_selector("li:has-text('htmx2')", timeout=TIMEOUT)
        texts = shown["htmx4"].locator("li").all_inner_texts()
        assert texts == ["<b>htmx4</b>", "<b>htmx2</b>"]
        assert shown["htmx2"].locator("li").all_inner_texts() == texts
        assert shown["turbo"].locator("li").all_inner_texts() == ["<b>turbo</b>"]


def test_chat_of_the_tutorial(serve, context):  # noqa: F811
    with serve(page("docs/tutorial.md")) as server:
        ada, bob = context.new_page(), context.new_page()
        for tab in (ada, bob):
            with tab.expect_websocket() as opened:
                tab.goto(f"http://127.0.0.1:{server.port}/lobby/")
            assert "/lobby/socket/?" in opened.value.url
            tab.wait_for_selector("li")
        ada.fill("input", "<b>Hello</b>")
        ada.click("button")
        for tab in (ada, bob):
            tab.wait_for_selector("li >> nth=1")
            assert tab.locator("li").all_inner_texts() == ["<b>Hello</b>", "Welcome to lobby"]


def test_chat_comes_back_by_itself(serve, context):  # noqa: F811
    with serve(page("docs/tutorial.md")) as server:
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{server.port}/lobby/")
        tab.wait_for_function("socket.readyState === WebSocket.OPEN")
        tab.evaluate("() => { socket.onopen = (event) => { window.opened = event; }; }")
        tab.evaluate("socket.reconnect()")
        tab.wait_for_function("window.opened?.resumed")
