"""Owns the exit codes; docs/exit-codes.md explains them and a test holds the two together."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. run_loop.sh and other scripts go by these numbers."""

    DONE = 0
    STOPPED = 1
    MORE_TO_DO = 2
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143
