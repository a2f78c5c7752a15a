"""Owns the pace of requests: when a server says that there are too many, all workers wait and then go slower.

All workers of a run share one `Pacer`. Until the first refusal it lets everything through. A refusal (HTTP 429) stops all
workers for as long as the server asks, or for 1, 4, 16, 45 seconds while nothing is admitted. Then the rate follows CUBIC,
TCP's congestion control (RFC 9438, here relative to the rate): cut the refused rate, return to it quickly, stay near it,
and only then try more. Each time the limit is found at the same rate, the cut gets smaller and the stay longer, so that
a probe costs almost nothing.

A cheap service tier refuses because the server is full, at any rate. That changes no rate: all wait, longer each time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CUT, _FINEST_CUT = 0.7, 0.96
_STAY, _LONGEST_STAY = 5.0, 120.0
_SAME = 0.15
"""Two limits count as the same if their rates differ by at most this share."""
_PAUSES = (1.0, 4.0, 16.0, 45.0)
"""Seconds to wait while nothing is admitted. Together over a minute, the longest window that providers count in."""
ROOM_PAUSES = (1.0, 4.0, 16.0, 45.0, 90.0, 180.0, 300.0)
"""The same while a cheap tier has no room, over ten minutes together. The last value is repeated."""
_PROBES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between two requests while the server is not ready. The last value is repeated."""
_ENOUGH, _LEAST_SHARE = 10, 0.1
_REGROWTH = 0.05
"""Share by which the rate grows each second after twice the stay without a refusal: the limit is gone."""
_LOOK_BACK = 5.0
"""Seconds over which the rate of requests is measured at the first refusal."""


class Pacer:
    """Lets requests through at the rate that the server admits. Safe for threads.

    `wait(seconds)` sleeps, and returns early when the run stops; `clock()` gives monotonic seconds.
    """

    def __init__(self, wait: Callable[[float], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._line = threading.Lock()  # its holder sends next; the others wait in line
        self._resume = 0.0  # nothing is sent before this time
        self._next = 0.0  # the next turn
        self._sent: deque[float] = deque()  # times of the last requests, until there is a rate
        self._limit: float | None = None  # requests a second at the last refusal
        self._since = 0.0  # when it was cut
        self._cut, self._stay = _CUT, _STAY
        self._refusals = 0  # in a row
        self._full = 0  # times in a row that all waited for room
        self._full_until = 0.0
        self._open = 0  # requests on their way
        self._admitted_at = float("-inf")
        self._down_since: float | None = None  # since when the server has not been ready
        self._probes = 0  # requests since then
        self._good = self._bad = 0  # answers since the last cut

    def turn(self) -> float:
        """Wait until a request may be sent; return the time, which goes to `refused` and `not_ready`."""
        with self._line:
            while True:
                with self._lock:
                    now = self._clock()
                    ahead = max(self._resume, self._next) - now
                    down = self._down_since is not None
                    if ahead <= 0:
                        if down:  # only one worker tries
                            self._resume = now + self._probe_seconds()
                        self._take(now)
                        self._open += 1
                        return now
                if self._wait(min(ahead, 0.5) if down else ahead):
                    with self._lock:
                        self._open += 1
                    return self._clock()

    def ended(self) -> None:
        """Note that a request that had its turn is no longer on its way."""
        with self._lock:
            self._open -= 1

    def admitted(self) -> None:
        """Note that the server took a request, whatever it answered."""
        with self._lock:
            self._refusals = self._full = 0
            self._good += 1
            self._admitted_at = self._clock()
            if self._down_since is not None:
                self._down_since, self._probes = None, 0
                self._resume = self._admitted_at

    def not_ready(self, sent: float, retry_after: float | None) -> float | None:
        """Note that the server was not ready for the request sent at `sent`: all wait, and one at a time tries.

        Return for how many seconds the server has not been ready; None if it took a later request, so that the problem
        was only this request's.
        """
        with self._lock:
            if self._admitted_at > sent:
                return None
            now = self._clock()
            if self._down_since is None:
                self._down_since = now
            self._resume = max(self._resume, now + max(retry_after or 0, self._probe_seconds()))
            self._probes += 1
            return now - self._down_since

    def _probe_seconds(self) -> float:
        return _PROBES[min(self._probes, len(_PROBES) - 1)]

    def pause(self, seconds: float) -> None:
        """Send nothing for this time: an overloaded server asked for it."""
        with self._lock:
            self._resume = max(self._resume, self._clock() + seconds)

    def refused(self, sent: float, retry_after: float | None) -> tuple[int, float]:
        """Note that the request sent at `sent` was refused.

        Return how many refusals there were in a row, and for how many seconds all workers wait. Requests that were on their
        way together count once: for the others (0, 0) is returned.
        """
        with self._lock:
            now = self._clock()
            self._resume = max(self._resume, now + (retry_after or 0))
            self._bad += 1
            if sent < self._since:  # sent before the last cut: it says nothing new
                return 0, 0.0
            self._resume = max(self._resume, now + _PAUSES[min(self._refusals, len(_PAUSES) - 1)])
            self._refusals += 1
            rate = self._measured(now) if self._limit is None else self._rate(self._limit, sent)
            answers = self._good + self._bad
            # With many refusals, the share that got through tells the rate better.
            if self._limit is not None and answers >= _ENOUGH:
                rate *= max(_LEAST_SHARE, self._good / answers)
            self._good = self._bad = 0
            if self._limit is not None and abs(rate - self._limit) <= _SAME * self._limit:
                self._cut = min(_FINEST_CUT, (1 + self._cut) / 2)
                self._stay = min(_LONGEST_STAY, 2 * self._stay)
            else:
                self._cut, self._stay = _CUT, _STAY
            self._limit, self._since = rate, self._resume
            return self._refusals, self._resume - now

    def no_room(self, sent: float, retry_after: float | None) -> tuple[int, float]:
        """Note that the server had no room for the request sent at `sent`: all wait, for longer each time.

        Return how many times in a row all have waited for room, 0 while it has taken other requests, and the seconds that all
        wait now. Those that were on their way together make all wait once: for the others the wait is 0.
        """
        with self._lock:
            now = self._clock()
            wait = 0.0
            if sent >= self._full_until:
                wait = max(retry_after or 0, ROOM_PAUSES[min(self._full, len(ROOM_PAUSES) - 1)])
                self._full += 1
                self._full_until = now + wait
                self._resume = max(self._resume, self._full_until)
            return (0 if self._open > 1 else self._full), wait

    def _take(self, now: float) -> None:
        if self._limit is not None:
            self._next = now + 1 / self._rate(self._limit, now)
            return
        self._sent.append(now)
        while self._sent[0] < now - _LOOK_BACK:
            self._sent.popleft()

    def _rate(self, limit: float, now: float) -> float:
        """Return requests a second: first cut, after `stay` seconds the old limit, then more and more."""
        passed = max(0.0, now - self._since)
        beyond = max(0.0, passed - 2 * self._stay)
        progress = (min(passed, 2 * self._stay) - self._stay) / self._stay
        regrown: float = (1 + _REGROWTH) ** min(beyond, 300)
        return limit * (1 + (1 - self._cut) * progress**3) * regrown

    def _measured(self, now: float) -> float:
        recent = [sent for sent in self._sent if sent >= now - _LOOK_BACK]
        span = max(1.0, now - recent[0]) if recent else 1.0  # a short burst is not a rate
        return max(1.0, len(recent) / span)
