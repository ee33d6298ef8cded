"""Released htmx 2, htmx 4 and Turbo show what a group sends as HTML."""

from itertools import count

import pytest
from playwright.sync_api import expect

from .frames import first_frame
from .released import serve_released

RECONNECT = 60_000  # ms: a busy machine starts a server slowly, and htmx waits longer each time
LIBRARIES = ["htmx2", "htmx4", "turbo"]

numbers = count(1)


@pytest.fixture(scope="module", params=["gunicorn-gthread"])
def server(request, start_example):
    return start_example(request.param)


@pytest.fixture
def open_wall(context, server):
    serve_released(context)

    def open_wall(library):
        page = context.new_page()
        with first_frame(page):
            page.goto(f"{server.url}/wall/{library}/")
        return page

    return open_wall


def stick(page):
    text = f"<b>note {next(numbers)}</b>"
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Stick").click()
    return text


def notes(page):
    return page.get_by_label("Notes").get_by_role("listitem")


def test_each_page_shows_what_any_page_sends(open_wall, screenshot):
    pages = [open_wall(library) for library in LIBRARIES]
    first = stick(pages[0])
    expect(notes(pages[0]).first).to_have_text(first)
    sent = notes(pages[0]).all_inner_texts()  # and what another test has left
    for page in pages:
        sent.insert(0, stick(page))
        expect(page.get_by_label("Text")).to_have_value("")
        for shown in pages:
            expect(notes(shown)).to_have_text(sent)
    expect(notes(open_wall("turbo"))).to_have_text(sent)  # who comes later
    for page, library in zip(pages, LIBRARIES, strict=True):
        screenshot(page, f"wall-{library}")


def test_all_come_back_when_the_server_was_restarted(open_wall, server):
    """With all that is there, and nothing twice: htmx 4 by itself, the others by our client."""
    pages = [open_wall(library) for library in LIBRARIES]
    before = stick(pages[0])
    for page in pages:
        expect(notes(page).first).to_have_text(before)
    shown = notes(pages[0]).all_inner_texts()
    server.stop()
    server.start()
    after = stick(pages[0])  # which is kept until it can be sent
    for page in pages:
        expect(notes(page)).to_have_text([after, *shown], timeout=RECONNECT)
