"""Owns Ctrl-C and similar signals: a run finishes its photos in flight, everything else ends at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cli.exit import ExitCode

if TYPE_CHECKING:
    from types import FrameType

_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,
}


class Stopper:
    """Turns SIGINT, SIGTERM and SIGHUP into an event for the engine, or ends the process at once.

    Attributes:
        event: set when the run is to stop.
        code: the exit code that the signal asks for, or None.
        graceful: if true, the first signal only sets the event; otherwise it ends the process.
    """

    def __init__(
        self, stopped: str = "Stopped before the first photo. Run the same command again to begin."
    ) -> None:
        """Handle the signals; `stopped` is the sentence for when one ends the process at once."""
        self._stopped = stopped
        self.event = threading.Event()
        self.code: ExitCode | None = None
        self.graceful = False
        self._first = 0.0
        for number in _CODES:
            # A signal that was ignored at the start stays ignored, as nohup wants it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is Python's
        code = _CODES[signal.Signals(number)]
        now = time.monotonic()
        if self.code is None:
            self.code = code
            self._first = now
            if not self.graceful:
                _say(f"\n{self._stopped}\n")
                os._exit(code)  # otherwise a download would go on to its end
            self.event.set()
            hint = " Press Ctrl-C again to end at once." if number == signal.SIGINT else ""
            _say(f"\nStopping: photos in flight get a few seconds to finish.{hint}\n")
        elif now - self._first > 1:  # through `uv run` one Ctrl-C may arrive twice
            os._exit(code)  # without a message: writing to stderr may be what hangs


def _say(text: str) -> None:
    """Write directly to stderr: the signal may have come in the middle of a write to Python's streams or the log."""
    with suppress(OSError):
        os.write(2, text.encode())
