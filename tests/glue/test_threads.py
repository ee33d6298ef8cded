"""Threads that are there when they are needed, and not longer."""

import os
import threading

import pytest

from dwebsocket.running.threads import NoThread, Threads

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
    idents = set()
    for _ in range(20):
        idents.add(threads.submit(threading.get_ident).result(10))
        wait_until(lambda: not threads.is_busy)
    assert len(idents) == 1
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


def hold(threads, over):
    """Have one of the threads lent until it is told that this is over."""
    lent = threading.Event()

    def keep():
        threads.lend()
        lent.set()
        over.wait(10)
        threads.take_back()

    threads.submit(keep)
    return lent


def test_others_take_the_place_of_those_that_are_lent():
    threads, over = Threads(1, "lent", patience=60), threading.Event()
    for _ in range(3):
        assert hold(threads, over).wait(10)
    assert threads.submit(pow, 2, 3).result(10) == 8
    assert len(alive("lent")) == 4
    over.set()
    wait_until(lambda: len(alive("lent")) == 1)
    assert threads.submit(pow, 2, 3).result(10) == 8
    threads.dismiss()


def test_work_that_waits_when_a_thread_is_lent_is_done(work):
    threads, go, over = Threads(1, "waiting", patience=0.01), threading.Event(), threading.Event()

    def keep():
        go.wait(10)
        threads.lend()
        over.wait(10)
        threads.take_back()

    threads.submit(keep)
    waiting = threads.submit(pow, 2, 3)
    go.set()
    assert waiting.result(10) == 8
    over.set()
    wait_until(lambda: not alive("waiting"))


def test_without_a_further_thread_nothing_waits_for_those_that_are_lent(monkeypatch):
    threads, over = Threads(1, "scarce", patience=0.01), threading.Event()
    assert hold(threads, over).wait(10)

    def fail(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(NoThread, match="can't start new thread"):
            threads.submit(int)
    assert threads.submit(pow, 2, 3).result(10) == 8
    over.set()
    wait_until(lambda: not alive("scarce"))
