"""Owns the search in pictures: the vectors that a report has left, and those nearest to the vector of a text.

They are kept as whole numbers of one byte, a scale a row: a quarter of the memory of floats, and 0.001 of a cosine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from report.vectors.cache import EmbeddingCache
    from report.vectors.embed import Floats
    from search.captions import Condition
    from search.index import Index

_BLOCK = 512
"""Rows that are multiplied at once: as floats they fit into the cache of a core, which makes it ten times as fast."""


class Pictures:
    """The vectors of pictures, (n, d), a row each of those that the index knows as its `pictures`."""

    def __init__(self, rows: NDArray[np.int8], scales: Floats) -> None:
        self._rows, self._scales = rows, scales

    def ranked(self, index: Index, text: Floats, must: Condition, most: int) -> list[tuple[int, float]]:
        """Return the photos whose pictures are nearest to the vector of a text, (d,), with their cosines, nearest first."""
        near = self._cosines(text)
        rows = np.arange(len(near))
        if must.sql:
            query = f"SELECT picture FROM photos WHERE picture IS NOT NULL AND {must.sql}"  # noqa: S608 - ours
            rows = np.fromiter((row for (row,) in index.database.execute(query, must.values)), np.int64)
        if len(rows) > most:
            rows = rows[np.argpartition(-near[rows], most)[:most]]
        best = rows[np.lexsort((rows, -near[rows]))].tolist()
        number = "SELECT id FROM photos WHERE picture = ?"
        photos = ((index.database.execute(number, (row,)).fetchone(), near[row]) for row in best)
        return [(photo[0], round(float(cosine), 4)) for photo, cosine in photos if photo]

    def _cosines(self, text: Floats) -> Floats:
        near = np.empty(len(self._rows), np.float32)
        room = np.empty((_BLOCK, self._rows.shape[1]), np.float32)
        for start in range(0, len(near), _BLOCK):
            part = self._rows[start : start + _BLOCK]
            floats = room[: len(part)]
            np.copyto(floats, part)
            np.dot(floats, text, out=near[start : start + len(part)])
        return near * self._scales


def open_pictures(index: Index, folder: Path | None, cache: EmbeddingCache) -> Pictures | None:
    """Return the vectors of a report's cache, read again where they are others than last time; None where it has none.

    Without a `folder` to keep them in they stay in memory.
    """
    state = cache.state()
    path = folder and folder / "pictures.i8"
    if path and state and index.fact("pictures") == state:
        scales = np.frombuffer(index.fact("scales"), np.float32)
        width = index.fact("width")
        if isinstance(width, int) and path.is_file() and path.stat().st_size == len(scales) * width:
            return Pictures(np.memmap(path, np.int8, "r", shape=(len(scales), width)), scales)
    names, rows, scales = _newest(cache)
    if not names:
        return None
    if path:
        with open(aside := f"{path}.tmp", "wb") as file:
            rows.tofile(file)
        os.replace(aside, path)
    index.set_pictures(names, state, rows.shape[1], scales.tobytes())
    return Pictures(rows, scales)


def _newest(cache: EmbeddingCache) -> tuple[list[str], NDArray[np.int8], Floats]:
    """Return the newest vector of each photo as bytes, (n, d), whose they are, and the scale of each."""
    newest: dict[str, tuple[int, int]] = {}  # when the file was written, and the row
    parts: list[tuple[NDArray[np.int8], Floats]] = []
    count = 0
    for keys, vectors in cache.chunks():
        for row, (name, _, mtime) in enumerate(keys, count):
            newest[name] = max(newest.get(name, (-1, -1)), (mtime, row))
        parts.append(_packed(vectors.astype(np.float32)))
        count += len(keys)
    if not parts:
        return [], np.empty((0, 0), np.int8), np.empty(0, np.float32)
    kept = [row for _, row in newest.values()]
    rows, scales = (np.concatenate(part)[kept] for part in zip(*parts, strict=True))
    return list(newest), rows, scales


def _packed(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    lengths = np.linalg.norm(vectors, axis=1)
    lengths[lengths == 0] = 1
    return np.rint(vectors * (127 / largest)).astype(np.int8), largest[:, 0] / 127 / lengths
