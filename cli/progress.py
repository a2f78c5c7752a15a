"""Owns what the user sees during a run: the bar, a line for each failure, and regular lines in the log."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from cli.log import log
from costs.prices import dollars
from journal import is_video

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from decimal import Decimal

    from engines.outcome import Outcome

_LOG_SECONDS = 30
_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_noinv_fmt}{postfix}]"


class Progress(tqdm):  # type: ignore[type-arg]  # it has no iterable
    """A bar on stderr for the whole library; without a terminal, a line every 30 seconds.

    Of the library's `total` photos, `done` have records already, and this run attempts `quota`. Rate, time left, errors and
    money are those of this run.
    """

    def __init__(
        self, total: int, *, done: int, quota: int, spent: Callable[[], Decimal | None] = lambda: None
    ) -> None:
        self._is_terminal = sys.stderr.isatty()
        # Some terminals (containers, scripts) report 0 columns and rows, and the bar would hide itself.
        has_size = self._is_terminal and os.get_terminal_size(sys.stderr.fileno()).columns > 0
        self._total, self._initial, self._done, self._quota = total, done, done, quota
        self._attempted = self._errors = 0
        self._spent = spent
        self._start = self._logged = time.monotonic()
        super().__init__(  # which draws, with the figures above
            total=total,
            initial=done,
            unit=" photos",
            file=sys.stderr,
            dynamic_ncols=has_size,
            ncols=None if has_size else 80,
            nrows=None if has_size else 24,
            mininterval=0.2,
            bar_format=_FORMAT,
            disable=not self._is_terminal,
        )

    def __exit__(self, *_: object) -> None:
        self.close()
        self._line()

    def seen(self, outcome: Outcome) -> None:
        """Count the photo; log a failure. The bar does not move for a photo that stays open."""
        video = is_video(outcome.status, outcome.error)
        self._attempted += 1
        self._errors += outcome.status not in {None, "success"} and not video
        if outcome.status:
            self._done += 1
            self.update()
        if outcome.status != "success" and not outcome.stop:
            log.log(
                logging.INFO if video else logging.WARNING,
                outcome.status or "unread",
                extra={"rel_path": outcome.photo.rel_path, "error": outcome.error, "console": not video},
            )
        if time.monotonic() - self._logged > _LOG_SECONDS:
            self._line()

    def carried(self, number: int) -> None:
        """Count photos that were done without being attempted."""
        self._done += number
        self.update(number)

    def meter(self, rate: float | None = None) -> dict[str, str]:
        """Return what tqdm does not know: this run's time left (at `rate`, or its mean rate), errors and money."""
        seconds = time.monotonic() - self._start
        rate = rate or self._attempted / max(seconds, 1e-3)
        parts = [f"{self._errors:,} error{'' if self._errors == 1 else 's'}"] if self._errors else []
        if (spent := self._spent()) is not None:
            parts.append(dollars(spent))
        left = tqdm.format_interval((self._quota - self._attempted) / rate) if rate else "?"
        return {"left": left, "postfix": ", ".join(parts)}

    def _line(self) -> None:
        self._logged = time.monotonic()
        text = tqdm.format_meter(
            self._done,
            self._total,
            self._logged - self._start,
            initial=self._initial,
            unit=" photos",
            ncols=80,
            bar_format=_FORMAT,
            **self.meter(),  # type: ignore[arg-type]  # they go into the bar's format
        )
        log.info(text, extra={"console": not self._is_terminal})

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        known = super().format_dict
        return {**known, **self.meter(known["rate"])}
