"""Owns the way from photos and texts to vectors: decoding ahead of the model, order, cache. Never knows a model.

    photos ─► cache ─► what is new ─► a decoding child per core, ahead ─► batches in the photos' order ─► model ─► cache

Vectors are rounded to half precision before anything is made of them, so that a run that computes them and one that
finds them in the cache see the same numbers.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from errors import CorruptImageError, UnavailableImageError
from library.signatures import VIDEO
from report.photos import each_photo, photo_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from decoding.decoder import Decoder
    from library.walk import Photo
    from report.vectors.base import Embedder
    from report.vectors.cache import EmbeddingCache, Key

Floats = NDArray[np.float32]
_NO_VECTOR = "the model's answer was not a vector of numbers"
_TEXTS = 512
"""Texts between two looks at `stop`."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of the photos.

    Attributes:
        vectors: (n, d), a row for every photo that has a vector, in the photos' order; each of length 1.
        places: (n,), the place of each row's photo among the photos, ascending.
        missing: why the others have none, by their place; an UnavailableImageError says nothing about the photo itself.
        new: how many vectors were computed now; the others came from the cache.
    """

    vectors: Floats
    places: NDArray[np.intp]
    missing: dict[int, CorruptImageError]
    new: int


def embed_photos(
    photos: Sequence[Photo],
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Embedded:
    """Return the photos' vectors, from `cache` or computed and put there; what `is_video` is not opened.

    `progress` is told how many more photos are done: first, once, those that need no work. After `stop` is set it
    returns within a batch; photos that were not reached are among the missing, and what was computed is in the cache.

    Raises:
        StopRunError: too many photos in a row could not be read.
    """
    stop = stop or threading.Event()
    missing = {
        place: CorruptImageError(photo.path, VIDEO) for place, photo in enumerate(photos) if photo.is_video
    }
    keys = dict(enumerate(map(photo_key, photos)))
    rows = _Rows(len(photos))
    rows.take(cache, {key: place for place, key in keys.items() if key})
    to_do = [place for place in keys if not rows.filled[place] and place not in missing]
    progress(len(photos) - len(to_do))
    try:
        with closing(each_photo(to_do, partial(_load, photos), embedder.max_side, stop)) as pictures:
            for batch in _batches(pictures, embedder.batch_size, missing, progress):
                places, vectors = _sound(batch, embedder)
                for place in {place for place, _ in batch} - set(places):
                    missing[place] = CorruptImageError(photos[place].path, _NO_VECTOR)
                rows.put(places, vectors)
                known = [row for row, place in enumerate(places) if keys[place]]
                cache.put([key for place in places if (key := keys[place])], vectors[known])
                progress(len(batch))
    finally:
        cache.flush()
    for place in to_do:
        if not rows.filled[place] and place not in missing:
            missing[place] = UnavailableImageError(photos[place].path, "the run was stopped before it")
    missing = {place: why for place, why in missing.items() if not rows.filled[place]}
    return Embedded(*rows.vectors(), missing, new=int(rows.filled[to_do].sum()))


def _load(photos: Sequence[Photo], decoder: Decoder, place: int) -> Image | CorruptImageError:
    picture = decoder.look(photos[place].path, decoder.max_side)[0]
    # A traceback holds what was decoded.
    return picture.with_traceback(None) if isinstance(picture, CorruptImageError) else picture


def _batches(
    pictures: Iterable[tuple[int, Image | CorruptImageError]],
    size: int,
    missing: dict[int, CorruptImageError],
    progress: Callable[[int], object],
) -> Iterator[list[tuple[int, Image]]]:
    """Yield the pictures with their places, in batches; what is none goes to `missing`, and is done."""
    batch: list[tuple[int, Image]] = []
    for place, picture in pictures:
        if isinstance(picture, Image):
            batch.append((place, picture))
            if len(batch) == size:
                yield batch
                batch = []
            continue
        missing[place] = picture
        progress(1)
    if batch:
        yield batch


def _sound(batch: list[tuple[int, Image]], embedder: Embedder) -> tuple[list[int], NDArray[np.float16]]:
    """Return the places and vectors of a batch, without vectors that are not numbers."""
    vectors = embedder.images([picture for _, picture in batch]).astype(np.float16)
    sound = np.isfinite(vectors).all(axis=1)
    places = np.array([place for place, _ in batch])
    return places[sound].tolist(), vectors[sound]


def embed_texts(
    texts: Sequence[str],
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Floats:
    """Return the texts' vectors, (n, d), each of length 1, from `cache` or computed and put there.

    Texts that are alike get one vector. `progress` is told how many more texts are done, first of those that need no
    work. Without a row after `stop` was set; what was computed is in the cache.
    """
    stop = stop or threading.Event()
    unique = {_text_key(text): text for text in texts}
    numbers = {key: number for number, key in enumerate(unique)}
    rows = _Rows(len(unique))
    rows.take(cache, dict(numbers))
    # The longest first: a batch is padded to its longest text, and the rate rises towards the end.
    wanted = (key for key, number in numbers.items() if not rows.filled[number])
    new = sorted(wanted, key=lambda key: (-len(unique[key]), key))
    progress(len(texts) - len(new))
    try:
        for start in range(0, len(new), _TEXTS):
            if stop.is_set():
                return np.empty((0, 0), np.float32)
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

    def take(self, cache: EmbeddingCache, wanted: dict[Key, int]) -> None:
        """Fill in what the cache has of what is wanted, each at its place."""
        for key, vector in cache.get(wanted):
            self.put([wanted.pop(key)], vector[np.newaxis])

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


def _text_key(text: str) -> Key:
    data = text.encode("utf-8", "surrogatepass")
    return sha256(data).hexdigest(), len(data), 0
