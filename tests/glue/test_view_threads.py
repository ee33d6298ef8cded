"""Views in threads of their own: how many there may be."""

import os
import threading

import pytest
from django.test import override_settings

from dwebsocket.backends import view_threads
from dwebsocket.backends.view_threads import TooManyViews, start_view, take_place

from .site import TIMEOUT, wait_until


def in_thread(run, name):
    threading.Thread(target=run, name=name, daemon=True).start()


def running():
    return view_threads.running


@pytest.fixture
def run_view():
    """Run a view in a thread until it is told to end."""
    ends = []

    def start():
        end = threading.Event()
        ends.append(end)
        start_view(take_place(), in_thread, lambda: end.wait(TIMEOUT))
        return end

    before = running()
    yield start
    for end in ends:
        end.set()
    wait_until(lambda: running() == before)


def test_beyond_the_setting_there_is_no_room(run_view):
    with override_settings(WEBSOCKET_VIEW_THREADS=running() + 2):
        first = run_view()
        place = take_place()  # counts from now on
        for _ in range(2):
            with pytest.raises(TooManyViews, match="WEBSOCKET_VIEW_THREADS") as caught:
                take_place()
            assert caught.value.status_code == 503
        for _ in range(2):  # once is as good as twice
            place.give_back()
        run_view()
        with pytest.raises(TooManyViews):
            take_place()
        first.set()
        wait_until(lambda: running() == 1)
        take_place().give_back()


def test_a_view_counts_before_its_thread_has_begun():
    before = running()
    views = []
    start_view(take_place(), lambda run, name: views.append(run), lambda: None)
    assert running() == before + 1
    views[0]()
    assert running() == before


def test_a_view_that_raises_counts_no_more():
    before = running()

    def fail():
        raise ZeroDivisionError

    views = []
    start_view(take_place(), lambda run, name: views.append(run), fail)
    with pytest.raises(ZeroDivisionError):
        views[0]()
    assert running() == before


def test_a_view_whose_thread_cannot_start_does_not_count():
    before = running()

    def start(run, name):
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError):
        start_view(take_place(), start, lambda: None)
    assert running() == before


@override_settings(WEBSOCKET_VIEW_THREADS=0)
def test_zero_is_no_bound_for_it_means_none_leaves(run_view):
    run_view()
    run_view()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_runs_none(run_view):
    run_view()
    view_threads.lock.acquire()  # as another thread may, at the moment of the fork
    try:
        child = os.fork()
        if not child:
            forgotten = running() == 0
            start_view(take_place(), lambda run, name: run(), lambda: None)
            os._exit(0 if forgotten and running() == 0 else 1)
    finally:
        view_threads.lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert running() == 1
