"""Owns who is near whom: equal rows, the graph of neighbours, the nearest centroid. Never says what is a group."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from report.groups.layout import Floats, Graph

    Ints = NDArray[np.int64]

_EXACT = 32_768
"""Rows up to which comparing each with each is quicker than compiling an approximate search, which takes a minute."""
_BLOCK = 512
"""Rows compared with all others at a time: at most 200 MB with the order they are put in."""


def distinct_rows(vectors: Floats) -> tuple[Ints, Ints]:
    """Return where each distinct row comes first, and for every row which of them it is; -1 for a row of zeros."""
    seen: dict[bytes, int] = {}
    first: list[int] = []
    of = np.full(len(vectors), -1)
    for row in np.flatnonzero(vectors.any(axis=1)).tolist():
        # Zeros have two signs, which say nothing here.
        key = hashlib.blake2b((vectors[row] + 0).tobytes(), digest_size=16).digest()
        of[row] = seen.setdefault(key, len(seen))
        if of[row] == len(first):
            first.append(row)
    return np.array(first, np.int64), of


def nearest_groups(vectors: Floats, clusters: Ints, count: int) -> list[list[int]]:
    """Return the groups whose centres are nearest to that of each, nearest first; of (n, d) unit vectors."""
    centres = np.stack(
        [vectors[clusters == number].mean(axis=0) for number in range(int(clusters.max()) + 1)]
    )
    likeness = centres @ centres.T
    np.fill_diagonal(likeness, -np.inf)
    order: Ints = np.argsort(-likeness, axis=1, kind="stable")
    return [row[: min(count, len(centres) - 1)].tolist() for row in order]


def neighbour_graph(vectors: Floats, neighbours: int, seed: int, umap: ModuleType) -> Graph:
    """Return the graph of (n, d) unit vectors: exact for a small library, else by a seeded NN-descent."""
    neighbours = min(neighbours, len(vectors))
    if len(vectors) <= _EXACT:
        return _exact_graph(vectors, neighbours)
    # All cores: what it finds depends on the seed and on their number, not on which of them is quicker.
    state = np.random.RandomState(seed)
    indices, distances, _ = umap.nearest_neighbors(vectors, neighbours, "cosine", {}, True, state, n_jobs=-1)
    return indices, distances


def _exact_graph(vectors: Floats, neighbours: int) -> Graph:
    indices = np.empty((len(vectors), neighbours), np.int32)
    distances = np.empty((len(vectors), neighbours), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        part = slice(start, start + _BLOCK)
        away = 1 - vectors[part] @ vectors.T
        rows = np.arange(len(away))
        away[rows, start + rows] = -1  # itself, before whatever rounding puts below zero
        near = np.argpartition(away, neighbours - 1, axis=1)[:, :neighbours]
        order = np.take_along_axis(away, near, 1).argsort(axis=1, kind="stable")
        indices[part] = np.take_along_axis(near, order, 1)
        distances[part] = np.take_along_axis(away, indices[part], 1).clip(0, 2)
    return indices, distances


def measured_graph(vectors: Floats, indices: NDArray[Any]) -> Graph:
    """Return a graph of neighbours with its cosine distances, every row itself first; a neighbour not found is the row."""
    rows = np.arange(len(vectors))[:, None]
    indices = np.where(indices < 0, rows, indices).astype(np.int32)
    away = 1 - np.stack([np.einsum("ij,ij->i", vectors, vectors[near]) for near in indices.T], axis=1)
    away[indices == rows] = -1
    order = away.argsort(axis=1, kind="stable")
    return np.take_along_axis(indices, order, 1), np.take_along_axis(away, order, 1).clip(0, 2)


def nearest_centroid(vectors: Floats, labels: Ints, centroids: Floats) -> tuple[Ints, Floats]:
    """Return every row's nearest centroid, and its cosine distance to its own group's, else to the nearest."""
    nearest = np.full(len(vectors), -1)
    distances = np.full(len(vectors), np.nan, np.float32)
    for start in range(0, len(vectors) if len(centroids) else 0, _BLOCK):
        part = slice(start, start + _BLOCK)
        away = (1 - vectors[part] @ centroids.T).clip(0, 2)
        nearest[part] = away.argmin(axis=1)
        own = np.where(labels[part] < 0, nearest[part], labels[part])
        distances[part] = away[np.arange(len(away)), own]
    return nearest, distances
