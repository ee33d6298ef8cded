"""The answer to a handshake, for which the server's call waits, while its thread goes on."""

import gc
import threading
import weakref

import pytest

from dwebsocket.backends.asgi.answering import Answering
from dwebsocket.running.threads import Threads

from .site import TIMEOUT


@pytest.fixture
def threads():
    threads = Threads(1, "answering")
    yield threads
    threads.dismiss()


@pytest.fixture
def answering(threads):
    return Answering(threads)


def test_what_the_function_returns_is_the_answer(answering):
    assert answering.submit(lambda: "returned").result(TIMEOUT) == "returned"


def test_what_it_raises_is_raised(answering):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answering.submit(fail).result(TIMEOUT)


def test_an_answer_is_given_while_the_function_goes_on(answering):
    end = threading.Event()

    def answer_and_go_on():
        answering.answer("given")
        answering.answer("too late")
        end.wait(TIMEOUT)
        return "later"

    answer = answering.submit(answer_and_go_on)
    try:
        assert answer.result(TIMEOUT) == "given"
    finally:
        end.set()


def test_an_answer_that_is_given_is_not_kept(answering, threads):
    """The connection refers to what answers its handshake, for hours perhaps."""
    answer = answering.submit(lambda: None)
    answer.result(TIMEOUT)
    threads.submit(lambda: None).result(TIMEOUT)  # the thread has done with it
    kept = weakref.ref(answer)
    del answer
    gc.collect()
    assert kept() is None
