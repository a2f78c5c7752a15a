"""Owns which photos stay in the groups of an earlier report. Finds no group itself, and names none.

UMAP and HDBSCAN move a photo in ten when a hundred arrive among thousands: where density ends, and whether two dense
places are one, hangs on a few photos. So the groups that people know stay as they are, and a newly found cluster counts
only where it holds something new: a tenth of it or more arrived, and half of it or less was in groups. What arrived
in a cluster that does not count joins the nearest of the earlier groups that make up a tenth of it, or none.

An earlier group stays only if its photos still are what they were, seen by their distances to its centroid: captions
that were added, edited photos, or another library with the same names make other vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

ARRIVED = -2
_PART = 0.1
"""Of a cluster, that is enough to bear on it."""
_MOVED = 0.05
"""By how much distances to a centroid may differ, of their mean: one member less of twenty moves them by less, other vectors
by a third or more."""
_ROUNDED = 1e-5
"""What differs anyway: a table has six digits."""


class Earlier(NamedTuple):
    """What an earlier report said of n rows.

    `groups` (n,) are ids of groups, 0 or more, -1 for the unclustered, ARRIVED for what it did not have; `distances` (n,) are
    cosine distances to the own group's centroid, of the unclustered to the nearest; NaN where it said none.
    """

    groups: Ints
    distances: Floats


def keep_groups(vectors: Floats, labels: Ints, earlier: Earlier, smallest: int) -> Ints:
    """Return labels, (n,), in any order, -1 for none: the earlier groups, and of the clusters found those that are new.

    Args:
        vectors: (n, d) rows of length 1.
        labels: (n,) the clusters found now, 0 or more, -1 for none.
        earlier: of the same rows.
        smallest: how many rows a cluster has at least; an earlier group with less than half of that left goes.
    """
    groups, centroids = _unchanged(vectors, earlier)
    clusters = labels.max(initial=-1) + 1
    inside = labels >= 0

    def counted(rows: NDArray[np.bool_]) -> Ints:
        return np.bincount(labels[inside & rows], minlength=clusters)

    while True:
        grouped, arrived = groups >= 0, groups == ARRIVED
        whole = counted(inside)
        new = (counted(arrived) >= _PART * whole) & (2 * counted(grouped) <= whole)
        moves = inside & np.append(new, False)[labels]
        left = np.bincount(groups[grouped & ~moves], minlength=len(centroids))
        crumbs = grouped & np.append(left < max(2, smallest // 2), False)[groups.clip(-1)]
        if not crumbs.any():
            break
        groups = np.where(crumbs, ARRIVED, groups)

    kept = np.where(moves, len(centroids) + labels, groups)
    joins = inside & arrived & ~moves
    for cluster in np.unique(labels[joins]):
        here = labels == cluster
        candidates, counts = np.unique(groups[here & grouped], return_counts=True)
        candidates = candidates[counts >= _PART * np.count_nonzero(here)]
        if len(candidates):
            rows = np.flatnonzero(here & joins)
            kept[rows] = candidates[(vectors[rows] @ centroids[candidates].T).argmax(axis=1)]
    return np.where(kept == ARRIVED, -1, kept)


def _unchanged(vectors: Floats, earlier: Earlier) -> tuple[Ints, Floats]:
    """Return the earlier groups as 0 to k-1, with photos that are others now as ARRIVED, and all k centroids (k, d)."""
    ids, groups = np.unique(earlier.groups, return_inverse=True)
    groups = np.where(earlier.groups < 0, earlier.groups, groups - np.count_nonzero(ids < 0))
    grouped = np.flatnonzero(groups >= 0)
    centroids = np.zeros((np.count_nonzero(ids >= 0), vectors.shape[1]), np.float32)
    np.add.at(centroids, groups[grouped], vectors[grouped])
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-12)

    now = 1 - np.einsum("ij,ij->i", vectors[grouped], centroids[groups[grouped]])
    said = earlier.distances[grouped]
    off = np.bincount(groups[grouped], np.abs(now - said) - _ROUNDED - _MOVED * said, len(centroids))
    changed = np.append(~(off <= 0), False)[groups.clip(-1)]

    loose = np.flatnonzero(groups == -1)
    nearest = (1 - vectors[loose] @ centroids.T).min(axis=1, initial=3)
    said = earlier.distances[loose]
    changed[loose] = ~(np.abs(nearest - said) <= _ROUNDED + _MOVED * said)
    return np.where(changed, ARRIVED, groups), centroids
