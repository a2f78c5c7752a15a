"""Owns the look at every photo of a report: in order, with a decoder on every core, until the disk is in trouble.

It knows nothing of what is made of the photos: vectors and thumbnails are both made this way.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from decoding.decoder import Decoder
from errors import StopRunError, UnavailableImageError
from library.video import can_open_videos

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Sequence

    from library.walk import Photo
    from report.vectors.cache import Key

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AHEAD = 128
"""Photos that may be decoded or waiting before what uses them: seconds of a model's work, so that one slow photo does not
stop it, and 100 MB at CLIP's size."""
STREAK = 20
"""Photos in a row that cannot be read, after which it is the disk."""


def each_photo(
    items: Sequence[_Item],
    work: Callable[[Decoder, _Item], _Result],
    max_side: int,
    stop: threading.Event,
) -> Generator[tuple[_Item, _Result], None, None]:
    """Yield each item with what `work` makes of it, in order; end early after `stop`.

    `work` is called from several threads, each with a decoder to itself; what it raises is raised here in its turn. An
    `UnavailableImageError` that it returns says that the photo could not be read.

    Raises:
        StopRunError: `STREAK` photos in a row could not be read.
    """
    count = min(_cores(), len(items))
    decoders = [Decoder(max_side, videos=can_open_videos()) for _ in range(count)]
    idle: SimpleQueue[Decoder] = SimpleQueue()
    for decoder in decoders:
        idle.put(decoder)

    def on_idle(item: _Item) -> _Result:
        decoder = idle.get()
        try:
            return work(decoder, item)
        finally:
            idle.put(decoder)

    pool = ThreadPoolExecutor(max(1, count))
    waiting: deque[tuple[_Item, Future[_Result]]] = deque()
    source = iter(items)
    unread = 0
    try:
        while not stop.is_set():
            for item in islice(source, AHEAD - len(waiting)):
                waiting.append((item, pool.submit(on_idle, item)))
            if not waiting:
                return
            item, first = waiting.popleft()
            while not wait([first], timeout=0.2).done:
                if stop.is_set():
                    return
            if stop.is_set():  # what it says now may be that its decoder was ended
                return
            result = first.result()
            unread = unread + 1 if isinstance(result, UnavailableImageError) else 0
            if isinstance(result, UnavailableImageError) and unread == STREAK:
                raise StopRunError(
                    f"{STREAK} photos in a row could not be read ({result.reason}); what was made so far is kept: see to "
                    "the disk and run the same command again."
                )
            yield item, result
    finally:
        for decoder in decoders:
            decoder.stop()
        pool.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()


def photo_key(photo: Photo) -> Key | None:
    """Return what the photo is known by in the cache; None if it cannot be looked at, which decoding will explain."""
    try:
        status = os.stat(photo.path)
    except OSError:
        return None
    return photo.rel_path, status.st_size, status.st_mtime_ns


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
