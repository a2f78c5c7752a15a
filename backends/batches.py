"""Owns how many photos go to a model at once: what fits beside its weights, and what still pays. Knows no model."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from errors import in_one_line
from image_loader import MAX_SIDE
from library.memory import available_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LARGEST = 256
"""Beyond it no card gains, and a kill would lose more."""
GAIN = 1.05
"""By what a batch twice as large has to raise the photos a second."""
LONGEST_TRIAL = 4.0
"""Seconds that a trial may take; what lies beyond is calculated. A slow start would cost every restart."""
CAPTION_TOKENS = 60
"""What a usual caption takes, for the speed of a batch."""
_PICTURES = 4
"""Decoded pictures in memory for each photo of a batch: two batches in the engine's hands, two that wait for them."""

_log = logging.getLogger("captioner.local")


@dataclass(frozen=True, slots=True)
class Trial:
    """A batch that was tried: seconds that its captions would take, and the bytes in use on the card at most."""

    photos: int
    seconds: float
    bytes: float


def find_batch(attempt: Callable[[int], Trial], room: Callable[[], float], largest: int) -> tuple[int, float]:
    """Return how many photos to take at once, and how many a second that makes; `attempt` tries a number of them.

    `room` tells how many bytes there are on the card, with those in use. `largest` is the most that may be chosen.

    Raises:
        MemoryError: not even one fits.
    """
    attempt(1)  # the first call of all takes longer
    tried: list[Trial] = []
    size, limit, took = 1, largest, 0.0
    while size <= limit and 2 * took <= LONGEST_TRIAL:
        begin = time.perf_counter()
        try:
            tried.append(attempt(size))
        except MemoryError:
            limit = size - 1
        except Exception as error:
            if size == 1:
                raise
            limit = size - 1  # short of memory, libraries below torch fail in ways of their own
            _log.info(f"{size} photos at a time fail: {in_one_line(error)}.")
        took = time.perf_counter() - begin
        size *= 2
    return best_batch(tried, room(), limit)


def best_batch(tried: Sequence[Trial], room: float, largest: int) -> tuple[int, float]:
    """Return the number of photos and the photos a second, from trials of a few, the smallest first.

    Seconds and bytes grow in straight lines with the photos, from a start that all share. A tenth of the room is left
    free: answers grow, and batches that differ leave gaps.
    """
    one, last = tried[0], tried[-1]
    if len(tried) == 1:
        return 1, 1 / one.seconds
    a_photo = max((last.seconds - one.seconds) / (last.photos - one.photos), 0.0)
    shared = max(one.seconds - one.photos * a_photo, 1e-9)
    before = tried[-2]  # what takes the most memory may be another part of the model for one than for many
    more = max((last.bytes - before.bytes) / (last.photos - before.photos), 1.0)
    fits = last.photos + floor((0.9 * room - last.bytes) / more)
    most = max(1, min(fits, largest))

    def rate(size: float) -> float:
        return size / (shared + size * a_photo)

    size = 1
    while size < most and rate(2 * size) >= GAIN * rate(size):
        size *= 2
    chosen = min(size, most)
    return chosen, rate(chosen)


def most_in_memory(prepared: float) -> int:
    """Return how many photos may go together for a quarter of the machine's free memory to hold the pictures.

    `prepared` is how many bytes the model's input takes there for each photo; 0 if it is made on the card.
    """
    a_photo = _PICTURES * 3 * MAX_SIDE**2 + 2 * prepared
    return max(1, min(LARGEST, int(available_memory() / 4 / a_photo)))
