"""Owns which photos are alike: groups of vectors, groups of groups, who lies where. Never sees a photo or a caption."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage

from errors import PackagesError, StopRunError
from report.groups.layout import MAP, MAP_NEIGHBOURS, NEIGHBOURS, SPACE, lay_out, load_umap, project, timed
from report.groups.neighbours import distinct_rows, measured_graph, nearest_centroid, neighbour_graph
from report.groups.stability import ARRIVED, Earlier, keep_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Say = Callable[[str], None]

FEW = 200
"""Fewer distinct vectors than this are too few for UMAP and HDBSCAN to see density in; BERTopic's FAQ says 1000."""
THEMES = range(8, 21)
ALIKE = 24
"""Rows most like a row: of the graph that groups are made from, so they cost nothing."""
_GROUPS_A_THEME = 3
"""On average: a theme of one or two groups is only a second name for them."""
_RETRIES = 3
_MIN_SAMPLES = 10
"""Of HDBSCAN: its groups agree better with known ones than at 5, the usual, and leave no more unclustered
(docs/performance.md). Fixed, for tied to `min_cluster_size` it makes ever more unclustered (hdbscan's
parameter_selection.rst)."""
_MAP_EPOCHS = 75
_FAST_EPOCHS = 50
_ONE_SUBJECT = 0.1
"""Cosine distance within which a few photos are one group, as the shots of a burst are; silhouettes cannot say "one"."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The groups of n vectors of d numbers, the largest first; equal groups in the order of their first members.

    `labels` (n,) is -1 for the unclustered; `centroids` (k, d) have length 1; `distances` (n,) are cosine distances to
    the own group's centroid, of the unclustered to the nearest; `nearest` (n,) is the group whose centroid is nearest,
    which need not be the own one. Without any group these two hold NaN and -1. `xy` (n, 2) is the place on the map,
    `themes` (k,) the group of groups, that of most photos first, or -1 for all. `near` (n, m) are the rows most like each, nearest
    first; itself where there are fewer. `method` is a sentence, `notes` are others, for people.
    """

    labels: Ints
    centroids: Floats
    distances: Floats
    nearest: Ints
    xy: Floats
    themes: Ints
    method: str
    notes: list[str]
    near: Ints | None = None


@dataclass(slots=True)
class _Found:
    """What an algorithm says about distinct vectors; labels in any order, -1 for the unclustered."""

    labels: Ints
    xy: Floats
    method: str
    near: Ints
    notes: list[str] = field(default_factory=list)


def check_fast() -> None:
    """Raise StopRunError if `fast` lacks its package; at once, so that no vector is made for nothing."""
    if importlib.util.find_spec("evoc") is None:
        raise PackagesError(
            "--fast needs packages that are not installed (evoc): leave --fast out, or get them.",
            extra="report-core",
        )


def cluster(
    vectors: Floats,
    *,
    min_cluster_size: int | None = None,
    seed: int = 42,
    fast: bool = False,
    earlier: Earlier | None = None,
    say: Say,
) -> Clusters:
    """Group (n, d) rows of length 1; a row of zeros stays unclustered, equal rows share everything.

    The same rows and seed give the same bytes on a machine (and on as many cores of it). `min_cluster_size`, 2 or
    more, is by default `max(15, sqrt(n) / 8)`, and 2 where rows are too few for density. `earlier` groups, of the same
    rows, stay as report/groups/stability.py says. `say` gets a line per longer step. StopRunError if a number is NaN or
    infinite, or if `fast` lacks its package.
    """
    if not np.isfinite(vectors).all():
        raise StopRunError(
            f"{np.count_nonzero(~np.isfinite(vectors).all(axis=1))} of {len(vectors)} vectors hold values that are no "
            "numbers: delete the cache of vectors and run the report again, or choose another model."
        )
    if fast:
        check_fast()
    first, of = distinct_rows(vectors)
    distinct = np.ascontiguousarray(vectors[first], dtype=np.float32)
    copies = np.bincount(of[of >= 0], minlength=len(first))
    if len(first) < FEW:
        size = min_cluster_size or 2
        found = _few(distinct, copies, size)
    else:
        size = min_cluster_size or max(15, round(math.sqrt(len(vectors)) / 8))
        found = (_by_evoc if fast else _by_density)(distinct, copies, size, seed, say)
    alone = np.flatnonzero((found.labels < 0) & (copies >= size))  # equal rows, enough of them for a group
    found.labels[alone] = found.labels.max(initial=-1) + 1 + np.arange(len(alone))
    if earlier:
        found.labels = keep_groups(distinct, found.labels, _of_distinct(earlier, of, len(first)), size)

    # Index -1, which rows of zeros have in `of`, is the last entry: nowhere, and in the middle of the map.
    labels = _by_size(np.append(found.labels, -1)[of])
    centroids = _centroids(vectors, labels)
    points = np.vstack([distinct, np.zeros((1, vectors.shape[1]), np.float32)])
    nearest, distances = nearest_centroid(points, np.append(labels[first], -1), centroids)
    middle = found.xy.mean(axis=0, keepdims=True) if len(first) else np.zeros((1, 2), np.float32)
    themes = _themes(centroids, np.bincount(labels[labels >= 0], minlength=len(centroids)))
    xy = np.vstack([found.xy, middle])[of]
    near = _near_rows(found.near, first, of)
    return Clusters(labels, centroids, distances[of], nearest[of], xy, themes, found.method, found.notes, near)


def _near_rows(near: Ints, first: Ints, of: Ints) -> Ints:
    """Return the rows most like each row, from those of the distinct ones; itself for a row of zeros or a neighbour not found."""
    own = np.arange(len(of))[:, None]
    if not len(first):
        return own[:, :0]
    rows = np.where(near[of] < 0, own, first[near[of]])
    return np.where(of[:, None] < 0, own, rows)


def merged(clusters: Clusters, vectors: Floats, into: Mapping[int, int]) -> tuple[Clusters, Ints]:
    """Return the groups with some gone into others, and the new number of each old one, (k,).

    Args:
        clusters: those of the rows.
        vectors: (n, d), the rows they were made of.
        into: the group that each of some goes into, which goes nowhere itself.
    """
    count = len(clusters.centroids)
    lookup = np.array([into.get(group, group) for group in range(count)] + [-1], np.int64)
    labels = _by_size(lookup[clusters.labels])
    new = np.zeros(count, np.int64)
    new[clusters.labels[clusters.labels >= 0]] = labels[clusters.labels >= 0]
    centroids = _centroids(vectors, labels)
    nearest, distances = nearest_centroid(vectors, labels, centroids)
    themes = _themes(centroids, np.bincount(labels[labels >= 0], minlength=len(centroids)))
    return replace(
        clusters, labels=labels, centroids=centroids, distances=distances, nearest=nearest, themes=themes
    ), new


def _of_distinct(earlier: Earlier, of: Ints, count: int) -> Earlier:
    """Return what was said of any of the rows that each distinct one stands for."""
    groups, distances = np.full(count, ARRIVED), np.full(count, np.nan, np.float32)
    np.maximum.at(groups, of[of >= 0], earlier.groups[of >= 0])
    np.fmax.at(distances, of[of >= 0], earlier.distances[of >= 0])
    return Earlier(groups, distances)


def _few(vectors: Floats, copies: Ints, size: int) -> _Found:
    """Group few vectors by average linkage, cut where the mean silhouette is best."""
    count = len(vectors)
    labels, near = np.full(count, -1), np.empty((count, 0), np.int64)
    if count > 1:
        away = (1 - vectors @ vectors.T).clip(0, 2).astype(np.float64)
        np.fill_diagonal(away, -1)
        near = away.argsort(axis=1, kind="stable")[:, 1 : ALIKE + 1]
        np.fill_diagonal(away, 0)
        tree = linkage(away[np.triu_indices(count, 1)], "average")
        cuts = cut_tree(tree).T[::-1]  # one row a cut: into one group, two groups ...
        into = 0
        if tree[-1, 2] > _ONE_SUBJECT:
            into = 1 + int(np.argmax([_silhouette(away, cut) for cut in cuts[1:]]))
        labels = cuts[into].astype(np.int64)
        labels[np.bincount(labels, weights=copies)[labels] < size] = -1
    notes = [f"Only {count} distinct photos: too few for UMAP and HDBSCAN, which find groups by density."]
    if size > 2 and (labels < 0).all():
        notes.append(f"None of their groups has {size} photos: give a smaller --min-cluster-size.")
    method = f"average linkage by cosine distance, cut where the mean silhouette is best, groups of {size} or more; map by PCA"
    return _Found(labels, project(vectors), method, near, notes)


def _silhouette(away: NDArray[np.float64], labels: NDArray[Any]) -> float:
    """Return the mean silhouette (Rousseeuw 1987) from all distances; a vector on its own counts 0."""
    sizes = np.bincount(labels)
    sums = away @ np.eye(len(sizes))[labels]
    rows = np.arange(len(labels))
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    sums /= sizes
    sums[rows, labels] = np.inf
    other = sums.min(axis=1)
    widths = (other - own) / np.maximum(np.maximum(own, other), 1e-12)
    return float(np.where(sizes[labels] > 1, widths, 0).mean())


def _by_density(vectors: Floats, copies: Ints, size: int, seed: int, say: Say) -> _Found:
    """Group by UMAP and HDBSCAN; the map starts from what was clustered, over the same graph."""
    umap = load_umap(say)
    with timed(say, f"Neighbours of {len(vectors):,} photos"):
        graph = neighbour_graph(vectors, NEIGHBOURS, seed, umap)
    with timed(say, "UMAP to 5 dimensions"):
        space = lay_out(umap, vectors, graph, seed, **SPACE)
    with timed(say, "Groups by HDBSCAN"):
        labels, used, notes = _guarded(space, copies, size)
    with timed(say, "Map by UMAP"):
        xy = lay_out(umap, vectors, graph, seed, init=project(space), n_epochs=_MAP_EPOCHS, **MAP)
    method = (
        f"UMAP to 5 dimensions (cosine, {NEIGHBOURS} neighbours, min_dist 0.0, seed {seed}) and HDBSCAN (leaf, "
        f"min_cluster_size {used}, min_samples {_MIN_SAMPLES}); map by UMAP ({MAP_NEIGHBOURS} of the same neighbours, "
        "min_dist 0.1, from the 5 dimensions)"
    )
    return _Found(labels, xy, method, graph[0][:, 1 : ALIKE + 1].astype(np.int64), notes)


def _guarded(space: Floats, copies: Ints, size: int) -> tuple[Ints, int, list[str]]:
    """Return labels, the smallest group's size they were made with, and what was tried when they were degenerate.

    Parameters have cliffs: 160 in place of 150 can turn 53 groups into 3 (latent-scope #143).
    """
    import hdbscan

    notes: list[str] = []
    tried: list[tuple[int, float, Ints, int]] = []
    for _ in range(1 + _RETRIES):
        model = hdbscan.HDBSCAN(
            min_cluster_size=size,
            min_samples=_MIN_SAMPLES,
            cluster_selection_method="leaf",
            core_dist_n_jobs=1,
        )
        labels: Ints = model.fit_predict(space).astype(np.int64)
        faults, unclustered, shape = _faults(labels, copies)
        tried.append((faults, unclustered, labels, size))
        if not faults or size == 2:
            break
        notes.append(f"At least {size} photos a group made {shape}.")
        size = max(2, size // 2)
    faults, _, labels, size = min(tried, key=lambda one: one[:2])
    if notes:
        notes.append(f"Took at least {size}{', the best of what was tried' if faults else ''}.")
    return labels, size, notes


def _faults(labels: Ints, copies: Ints) -> tuple[int, float, str]:
    """Return how degenerate groups are (0: not at all), the number of unclustered photos, and what to say of them."""
    photos = np.bincount(labels + 1, weights=copies)
    groups, largest = len(photos) - 1, photos[1:].max(initial=0) / copies.sum()
    shape = f"{groups} group{'' if groups == 1 else 's'}, the largest of {largest:.0%} of the photos"
    return int(groups < 5) + int(largest >= 0.5), float(photos[0]), shape


def _by_evoc(vectors: Floats, copies: Ints, size: int, seed: int, say: Say) -> _Found:
    """Group by EVoC, and lay out its own graph of neighbours as a map."""
    if "evoc" not in sys.modules:
        say("Loading evoc; the first time takes minutes.")
    import evoc

    umap = load_umap(say)
    with timed(say, f"Groups of {len(vectors):,} photos by EVoC"):
        model = evoc.EVoC(base_min_cluster_size=size, random_state=seed).fit(vectors)
        order = np.argsort(-np.asarray(model.persistence_scores_), kind="stable")
        layers = [np.asarray(model.cluster_layers_[layer], np.int64) for layer in order]
        labels = min(layers, key=lambda layer: _faults(layer, copies)[0])
    notes = []
    if labels is not layers[0]:
        notes.append(
            f"EVoC's most persistent layer had {_faults(layers[0], copies)[2]}; took the next that was better."
        )
    with timed(say, "Map by UMAP"):
        graph = measured_graph(vectors, np.asarray(model.nn_inds_))
        xy = lay_out(umap, vectors, graph, seed, init=project(vectors), n_epochs=_FAST_EPOCHS, **MAP)
    method = (
        f"EVoC (base_min_cluster_size {size}, seed {seed}, its most persistent layer of "
        f"{len(layers)}); map by UMAP (EVoC's neighbours, min_dist 0.1, from PCA, {_FAST_EPOCHS} epochs)"
    )
    return _Found(labels, xy, method, graph[0][:, 1 : ALIKE + 1].astype(np.int64), notes)


def _by_size(labels: Ints) -> Ints:
    """Number the groups, by size, then by first member."""
    present, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    kept = present >= 0
    order = np.lexsort((first[kept], -sizes[kept]))
    new = np.full(labels.max(initial=-1) + 2, -1)
    new[present[kept][order]] = np.arange(len(order))
    return new[labels]


def _centroids(vectors: Floats, labels: Ints) -> Floats:
    """Return the direction of each group's mean; of a group whose vectors cancel out, its first member's."""
    groups = labels.max(initial=-1) + 1
    sums = np.zeros((groups, vectors.shape[1]))
    np.add.at(sums, labels[labels >= 0], vectors[labels >= 0])
    lengths = np.linalg.norm(sums, axis=1)
    for group in np.flatnonzero(lengths < 1e-6):
        sums[group] = vectors[np.argmax(labels == group)]
        lengths[group] = np.linalg.norm(sums[group])
    centroids: Floats = (sums / lengths[:, None]).astype(np.float32)
    return centroids


def _themes(centroids: Floats, sizes: Ints) -> Ints:
    """Gather groups into 8 to 20 themes, cut where merging on would cost most; few groups are in none, which is -1.

    Ward's linkage, for average linkage of centroids gives one huge theme and crumbs.
    """
    groups = len(centroids)
    counts = [count for count in THEMES if count * _GROUPS_A_THEME <= groups]
    if not counts:
        return np.full(groups, -1)
    tree = linkage(centroids, "ward")
    # Into `count` themes: the next merge would have this height, the last one had that.
    costs = {count: tree[groups - count, 2] - tree[groups - count - 1, 2] for count in counts}
    best = max(costs, key=costs.__getitem__)
    themes = cut_tree(tree, best)[:, 0]
    photos = np.bincount(themes, weights=sizes)
    numbered: Ints = np.argsort(np.argsort(-photos, kind="stable"))[themes]
    return numbered
