"""Owns the search in pictures: the vectors that a report has left, and those nearest to the vector of a text.

They are kept as whole numbers of one byte, a scale a row: a quarter of the memory of floats, and 0.001 of a cosine.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
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
    if not state:
        return None
    if folder is None:
        parts: list[NDArray[np.int8]] = []
        scales = _read(index, cache, parts.append)
        return Pictures(np.concatenate(parts), scales) if parts else None
    path = folder / "pictures.i8"
    if index.fact("pictures") != state or not path.is_file() or path.stat().st_size != index.fact("bytes"):
        with open(aside := f"{path}.tmp", "wb") as file:
            scales = _read(index, cache, lambda rows: rows.tofile(file))
        os.replace(aside, path)
        index.set_facts({"pictures": state, "scales": scales.tobytes(), "bytes": path.stat().st_size})
        index.database.commit()
    scales = np.frombuffer(index.fact("scales"), np.float32)
    return Pictures(np.memmap(path, np.int8, "r").reshape(len(scales), -1), scales) if len(scales) else None


def _read(index: Index, cache: EmbeddingCache, keep: Callable[[NDArray[np.int8]], object]) -> Floats:
    """Let `keep` have all vectors as bytes, (n, d) at a time; return their scales, and tell the index whose the newest are."""
    newest: dict[str, tuple[int, int]] = {}  # when the photo was written, and the row
    scales = [np.empty(0, np.float32)]
    count = 0
    for keys, vectors in cache.chunks():
        floats = vectors.astype(np.float32)
        largest = np.abs(floats).max(axis=1)
        largest[largest == 0] = 1
        lengths = np.linalg.norm(floats, axis=1)
        lengths[lengths == 0] = 1
        keep(np.rint(floats * (127 / largest)[:, None]).astype(np.int8))
        scales.append(largest / 127 / lengths)
        for row, (name, _, mtime) in enumerate(keys, count):
            newest[name] = max(newest.get(name, (-1, -1)), (mtime, row))
        count += len(keys)
    index.set_pictures((name, row) for name, (_, row) in newest.items())
    return np.concatenate(scales)
