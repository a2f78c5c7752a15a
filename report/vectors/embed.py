"""Owns the way from photos and texts to vectors: decoding ahead of the model, order, cache. Never knows a model.

    photos ─► cache ─► what is new ─► a decoding child per core, ahead ─► batches in the photos' order ─► model ─► cache

Vectors are rounded to half precision before anything is made of them, so that a run that computes them and one that
finds them in the cache see the same numbers.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from queue import SimpleQueue
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from decoding.decoder import Decoder
from errors import CorruptImageError, StopRunError, UnavailableImageError
from library.signatures import VIDEO

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from library.walk import Photo
    from report.vectors.cache import EmbeddingCache, Key

Floats = NDArray[np.float32]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AHEAD = 128
"""Photos that may be decoded or waiting before the model: seconds of its work, so that one slow photo does not stop it,
and 100 MB at CLIP's size."""
STREAK = 20
"""Photos in a row that cannot be read, after which it is the disk."""
_TEXTS = 512
"""Texts between two looks at `stop`."""


class Embedder(ABC):
    """Turns pictures, and with `has_texts` texts, into vectors of one space.

    A vector depends on its picture or text alone; what else is in the call may move its last bits. Rows have length 1.

    Attributes:
        name: what the cache is keyed by: the model, and whatever else changes its vectors.
        max_side: pixels on the longer side that it gains from; pictures come no larger.
        batch_size: how many pictures it takes best at once.
    """

    name: str
    max_side: int
    batch_size: int
    has_texts: ClassVar[bool] = False

    @abstractmethod
    def images(self, pictures: list[Image]) -> Floats:
        """Return the vectors of upright RGB pictures, (n, d)."""

    def texts(self, texts: list[str]) -> Floats:
        """Return the vectors of texts, (n, d), in the pictures' space."""
        raise NotImplementedError(f"{self.name} has no texts")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a photo has no vector; `unavailable` where that says nothing about the photo itself, `gone` where it is not there."""

    reason: str
    unavailable: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of the photos.

    Attributes:
        vectors: (n, d), a row for every photo that has a vector, in the photos' order; each of length 1.
        places: (n,), the place of each row's photo among the photos, ascending.
        missing: why the others have none, by their place.
        new: how many vectors were computed now; the others came from the cache.
    """

    vectors: Floats
    places: NDArray[np.intp]
    missing: dict[int, Missing]
    new: int


def embed_photos(
    photos: Sequence[Photo],
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Embedded:
    """Return the photos' vectors, from `cache` or computed and put there; videos are not opened.

    `progress` is told how many more photos are done: first, once, those that need no work. After `stop` is set it
    returns within a batch; photos that were not reached are among the missing, and what was computed is in the cache.

    Raises:
        StopRunError: `STREAK` photos in a row could not be read.
    """
    stop = stop or threading.Event()
    missing = {place: Missing(VIDEO) for place, photo in enumerate(photos) if photo.is_video}
    keys = {place: photo_key(photo) for place, photo in enumerate(photos) if place not in missing}
    rows = _Rows(len(photos))
    wanted = {key: place for place, key in keys.items() if key}
    for key, vector in cache.get(wanted):
        rows.put([wanted.pop(key)], vector[np.newaxis])
    to_do = [place for place in keys if not rows.filled[place]]
    progress(len(photos) - len(to_do))

    def embed(batch: list[tuple[int, Image]]) -> None:
        places = [place for place, _ in batch]
        vectors = embedder.images([picture for _, picture in batch]).astype(np.float16)
        sound = np.isfinite(vectors).all(axis=1)
        for place in np.array(places)[~sound].tolist():
            missing[place] = Missing("the model's answer was not a vector of numbers")
        places = np.array(places)[sound].tolist()
        rows.put(places, vectors[sound])
        kept = [(key, row) for place, row in zip(places, vectors[sound], strict=True) if (key := keys[place])]
        cache.put([key for key, _ in kept], np.array([row for _, row in kept]))
        progress(len(batch))

    batch: list[tuple[int, Image]] = []
    unread = 0
    try:
        with closing(ahead([photos[place] for place in to_do], _load, embedder.max_side, stop)) as pictures:
            for place, picture in zip(to_do, pictures, strict=False):  # they end early after a stop
                if isinstance(picture, Image):
                    unread = 0
                    batch.append((place, picture))
                    if len(batch) == embedder.batch_size:
                        embed(batch)
                        batch = []
                    continue
                unavailable = isinstance(picture, UnavailableImageError)
                unread = unread + 1 if unavailable else 0
                if unread == STREAK:
                    raise StopRunError(
                        f"{STREAK} photos in a row could not be read ({picture.reason}): see to the disk and run the "
                        "same command again; what was embedded is kept."
                    )
                missing[place] = Missing(picture.reason, unavailable, getattr(picture, "gone", False))
                progress(1)
        if batch:
            embed(batch)
    finally:
        cache.flush()
    for place in to_do:
        if not rows.filled[place]:
            missing.setdefault(place, Missing("the run was stopped before it", unavailable=True))
    return Embedded(*rows.vectors(), missing, new=int(rows.filled[to_do].sum()))


def embed_texts(
    texts: Sequence[str],
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Floats | None:
    """Return the texts' vectors, (n, d), each of length 1, from `cache` or computed and put there.

    Texts that are alike get one vector. `progress` is told how many more texts are done, first of those that need no
    work. None after `stop` was set; what was computed is in the cache.
    """
    stop = stop or threading.Event()
    unique = {_text_key(text): text for text in texts}
    numbers = {key: number for number, key in enumerate(unique)}
    rows = _Rows(len(unique))
    wanted = dict(numbers)
    for key, vector in cache.get(wanted):
        rows.put([wanted.pop(key)], vector[np.newaxis])
    # The longest first: a batch is padded to its longest text, and the rate rises towards the end.
    new = sorted(wanted, key=lambda key: (-len(unique[key]), key))
    progress(len(texts) - len(new))
    try:
        for start in range(0, len(new), _TEXTS):
            if stop.is_set():
                return None
            keys = new[start : start + _TEXTS]
            vectors = embedder.texts([unique[key] for key in keys]).astype(np.float16)
            rows.put([numbers[key] for key in keys], vectors)
            cache.put(keys, vectors)
            progress(len(keys))
    finally:
        cache.flush()
    vectors_of_unique, _ = rows.vectors()
    return vectors_of_unique[[numbers[_text_key(text)] for text in texts]] if texts else vectors_of_unique


class _Rows:
    """One array for all vectors, as large as the photos are many: filled in any order, then closed up in place."""

    def __init__(self, count: int) -> None:
        self.filled = np.zeros(count, np.bool_)
        self._array: Floats | None = None

    def put(self, places: list[int], vectors: NDArray[np.float16]) -> None:
        if self._array is None:
            self._array = np.empty((len(self.filled), vectors.shape[1]), np.float32)
        self._array[places] = vectors
        self.filled[places] = True

    def vectors(self) -> tuple[Floats, NDArray[np.intp]]:
        """Return the filled rows, of length 1, and their places."""
        places = np.flatnonzero(self.filled)
        if self._array is None:
            return np.empty((0, 0), np.float32), places
        for start in range(0, len(places), _TEXTS):
            part = slice(start, start + _TEXTS)
            rows = self._array[places[part]]  # never behind what is still to be moved: places only grow
            self._array[part][: len(rows)] = unit(rows)
        return self._array[: len(places)], places


def unit(rows: Floats) -> Floats:
    """Return the rows, (n, d), at length 1; a row of zeros stays."""
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    lengths[lengths == 0] = 1
    scaled: Floats = np.divide(rows, lengths, dtype=np.float32)
    return scaled


def ahead(
    items: Sequence[_Item],
    work: Callable[[Decoder, _Item], _Result],
    max_side: int,
    stop: threading.Event,
) -> Generator[_Result, None, None]:
    """Yield what `work` makes of each item, in order, with a decoder on every core; end early after `stop`.

    `work` is called from as many threads, each with a decoder to itself; what it raises is raised here in its turn.
    """
    count = min(_cores(), len(items))
    decoders = [Decoder(max_side) for _ in range(count)]
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
    waiting: deque[Future[_Result]] = deque()
    source = iter(items)
    try:
        while not stop.is_set():
            for item in source:
                waiting.append(pool.submit(on_idle, item))
                if len(waiting) >= AHEAD:
                    break
            if not waiting:
                return
            while not wait([waiting[0]], timeout=0.2).done:
                if stop.is_set():
                    return
            if stop.is_set():  # what it says now may be that its decoder was ended
                return
            yield waiting.popleft().result()
    finally:
        for decoder in decoders:
            decoder.stop()
        pool.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()


def _load(decoder: Decoder, photo: Photo) -> Image | CorruptImageError:
    try:
        return decoder.load(photo.path)
    except CorruptImageError as error:
        return error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def photo_key(photo: Photo) -> Key | None:
    """Return what the photo is known by in the cache; None if it cannot be looked at, which decoding will explain."""
    try:
        status = os.stat(photo.path)
    except OSError:
        return None
    return photo.rel_path, status.st_size, status.st_mtime_ns


def _text_key(text: str) -> Key:
    data = text.encode("utf-8", "surrogatepass")
    return sha256(data).hexdigest(), len(data), 0
