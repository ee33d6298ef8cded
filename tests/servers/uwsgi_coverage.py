"""Coverage of uWSGI's workers, which end without a word to Python: saved while they run.

Imported by uWSGI, in its master, when the tests are run with coverage; the workers are forks of it.
"""

import os
import sys

import coverage
from uwsgidecorators import postfork

INTERVAL = 0.5  # seconds; what happens in the last of them may be lost


def original(module, name):
    """Of a process that gevent may have patched: a greenlet would wait for the others."""
    if "gevent.monkey" in sys.modules:
        from gevent.monkey import get_original

        return get_original(module, name)
    return getattr(__import__(module), name)


@postfork
def measure_worker():
    if (inherited := coverage.Coverage.current()) is not None:
        inherited.stop()
    configuration = os.environ.get("COVERAGE_PROCESS_START", True)
    measured = coverage.Coverage(data_suffix=f"uwsgi-{os.getpid()}", config_file=configuration)
    measured.start()
    sleep = original("time", "sleep")

    def save():
        while True:
            sleep(INTERVAL)
            measured.save()

    original("_thread", "start_new_thread")(save, ())
