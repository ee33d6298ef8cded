"""What runs beside the server goes on whatever it raises, and starts when it can."""

import logging
import threading

import pytest

from dwebsocket import supervisor
from dwebsocket.running.threads import NoThread, Threads
from dwebsocket.supervisor import Service, keep_running, start_missing, start_thread

TIMEOUT = 10


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(supervisor, "PAUSE", 0)
    monkeypatch.setattr(supervisor, "logged", {})
    monkeypatch.setattr(supervisor, "missing", set())


@pytest.fixture
def no_threads(monkeypatch):
    """Have the system refuse further threads, until the returned function is called."""
    start = threading.Thread.start

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return lambda: monkeypatch.setattr(threading.Thread, "start", start)


class Work:
    """Raises as often as is wished, and tells then that it has gone well."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0
        self.done = threading.Event()
        self.service = Service(self.run, "test-service")

    def run(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop()
        self.service.end(lambda: False)
        self.done.set()


def test_an_error_does_not_end_it(caplog):
    work = Work(ValueError("one"), MemoryError(), KeyError("two"))
    work.service.ensure()
    assert work.done.wait(TIMEOUT)
    assert work.calls == 4
    [line] = caplog.records  # once a minute
    assert "test-service failed, and goes on" in line.getMessage()
    assert line.exc_info


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_process_passes(error):
    with pytest.raises(error):
        keep_running(Work(error()).run, "test")


def test_it_is_started_once_and_again_when_it_has_ended():
    work = Work()
    for _ in range(2):
        work.service.ensure()
        assert work.done.wait(TIMEOUT)
        work.done.clear()
    assert work.calls == 2


def test_the_next_occasion_starts_what_could_not_be_started(no_threads, caplog):
    work = Work()
    work.service.ensure()
    work.service.ensure()
    assert not work.done.is_set()
    assert [line.levelno for line in caplog.records] == [logging.ERROR]
    assert "cannot be started: can't start new thread" in caplog.text
    no_threads()
    work.service.ensure()
    assert work.done.wait(TIMEOUT)


def test_those_that_run_start_those_that_are_missing(no_threads):
    work = Work()
    work.service.ensure()
    no_threads()
    start_missing()
    assert work.done.wait(TIMEOUT)
    assert not supervisor.missing


def test_a_log_that_is_broken_ends_nothing(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(supervisor.logger, "error", fail)
    work = Work(ValueError())
    work.service.ensure()
    assert work.done.wait(TIMEOUT)


def test_a_pool_goes_on_when_its_work_raises():
    pool, done = Threads(1, "test-pool"), threading.Event()

    def fail():
        raise ValueError("of the work")

    pool.start(fail)
    pool.start(done.set)
    assert done.wait(TIMEOUT)


def test_a_pool_without_a_thread_says_so_and_forgets_the_work(no_threads):
    pool, called = Threads(1, "test-pool"), []
    with pytest.raises(NoThread):
        pool.start(lambda: called.append("early"))
    no_threads()
    assert pool.submit(lambda: "later").result(TIMEOUT) == "later"
    assert called == []


def test_a_pool_with_a_thread_needs_no_second_one(monkeypatch):
    pool, busy, done = Threads(2, "test-pool"), threading.Event(), threading.Event()
    begun = threading.Event()

    def work():
        begun.set()
        busy.wait(TIMEOUT)

    pool.start(work)
    assert begun.wait(TIMEOUT)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: 1 / 0)
        pool.start(done.set)
    busy.set()
    assert done.wait(TIMEOUT)


def test_threads_have_the_context_of_the_caller():
    started = start_thread(lambda: None, "test")
    started.join(TIMEOUT)
    assert not started.is_alive()
