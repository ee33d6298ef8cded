"""Views in threads of their own: how many there may be."""

import os
import threading
from contextvars import ContextVar

import pytest
from django.db import connections
from django.test import override_settings

from dwebsocket.backends import view_threads
from dwebsocket.backends.view_threads import NoFurtherThread, TooManyViews, start_thread

from .site import TIMEOUT, wait_until

variable = ContextVar("variable", default="nothing")


def running():
    return view_threads.running


@pytest.fixture(autouse=True)
def waiting_threads(monkeypatch):
    """Nothing runs, and a thread waits for its next view for as long as a test takes on a busy
    machine.
    """
    wait_until(lambda: running() == 0)  # the view of an earlier test is about to end
    monkeypatch.setattr(view_threads, "PATIENCE", TIMEOUT)
    yield
    view_threads.end_idle()


def run(view):
    """Run it in a thread of ours to its end, and until that waits for another one."""
    thread, found = start_thread(), []
    thread.run(lambda: found.append(view()))
    wait_until(lambda: thread in view_threads.idle)
    return found[0]


@pytest.fixture
def run_view():
    """Run a view in a thread until it is told to end."""
    ends = []

    def start():
        end = threading.Event()
        ends.append(end)
        start_thread().run(lambda: end.wait(TIMEOUT))
        return end

    before = running()
    yield start
    for end in ends:
        end.set()
    wait_until(lambda: running() == before)


def test_beyond_the_setting_there_is_no_room(run_view):
    with override_settings(WEBSOCKET_VIEW_THREADS=running() + 2):
        first = run_view()
        waiting = start_thread()  # counts from now on
        for _ in range(2):
            with pytest.raises(TooManyViews, match="WEBSOCKET_VIEW_THREADS") as caught:
                start_thread()
            assert caught.value.status_code == 503
        waiting.dismiss()
        wait_until(lambda: running() == 1)
        run_view()
        with pytest.raises(TooManyViews):
            start_thread()
        first.set()
        wait_until(lambda: running() == 1)
        start_thread().dismiss()


def test_a_view_runs_in_the_thread_that_waited_for_it():
    before, found = running(), []
    thread = start_thread()
    assert running() == before + 1
    thread.run(lambda: found.append(threading.current_thread().name))
    wait_until(lambda: running() == before)
    assert found == ["dwebsocket-view"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_view_that_raises_counts_no_more_and_ends_its_thread():
    before, threads = running(), []

    def fail():
        threads.append(threading.current_thread())
        raise ZeroDivisionError

    start_thread().run(fail)
    wait_until(lambda: running() == before and threads)
    threads[0].join(TIMEOUT)
    assert not threads[0].is_alive()


def test_the_next_view_has_the_thread_of_the_last_one():
    first = run(threading.current_thread)
    assert run(threading.current_thread) is first
    waiting = start_thread()
    assert run(threading.current_thread) is not first
    waiting.dismiss()


def test_a_thread_without_a_view_ends(monkeypatch):
    view_threads.end_idle()
    monkeypatch.setattr(view_threads, "PATIENCE", 0.01)
    threads = []
    start_thread().run(lambda: threads.append(threading.current_thread()))
    wait_until(lambda: threads)
    threads[0].join(TIMEOUT)
    assert not threads[0].is_alive()
    assert not view_threads.idle


def test_threads_that_wait_end_when_others_need_them():
    thread = run(threading.current_thread)
    view_threads.end_idle()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_the_next_view_has_the_context_of_its_own_request():
    run(lambda: variable.set("of the first"))
    assert run(variable.get) == "nothing"
    token = variable.set("of the second")
    try:
        thread = start_thread()
        variable.set("too late")
        found = []
        thread.run(lambda: found.append(variable.get()))
        wait_until(lambda: found)
    finally:
        variable.reset(token)
    assert found == ["of the second"]


def test_the_next_view_has_database_connections_of_its_own():
    def touch():
        connection = connections["default"]
        connection.of_the_first = True
        return connection, threading.current_thread()

    before, thread = run(touch)
    assert run(lambda: (connections["default"] is before, threading.current_thread())) == (
        False,
        thread,
    )


def test_a_name_that_a_view_has_given_its_thread_is_forgotten():
    def rename():
        threading.current_thread().name = "mine"

    run(rename)
    assert run(lambda: threading.current_thread().name) == "dwebsocket-view"


def test_where_no_thread_can_start_there_is_no_room(monkeypatch):
    before = running()
    view_threads.end_idle()

    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(NoFurtherThread, match=r"can't start new thread.*TasksMax=") as caught:
        start_thread()
    assert caught.value.status_code == 503
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
            start_thread().run(lambda: None)
            wait_until(lambda: running() == 0)
            os._exit(0 if forgotten else 1)
    finally:
        view_threads.lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert running() == 1
