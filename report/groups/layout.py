"""Owns how vectors become a few coordinates: UMAP over a given graph, or a plain projection. Never says what is a group."""

from __future__ import annotations

import importlib
import sys
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Graph = tuple[NDArray[np.int32], Floats]
    """For every row its nearest rows, itself first, nearest first, and their cosine distances; both (n, neighbours)."""

NEIGHBOURS, MAP_NEIGHBOURS = 30, 15
"""For clustering as in umap-learn's doc/clustering.rst; for the map UMAP's default."""
SPACE: dict[str, Any] = {"n_components": 5, "n_neighbors": NEIGHBOURS, "min_dist": 0.0}
"""In which dense groups lie close together, to be clustered."""
MAP: dict[str, Any] = {"n_components": 2, "n_neighbors": MAP_NEIGHBOURS, "min_dist": 0.1}
"""For people to look at."""


@contextmanager
def timed(say: Callable[[str], None], what: str) -> Iterator[None]:
    """Say how long a step took that was done."""
    start = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - start:.1f} s")


def load_umap(say: Callable[[str], None]) -> ModuleType:
    """Return umap's own module, after a line that explains the wait where it is not loaded yet."""
    if "umap" not in sys.modules:
        say("Loading umap; the first time takes half a minute.")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ImportWarning
        )  # that TensorFlow, which is not needed here, is missing
        return importlib.import_module("umap.umap_")


def lay_out(
    umap: ModuleType, vectors: Floats, graph: Graph, seed: int, *, n_neighbors: int, **options: object
) -> Floats:
    """Return coordinates, (n, n_components), by UMAP over a graph that is there already, or over its first columns."""
    neighbours = min(n_neighbors, graph[0].shape[1])
    known = (graph[0][:, :neighbours].copy(), graph[1][:, :neighbours].copy())  # UMAP writes into them
    # One job is what a seed means to UMAP anyway.
    model = umap.UMAP(
        metric="cosine", n_neighbors=neighbours, precomputed_knn=known, random_state=seed, n_jobs=1, **options
    )
    with warnings.catch_warnings():
        # That new rows cannot be placed without a search index, and that an eigensolver gave up: both as intended.
        warnings.simplefilter("ignore", UserWarning)
        embedding: Floats = model.fit_transform(vectors)
    # A row that UMAP finds connected to nothing has no place.
    return np.where(np.isnan(embedding), np.nanmean(embedding, axis=0), embedding).astype(np.float32)


def project(vectors: Floats, dimensions: int = 2) -> Floats:
    """Return (n, dimensions) main directions of (n, d) vectors (PCA), each with a sign that does not depend on the solver."""
    if not len(vectors):
        return np.zeros((0, dimensions), np.float32)
    centred = vectors - vectors.mean(axis=0)
    directions: NDArray[Any]
    if centred.shape[1] < centred.shape[0]:
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :dimensions]
    else:
        directions = np.linalg.svd(centred, full_matrices=False)[2][:dimensions].T
    found = centred @ directions
    found *= np.where(found[np.abs(found).argmax(axis=0), range(found.shape[1])] < 0, -1, 1)
    return np.pad(found, ((0, 0), (0, dimensions - found.shape[1]))).astype(np.float32)
