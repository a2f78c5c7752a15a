"""Owns the log: readable lines on the console, above the progress bar, and JSON lines in the log file."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from tqdm import tqdm

from errors import StopRunError

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("captioner")
# tqdm's own lock also works between processes, which is not needed here. On macOS it starts a helper process, which at the
# end prints a warning about a leaked semaphore.
tqdm.set_lock(threading.RLock())


class _Console(logging.Handler):
    """Writes above the bar. A record with `console` false goes only to the file."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        rel_path = getattr(record, "rel_path", None)
        return (
            text if rel_path is None else f"{text}  {printable(rel_path, '')}: {getattr(record, 'error', '')}"
        )

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "console", True):
            with suppress(OSError, ValueError):  # the terminal was closed
                tqdm.write(printable(self.format(record)), file=sys.stderr)


class _File(logging.FileHandler):
    """A log that never ends a run. If the disk is full its lines are lost, but the journal has the same records."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        pass


def start_log(path: Path, flag: str) -> None:
    """Send the log to the console and to the file at `path`, which each run appends to. `flag` sets its folder.

    Raises:
        StopRunError: the file cannot be written.
    """
    console = _Console()
    try:
        file = _File(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StopRunError(
            f"{path} cannot be written ({error.strerror}): give {flag} a place that can be written to."
        ) from None
    file.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(message)s",
            rename_fields={"message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%S",
            reserved_attrs=[*RESERVED_ATTRS, "console"],
            json_ensure_ascii=False,
        )
    )
    log.handlers = [console, file]
    log.setLevel(logging.INFO)
    log.propagate = False


def printable(text: str, kept: str = "\n\t") -> str:
    """Return the text with control characters spelled out, except `kept`: a file name must not control the terminal."""
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)
