"""What an attack costs the server's processes: time, and memory at its highest."""

import re
import time
from contextlib import contextmanager
from pathlib import Path

from ..servers.process import processor_time

MIB = 1 << 20

#: What a thread takes at most, its buffer and its stack: where many are busy more of them call
#: handlers, up to 32, and end again when they are not needed.
THREAD = MIB // 2


class Measured:
    """One process, against what it was before the first attack: what an earlier attack has left
    behind counts as well.
    """

    def __init__(self, pid):
        self.pid = pid
        self._status = Path(f"/proc/{pid}/status")
        self._reset = Path(f"/proc/{pid}/clear_refs")
        self._usual = self._read_memory("VmRSS")
        self._usual_threads = self._count_threads()

    def _read_memory(self, name):
        return int(re.search(rf"^{name}:\s+(\d+) kB", self._status.read_text(), re.M)[1]) * 1024

    def _count_threads(self):
        return int(re.search(r"^Threads:\s+(\d+)", self._status.read_text(), re.M)[1])

    def begin(self):
        self._reset.write_text("5")  # the highest is counted from here, see proc(5)

    def find_peak(self):
        """The most memory that it has held since, beyond the usual."""
        peak = self._read_memory("VmHWM") - self._usual
        return peak - THREAD * max(0, self._count_threads() - self._usual_threads)


class Meter:
    """Measures the process that runs the views, and the one that holds the sockets where that is
    another; what is allowed, each of them may take.

    Args:
        spare: bytes that each may take besides.
    """

    def __init__(self, *pids, spare=0):
        self._processes = [Measured(pid) for pid in pids]
        self._spare = spare
        self.record = None  # record(name, value): for the test's report

    def processor_time(self):
        """The clock for an attack that is all work."""
        return sum(processor_time(process.pid) for process in self._processes)

    @contextmanager
    def bounds(self, *, seconds, memory=16 * MIB, clock=time.monotonic):
        """The block takes no longer by the clock, and no process ever holds more memory beyond the
        usual.
        """
        memory += self._spare
        for process in self._processes:
            process.begin()
        started = clock()
        yield
        elapsed = clock() - started
        peaks = [process.find_peak() for process in self._processes]
        self.record("seconds", round(elapsed, 2))
        self.record("memory_mib", [round(peak / MIB, 2) for peak in peaks])
        assert elapsed < seconds, f"took {elapsed:.1f} s, at most {seconds} are allowed"
        told = [f"{peak / MIB:.1f} MiB" for peak in peaks]
        assert max(peaks) < memory, f"{told} more, at most {memory / MIB:.1f} are allowed"
