"""The start page of the examples: what is live on it, in two windows, and whoever looks at it."""

import pytest
from playwright.sync_api import expect

#: ms: the longest delay between two tries is 15 s; for one that a busy page has given up the server
#: waits 30 s.
RECONNECT = 60_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
)

#: Each text with less contrast than WCAG 2.2 (1.4.3) asks for, behind what it has.
FIND_FAINT_TEXT = """() => {
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const draw = (color) => { pixel.fillStyle = color; pixel.fillRect(0, 0, 1, 1); };
  const luminance = () => {
    const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ancestors = (node) => node ? [...ancestors(node.parentElement), node] : [];
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
  const hasText = (node) => [...node.childNodes].some(isText);
  return [...document.body.querySelectorAll("*")]
    .filter((node) => hasText(node) && node.checkVisibility() && !node.disabled)
    .map((node) => {
      draw("Canvas");
      ancestors(node).forEach((each) => draw(getComputedStyle(each).backgroundColor));
      const below = luminance();
      draw(getComputedStyle(node).color);
      const text = luminance();
      const contrast = (Math.max(text, below) + 0.05) / (Math.min(text, below) + 0.05);
      return [Math.round(contrast * 100) / 100, node.textContent.trim()];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""

#: The longest words that connection.js has for a connection, with its button.
SHOW_THAT_NOBODY_ANSWERS = """() => {
  const pill = document.querySelector(".state");
  pill.dataset.state = "lost";
  pill.querySelector(".words").textContent = "Cannot connect, see the log of the server";
  pill.querySelector(".seconds").textContent = "retrying in 15 s";
  pill.querySelector("button").hidden = false;
}"""


@pytest.fixture(scope="module", params=["runserver", "uvicorn", "two processes and Redis"])
def server(request, start_example):
    return start_example(request.param)


@pytest.fixture
def open_window(context, server):
    def open_window():
        page = context.new_page()
        page.goto(server.url)
        expect(page.get_by_role("status")).to_have_text("Connected")
        return page

    return open_window


def heading(page):
    return page.locator("#count")


def windows(page):
    return page.get_by_role("list", name="Open windows").get_by_role("listitem")


def processes(page):
    """Those that have the windows which this one knows of."""
    shown = windows(page).locator("small").all_inner_texts()
    return {text.rpartition(" ")[2] for text in shown}


def log(page):
    return page.get_by_role("log").locator("li")


def name_of(page):
    """The name that this window has been given, as its own log says it."""
    line = log(page).filter(has_text="You are ")
    return line.inner_text().removeprefix("You are ").removesuffix(".")


def say(page, text):
    page.get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")


def test_two_windows_see_each_other_come_speak_and_leave(open_window, screenshot):
    one = open_window()
    expect(heading(one)).to_have_text("1 window is open: this one")
    expect(windows(one)).to_have_count(1)

    with one.context.expect_page() as opened:
        one.get_by_role("link", name="Open a second window").click()
    two = opened.value
    for page in (one, two):
        expect(heading(page)).to_have_text("2 windows are open")
        expect(windows(page)).to_have_count(2)
        expect(windows(page).first).to_contain_text("this window, process ")
    expect(windows(two).last).to_contain_text(name_of(one))
    expect(log(one).last).to_have_text(f"{name_of(two)} has come.")

    say(two, "<b>Hello</b>")
    expect(log(one).last).to_have_text(f"{name_of(two)}: <b>Hello</b>")
    expect(log(two).last).to_have_text("You: <b>Hello</b>")
    assert one.locator(".windows b").count() == 0  # shown as text
    screenshot(one, "start-page")

    left = name_of(two)
    two.close()
    expect(log(one).last).to_have_text(f"{left} has left.")
    expect(heading(one)).to_have_text("1 window is open: this one")


def test_windows_come_back_after_the_server_was_restarted(open_window, server, screenshot):
    pages = [open_window(), open_window()]
    names = [name_of(page) for page in pages]
    server.stop()
    for page in pages:
        expect(page.get_by_role("status")).to_have_text("Connection lost")
        expect(heading(page)).to_have_text("Not connected")
        expect(windows(page)).to_have_count(0)
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
        expect(log(page).last).to_have_text(
            "The connection is lost. This page connects again by itself."
        )
    screenshot(pages[0], "start-page-connection-lost")

    # A page may have come to a second process, which was told to end a moment later.
    came_back = [log(page).filter(has_text="Connected again.").count() for page in pages]

    server.start()
    for page, name, before in zip(pages, names, came_back, strict=True):
        expect(page.get_by_role("status")).to_have_text("Connected", timeout=RECONNECT)
        expect(log(page).filter(has_text="Connected again.")).to_have_count(before + 1)
        expect(heading(page)).to_have_text("2 windows are open", timeout=RECONNECT)
        expect(windows(page).first).to_contain_text(name)  # keeps it
    say(pages[0], "after")
    expect(log(pages[1]).last).to_have_text(f"{names[0]}: after")


@pytest.mark.parametrize("server", ["two processes and Redis", "four processes"], indirect=True)
def test_windows_of_two_processes(open_window):
    pages = [open_window() for _ in range(6)]
    expect(windows(pages[0])).to_have_count(len(pages), timeout=RECONNECT)
    while len(processes(pages[0])) == 1 and len(pages) < 40:  # the kernel chooses who accepts
        pages.append(open_window())
        expect(windows(pages[0])).to_have_count(len(pages), timeout=RECONNECT)
    for page in pages:
        expect(windows(page)).to_have_count(len(pages), timeout=RECONNECT)
        assert len(processes(page)) > 1


@pytest.mark.parametrize("server", ["runserver"], indirect=True)
class TestWhoeverLooksAtIt:
    def test_keys_are_enough(self, open_window):
        page, other = open_window(), open_window()
        page.locator("body").focus()
        box = page.get_by_role("textbox", name="Message to every window")
        for _ in range(10):
            page.keyboard.press("Tab")
            if box.evaluate("box => box === document.activeElement"):
                break
        expect(box).to_be_focused()
        page.keyboard.type("by keyboard")
        page.keyboard.press("Enter")
        expect(log(other).last).to_have_text(f"{name_of(page)}: by keyboard")
        expect(box).to_be_focused()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_stands_out(self, open_window, scheme):
        page, other = open_window(), open_window()
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        say(other, "Hello")
        expect(log(page).last).to_contain_text("Hello")
        for state in ("open", "connecting", "lost", "ended"):
            page.locator(".state").evaluate("(pill, state) => pill.dataset.state = state", state)
            assert page.evaluate(FIND_FAINT_TEXT) == []

    def test_a_narrow_window_has_room_for_all(self, open_window, screenshot):
        page, _ = open_window(), open_window()
        page.set_viewport_size({"width": 320, "height": 700})
        page.emulate_media(color_scheme="dark")
        say(page, "x" * 200)
        expect(log(page).last).to_contain_text("xxx")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        page.evaluate(SHOW_THAT_NOBODY_ANSWERS)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        screenshot(page, "start-page-narrow")

    def test_a_content_security_policy_lets_it_pass(self, context, server):
        page = context.new_page()
        problems = []
        page.on("console", lambda said: problems.append(said.text))

        def add_policy(route):
            answer = route.fetch()
            headers = {**answer.headers, "content-security-policy": POLICY}
            route.fulfill(response=answer, headers=headers)

        # Chromium does not know that a page which a test has changed came from this machine.
        context.grant_permissions(["local-network-access"])
        page.route(f"{server.url}/", add_policy)
        page.goto(server.url)
        expect(page.get_by_role("status")).to_have_text("Connected")
        say(page, "Hello")
        expect(log(page).last).to_have_text("You: Hello")
        assert problems == []
