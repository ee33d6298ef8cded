"""Become an interactive shell in the terminal on standard input: python start_shell.py

A server that was started with `&` or `nohup` ignores Ctrl-C or the end of its terminal, one with
threads may block signals. What it starts inherits both, and a shell cannot undo it: this does.
"""

import os
import signal

# Opening its terminal once makes it the controlling one of the new session: then Ctrl-C works.
COMMAND = ["sh", "-c", ': <"$(tty)"; exec sh -i']


def main() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvp(COMMAND[0], COMMAND)


if __name__ == "__main__":
    main()
