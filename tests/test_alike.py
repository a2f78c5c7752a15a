"""Which photos are most like each: what "More like this" shows."""

from __future__ import annotations

import numpy as np
import pytest

from report.groups.clustering import ALIKE, cluster


@pytest.mark.parametrize("count", [1, 5, 60, pytest.param(300, marks=pytest.mark.slow)])
def test_the_nearest_by_all_distances(count: int) -> None:
    rows = np.random.default_rng(1).normal(size=(count, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.vstack([rows, np.zeros((1, 16), np.float32)])  # a photo that shows nothing is like no other
    near = cluster(rows, say=lambda _: None).near
    assert near is not None
    assert near.shape == (count + 1, min(ALIKE, count - 1))
    closeness = rows[:-1] @ rows[:-1].T
    np.fill_diagonal(closeness, -2)
    for row, found in enumerate(near[:-1]):
        assert sorted(found) == sorted(np.argsort(-closeness[row])[: near.shape[1]])
        assert (np.diff(closeness[row][found]) <= 1e-6).all()
    assert (near[-1] == count).all()


def test_copies_share_their_neighbours() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    near = cluster(rows, say=lambda _: None).near
    assert near is not None
    assert near[0].tolist() == near[1].tolist() == [2, 3]
