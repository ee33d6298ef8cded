"""Showing something anew each second, as ``top`` does."""

from __future__ import annotations

import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

try:
    import termios
    import tty
except ImportError:  # not on Windows, where Ctrl-C ends it
    termios = tty = None  # type: ignore[assignment]

__all__ = ["watch"]

#: Seconds between two pictures.
INTERVAL = 1.0

#: What terminals obey: another screen and back, and the cursor to its top.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(draw: Callable[[], list[str]], out: TextIO) -> None:
    """Show what ``draw`` gives, again and again, until somebody types q or Ctrl-C."""
    try:
        if out.isatty():
            with own_screen(out), reading_keys() as is_over:
                while True:
                    show(draw(), out)
                    if is_over():
                        return
        while True:
            out.write("\n".join([time.strftime("%H:%M:%S"), *draw(), "", ""]))
            out.flush()
            time.sleep(INTERVAL)
    except KeyboardInterrupt:
        return


def show(lines: list[str], out: TextIO) -> None:
    width, height = shutil.get_terminal_size()
    fitting = lines[: height - 1]
    if len(fitting) < len(lines):
        fitting[-1] = f"… and {len(lines) - len(fitting) + 1} more"
    text = "\n".join(line[:width] + END_OF_LINE for line in fitting)
    out.write(HOME + text + END_OF_SCREEN)
    out.flush()


@contextmanager
def own_screen(out: TextIO) -> Iterator[None]:
    """Leave what stood there as it was."""
    out.write(ENTER)
    try:
        yield
    finally:
        out.write(LEAVE)
        out.flush()


@contextmanager
def reading_keys() -> Iterator[Callable[[], bool]]:
    """What waits for a while, and tells whether q was typed."""
    if termios is None or not sys.stdin.isatty():
        yield pause
        return
    before: Any = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield wait_for_key
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def pause() -> bool:
    time.sleep(INTERVAL)
    return False


def wait_for_key() -> bool:
    end = time.monotonic() + INTERVAL
    while (rest := end - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], rest)[0]:
            key = sys.stdin.read(1)
            if key in ("q", "Q", ""):
                return True
    return False
