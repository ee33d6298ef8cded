"""What an attack costs the server's process: time, and memory at its highest."""

import re
import time
from contextlib import contextmanager
from pathlib import Path

from ..servers.process import processor_time

MIB = 1 << 20


class Meter:
    """Measures the process that runs the views, against what it was before the first attack: what
    an earlier attack has left behind counts as well.
    """

    def __init__(self, pid):
        self._pid = pid
        self._status = Path(f"/proc/{pid}/status")
        self._reset = Path(f"/proc/{pid}/clear_refs")
        self._usual = self._read("VmRSS")
        self.record = None  # record(name, value): for the test's report

    def _read(self, name):
        return int(re.search(rf"^{name}:\s+(\d+) kB", self._status.read_text(), re.M)[1]) * 1024

    def processor_time(self):
        """The clock for an attack that is all work."""
        return processor_time(self._pid)

    @contextmanager
    def bounds(self, *, seconds, memory=16 * MIB, clock=time.monotonic):
        """The block takes no longer by the clock, and the process never holds more memory beyond
        the usual.
        """
        self._reset.write_text("5")  # the highest is counted from here, see proc(5)
        started = clock()
        yield
        elapsed, peak = clock() - started, self._read("VmHWM") - self._usual
        self.record("seconds", round(elapsed, 2))
        self.record("memory_mib", round(peak / MIB, 2))
        assert elapsed < seconds, f"took {elapsed:.1f} s, at most {seconds} are allowed"
        assert peak < memory, f"{peak / MIB:.1f} MiB more, at most {memory / MIB:.1f} are allowed"
