"""What is active in a call that a request's context is entered for, in whatever thread."""

import threading
from contextvars import ContextVar

import pytest
from asgiref.sync import SyncToAsync
from django.test import override_settings
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from dwebsocket.running.context import NOTHING, capture_context
from dwebsocket.running.coroutines import end_thread, own_thread

from .site import TIMEOUT

mark = ContextVar("mark", default="none")


def active():
    return (
        translation.get_language(),
        timezone.get_current_timezone_name(),
        get_urlconf(),
        get_script_prefix(),
        mark.get(),
    )


DEFAULT = ("en-us", "America/Chicago", None, "/", "none")
CHANGED = ("de", "Asia/Tokyo", "some.urls", "/below/", "mine")


def change():
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    set_urlconf("some.urls")
    set_script_prefix("/below/")
    mark.set("mine")


def change_otherwise():
    translation.activate("fr")
    timezone.activate("Asia/Kolkata")
    set_urlconf("other.urls")
    set_script_prefix("/other/")
    mark.set("changed")


def in_thread(*functions):
    """What the functions return, called in one new thread."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(f() for f in functions), daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    assert len(found) == len(functions)
    return found


@pytest.fixture
def changed():
    """A context made in a thread in which everything has been changed."""
    return in_thread(change, capture_context)[1]


@pytest.fixture
def unchanged():
    return in_thread(capture_context)[0]


def entered(context, function=active):
    return lambda: context.copy_for_thread().run(function)


def test_it_goes_with_the_context_into_other_threads(changed):
    assert in_thread(entered(changed), active) == [CHANGED, DEFAULT]
    assert in_thread(entered(changed), active) == [CHANGED, DEFAULT]


def test_what_a_call_changes_no_other_call_sees(changed, unchanged):
    assert in_thread(
        entered(changed, change_otherwise),
        entered(changed),
        entered(unchanged, change_otherwise),
        entered(unchanged),
        active,
    ) == [None, CHANGED, None, DEFAULT, DEFAULT]


def test_where_nothing_was_changed_nothing_is(unchanged):
    assert in_thread(entered(unchanged)) == [DEFAULT]


def test_plain_calls_have_no_thread_of_coroutines():
    """It ends with the request, and each idle handler would keep what is left of it."""

    def make_both():
        own_thread()
        try:
            return capture_context(plain=True), capture_context().copy_for_thread()
        finally:
            end_thread()

    [(plain, others)] = in_thread(make_both)
    assert plain is NOTHING
    assert SyncToAsync.thread_sensitive_context in others


def test_in_the_thread_in_which_it_was_made():
    def make_and_enter():
        change()
        context = capture_context()
        first = context.copy_for_thread().run(active)
        context.copy_for_thread().run(change_otherwise)
        return first, context.copy_for_thread().run(active), active()

    assert in_thread(make_and_enter) == [(CHANGED, CHANGED, CHANGED)]


def test_no_language_at_all():
    context = in_thread(translation.deactivate_all, capture_context)[1]
    assert in_thread(lambda: context.copy_for_thread().run(translation.get_language)) == [None]


@override_settings(USE_I18N=False)
def test_without_translations():
    context = in_thread(capture_context)[0]
    language = translation.get_language()
    assert in_thread(lambda: context.copy_for_thread().run(translation.get_language)) == [language]


def test_contexts_take_turns_in_one_thread(changed, unchanged):
    assert in_thread(
        entered(changed), entered(unchanged), entered(changed), entered(unchanged)
    ) == [CHANGED, DEFAULT, CHANGED, DEFAULT]


@pytest.mark.parametrize("count", [20])
def test_many_threads_enter_one_context_at_once(changed, count):
    """A handler's calls do not overlap, but whatever else the context is entered for might."""
    found = []
    barrier = threading.Barrier(count)

    def enter():
        barrier.wait(TIMEOUT)
        for _ in range(20):
            found.append(changed.copy_for_thread().run(active))

    threads = [threading.Thread(target=enter, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert found == [CHANGED] * 20 * count
