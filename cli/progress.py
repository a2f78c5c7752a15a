"""Owns what a person sees while a run works: the bar, a line for each failure, a line now and then in the log."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

from cli.log import log
from journal import VIDEO

if TYPE_CHECKING:
    from types import TracebackType

    from engines.outcome import Outcome

_LOG_SECONDS = 30
_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"


class Progress:
    """A bar over `total` photos on stderr; where that is no terminal, a line now and then."""

    def __init__(self, total: int) -> None:
        self._is_terminal = sys.stderr.isatty()
        # Some terminals (containers, scripts) say that they have 0 columns and rows; the bar would hide itself there.
        has_size = self._is_terminal and os.get_terminal_size(sys.stderr.fileno()).columns > 0
        self._bar = tqdm(
            total=total,
            unit=" photos",
            file=sys.stderr,
            dynamic_ncols=has_size,
            ncols=None if has_size else 80,
            nrows=None if has_size else 24,
            mininterval=0.2,
            bar_format=_FORMAT,
            disable=not self._is_terminal,
        )
        self._total = total
        self._done = 0
        self._start = self._logged = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._line()

    def seen(self, outcome: Outcome) -> None:
        """Count the photo; a failure gets its line, above the bar and in the log."""
        self._done += 1
        self._bar.update()
        if outcome.status != "success" and not outcome.fatal:
            is_video = outcome.error == VIDEO
            log.log(
                logging.INFO if is_video else logging.WARNING,
                outcome.status or "unread",
                extra={"rel_path": outcome.photo.rel_path, "error": outcome.error, "console": not is_video},
            )
        if time.monotonic() - self._logged > _LOG_SECONDS:
            self._line()

    def _line(self) -> None:
        self._logged = time.monotonic()
        seconds = self._logged - self._start
        text = tqdm.format_meter(
            self._done, self._total, seconds, unit=" photos", ncols=80, bar_format=_FORMAT
        )
        log.info(text, extra={"console": not self._is_terminal})
