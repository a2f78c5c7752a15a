"""Owns how a program begins and ends: its streams, its exit codes, and one place that chooses the exit code.

docs/exit-codes.md explains the codes and a test holds the two together.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from cli.words import advice
from errors import OUT_OF_FILES, StopRunError, out_of_files

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer


class ExitCode(IntEnum):
    """How a command ended. run_loop.sh and other scripts rely on these numbers."""

    DONE = 0
    STOPPED = 1
    MORE_TO_DO = 2
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


def main(app: typer.Typer, default: str | None = None) -> None:
    """Run the command line. Where there are several commands, flags without one mean `default`."""
    prepare_streams()
    if default and not sys.argv[1:]:
        app(["--help"], standalone_mode=False)
        raise SystemExit(ExitCode.USAGE)
    if default and sys.argv[1].startswith("-") and sys.argv[1] not in {"--help", "--version"}:
        sys.argv.insert(1, default)
    app()


def prepare_streams() -> None:
    """Make sure that stdout and stderr exist and accept captions in any script."""
    # The journal must not get the number of a closed stream.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def leave(work: Callable[[], ExitCode], *, prints: bool = False) -> None:
    """Do the work and end the process with its exit code. Every error becomes an exit code here and nowhere else.

    `prints`: the command only prints, and the reader of its output may close the pipe early.
    """
    from cli.log import log

    try:
        code = work()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `stats | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE if prints else ExitCode.STOPPED
        if not prints:
            _say("A program that this one talks to has ended. Run the same command again; nothing is lost.")
    except StopRunError as error:
        _say(OUT_OF_FILES if out_of_files(error) else advice(error))
        code = ExitCode.STOPPED
    except Exception as error:  # noqa: BLE001 - the user gets a sentence, the log the traceback
        where = traceback.extract_tb(error.__traceback__)[-1]
        _say(
            OUT_OF_FILES
            if out_of_files(error)
            else f"Unexpected error ({type(error).__name__}: {error}, {Path(where.filename).name}:{where.lineno}); "
            "nothing that was written is lost. Run the same command again; if it fails again, report this line."
        )
        if log.handlers:
            log.error("unexpected_error", extra={"console": False, "error": traceback.format_exc()})
        code = ExitCode.STOPPED
    # Native code that is still running (a model that took too long) would crash Python's own way of ending.
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    raise SystemExit(code)


def _say(sentence: str) -> None:
    from cli.log import log, printable

    if log.handlers:
        log.error(sentence)
    else:
        sys.stderr.write(printable(sentence) + "\n")
