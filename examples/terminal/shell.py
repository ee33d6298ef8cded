"""A shell behind a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from types import TracebackType

# Not sys.executable, which is uWSGI itself there.
PYTHON = Path(sys.prefix, "bin", "python3")
COMMAND: list[str | Path] = [PYTHON, "-IS", Path(__file__).with_name("start_shell.py")]


class Shell:
    """Run `sh` for the length of a `with` block; the shell is gone afterwards."""

    def __init__(self) -> None:
        self.terminal, terminal_of_shell = pty.openpty()
        try:
            self.process = subprocess.Popen(
                COMMAND,
                stdin=terminal_of_shell,
                stdout=terminal_of_shell,
                stderr=terminal_of_shell,
                start_new_session=True,
                # A dumb terminal gets plain text, without escape sequences.
                env={**os.environ, "TERM": "dumb", "PS1": "$ "},
            )
        finally:
            os.close(terminal_of_shell)

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.terminal)  # the kernel sends SIGHUP to what runs in it
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def fileno(self) -> int:
        return self.terminal

    def read(self) -> bytes:
        """What the shell has printed; b"" when it has ended."""
        try:
            return os.read(self.terminal, 65536)
        except OSError:  # Linux answers EIO when nobody has the other side open any more
            return b""

    def write(self, keys: str | bytes) -> None:
        os.write(self.terminal, keys.encode() if isinstance(keys, str) else keys)
