"""Two tabs of a real browser talk through the chat, also across a restart of the server."""

import re
from itertools import count

import pytest
from playwright.sync_api import expect

RECONNECT = 60_000  # ms: the longest delay between two tries is 15 s, and a machine may be busy


rooms = count(1)


@pytest.fixture(scope="module", params=["runserver", "uvicorn"])
def server(request, start_example):
    return start_example(request.param)


@pytest.fixture
def join(context, server):
    lobby = f"lobby-{next(rooms)}"

    def join(name, room=lobby):
        page = context.new_page()
        page.goto(f"{server.url}/chat/{room}/")
        page.get_by_role("textbox", name="What is your name?").fill(name)
        page.keyboard.press("Enter")
        expect(state(page)).to_have_text("Connected")
        return page

    return join


#: ms: who has left is gone when they have not come back for 15 s.
GONE = 30_000


def state(page):
    return page.locator(".state").get_by_role("status")


def messages(page):
    return page.locator(".message .bubble")


def say(page, text):
    page.get_by_role("textbox").fill(text)
    page.keyboard.press("Enter")


def test_what_one_tab_sends_the_other_receives(join, screenshot):
    ada, bob = join("Ada"), join("Bob")
    expect(ada.locator(".note")).to_have_text("Bob joined")
    expect(ada.locator("#count")).to_have_text("2 people")

    say(bob, "Hello Ada")
    expect(messages(ada)).to_have_text("Hello Ada")
    say(ada, "Hello Bob ✓")
    expect(messages(bob)).to_have_text(["Hello Ada", "Hello Bob ✓"])
    expect(ada.locator(".message.own .bubble")).to_have_text("Hello Bob ✓")
    screenshot(ada, "chat")

    bob.get_by_role("textbox").press_sequentially("I was")
    expect(ada.locator("#typing")).to_have_text("Bob is typing…")
    expect(ada.locator("#typing")).to_have_text("")

    bob.reload()  # of which nobody is told
    expect(state(bob)).to_have_text("Connected")
    expect(messages(bob)).to_have_text(["Hello Ada", "Hello Bob ✓"])
    bob.close()
    expect(ada.locator(".note").last).to_have_text("Bob left", timeout=GONE)
    expect(ada.locator(".note")).to_have_text(["Bob joined", "Bob left"])
    expect(ada.locator("#count")).to_have_text("only you")


CONVERSATION = [
    ("Bob", "The build is through. Shall I deploy?"),
    ("Cleo", "Two minutes: I am still testing the last change."),
    ("Ada", "Take your time. Our chats come back by themselves."),
    ("Cleo", "Done, all green. Go ahead!"),
]


def test_three_talk(join, screenshot):
    """And the picture of the README is taken: docs/pictures/chat.png is a copy of it."""
    people = {name: join(name, "release") for name in ("Ada", "Bob", "Cleo")}
    expect(people["Ada"].locator("#count")).to_have_text("3 people")
    for number, (name, text) in enumerate(CONVERSATION):
        say(people[name], text)
        for page in people.values():
            expect(messages(page)).to_have_count(number + 1)
    for page in people.values():
        expect(messages(page)).to_have_text([text for _, text in CONVERSATION])
    people["Ada"].set_viewport_size({"width": 900, "height": 520})
    screenshot(people["Ada"], "three-talk")


def test_both_tabs_come_back_after_the_server_was_restarted(join, server, screenshot):
    ada, bob = join("Ada"), join("Bob")
    say(ada, "before")
    expect(messages(bob)).to_have_text("before")

    server.stop()
    for page in (ada, bob):
        expect(state(page)).to_have_text("Connection lost")
        expect(page.get_by_text("retrying in")).to_be_visible()
    ada.get_by_role("textbox").fill("after")
    ada.keyboard.press("Enter")  # it is sent when the connection is back
    expect(ada.get_by_role("textbox")).to_have_value("")
    screenshot(ada, "chat-connection-lost")

    server.start()
    for page in (ada, bob):
        expect(state(page)).to_have_text("Connected", timeout=RECONNECT)
        expect(page.locator("#count")).to_have_text("2 people")
    for page in (ada, bob):
        expect(messages(page)).to_have_text(["before", "after"])
    screenshot(bob, "chat-connected-again")


def test_a_connection_that_is_cut(join, screenshot):
    """What is said meanwhile, on both sides, is there afterwards; nobody has left."""
    ada, bob = join("Ada"), join("Bob")
    expect(ada.locator(".note").last).to_have_text("Bob joined")
    ada.get_by_role("button", name="Cut the connection").click()
    expect(ada.locator(".note").last).to_have_text(re.compile("^Connection lost"))
    expect(ada.get_by_text("retrying in")).to_be_visible()
    say(ada, "from away")
    say(bob, "meanwhile")
    screenshot(ada, "chat-cut")
    ada.get_by_role("button", name="Retry now").click()
    expect(state(ada)).to_have_text("Connected")
    for page in (ada, bob):
        expect(messages(page)).to_have_text(["meanwhile", "from away"])
    expect(ada.locator(".note").last).to_have_text("You are back")
    expect(bob.locator(".note")).to_have_count(0)


def test_what_people_write_is_shown_as_text(join):
    ada, bob = join("<i>Ada</i>"), join("Bob")
    say(ada, "<img src=x onerror=\"document.title='hacked'\">")
    expect(messages(bob)).to_have_text("<img src=x onerror=\"document.title='hacked'\">")
    expect(bob.locator(".message .heading")).to_contain_text("<i>Ada</i>")
    assert bob.locator("img, i").count() == 0
    assert "hacked" not in bob.title()


def test_rooms_are_apart_and_a_newcomer_sees_what_was_said(join):
    ada, bob = join("Ada", "python"), join("Bob", "music")
    say(ada, "only for python")
    expect(messages(ada)).to_have_text("only for python")
    zoe = join("Zoë", "python")
    expect(messages(zoe)).to_have_text("only for python")
    expect(zoe.locator("#people li span:last-child")).to_have_text(["Ada", "Zoë"])
    say(bob, "only for music")
    expect(messages(bob)).to_have_text("only for music")
    expect(messages(zoe)).to_have_text("only for python")


def test_a_new_name_is_known_to_the_others(join):
    ada, bob = join("Ada"), join("Bob")
    ada.get_by_title("Change your name").click()
    ada.get_by_role("textbox", name="What is your name?").fill("Countess")
    ada.keyboard.press("Enter")
    expect(bob.locator("#people li span:last-child")).to_have_text(["Bob", "Countess"])
    expect(ada.locator("#count")).to_have_text("2 people")


@pytest.mark.parametrize("server", ["two processes and Redis", "four processes"], indirect=True)
def test_what_is_said_in_one_process_is_heard_in_the_other(join):
    pages = [join(f"Person {number}") for number in range(8)]
    expect(pages[0].locator("#count")).to_have_text("8 people")
    for number, page in enumerate(pages[:3]):
        say(page, f"message {number}")
        for other in pages:
            expect(messages(other)).to_have_count(number + 1)
            expect(messages(other).last).to_have_text(f"message {number}")
    pages[7].close()
    expect(pages[0].locator("#count")).to_have_text("7 people", timeout=GONE)
