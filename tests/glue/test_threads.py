"""Threads that are there when they are needed, and not longer."""

import os
import threading

import pytest

from dwebsocket.threads import Threads

from .site import wait_until


def alive(name):
    return [thread for thread in threading.enumerate() if thread.name == name]


@pytest.fixture
def work(request):
    """Blocks until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(10)
    over.set()


def test_results_and_errors():
    threads = Threads(2, "results", patience=0.01)
    assert threads.submit(pow, 2, 3).result(10) == 8
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(10)
    wait_until(lambda: not alive("results"))


def test_there_are_no_more_than_said(work):
    threads = Threads(2, "bounded", patience=0.01)
    futures = [threads.submit(work) for _ in range(5)]
    assert len(alive("bounded")) == 2
    assert not any(future.done() for future in futures)


def test_one_that_has_time_is_used_again():
    threads = Threads(3, "again", patience=60)
    idents = {threads.submit(threading.get_ident).result(10) for _ in range(20)}
    assert len(idents) <= 2  # the first may not have been idle again at once
    for _ in alive("again"):
        threads.dismiss()
    wait_until(lambda: not alive("again"))


def test_dismissed_it_ends_when_all_is_done(work):
    threads = Threads(1, "dismissed", patience=60)
    threads.dismiss()  # there is none
    first = threads.submit(threading.get_ident).result(10)
    threads.dismiss()
    wait_until(lambda: not alive("dismissed"))
    futures = [threads.submit(int), threads.submit(int)]
    threads.dismiss()
    late = threads.submit(int)
    assert [future.result(10) for future in [*futures, late]] == [0, 0, 0]
    assert first
    threads.dismiss()
    wait_until(lambda: not alive("dismissed"))


def test_a_forked_child_has_none_of_them(work):
    threads = Threads(1, "forked", patience=60)
    threads.submit(work)
    pid = os.fork()
    if not pid:
        os._exit(threads.submit(int).result(10))
    assert os.waitpid(pid, 0)[1] == 0
