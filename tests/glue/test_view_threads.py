"""Views in threads of their own: how many there may be."""

import os
import threading

import pytest
from django.test import override_settings

from dwebsocket.backends import view_threads
from dwebsocket.backends.view_threads import TooManyViews, check_room, counted

from .site import TIMEOUT, wait_until


def running():
    return view_threads.running


@pytest.fixture
def run_view():
    """Run a view in a thread until it is told to end."""
    ends = []

    def start():
        end = threading.Event()
        ends.append(end)
        threading.Thread(target=counted(lambda: end.wait(TIMEOUT)), daemon=True).start()
        return end

    before = running()
    yield start
    for end in ends:
        end.set()
    wait_until(lambda: running() == before)


def test_beyond_the_setting_there_is_no_room(run_view):
    with override_settings(WEBSOCKET_VIEW_THREADS=running() + 2):
        first = run_view()
        check_room()
        run_view()
        with pytest.raises(TooManyViews, match="WEBSOCKET_VIEW_THREADS") as caught:
            check_room()
        assert caught.value.status_code == 503
        first.set()
        wait_until(lambda: running() == 1)
        check_room()


def test_a_view_counts_before_its_thread_has_begun():
    before = running()
    view = counted(lambda: None)
    assert running() == before + 1
    view()
    assert running() == before


def test_a_view_that_raises_counts_no_more():
    before = running()

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        counted(fail)()
    assert running() == before


@override_settings(WEBSOCKET_VIEW_THREADS=0)
def test_zero_is_no_bound_for_it_means_none_leaves(run_view):
    run_view()
    check_room()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_runs_none(run_view):
    run_view()
    view_threads.lock.acquire()  # as another thread may, at the moment of the fork
    try:
        child = os.fork()
        if not child:
            ended = running() == 0 and counted(lambda: None)() is None and running() == 0
            os._exit(0 if ended else 1)
    finally:
        view_threads.lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert running() == 1
