"""Groups of vectors: what holds for any input, what known groups become, what is said when there are too few."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from errors import PackagesError, StopRunError
from report.groups import clustering, neighbours
from report.groups.clustering import Clusters, cluster
from report.groups.layout import NEIGHBOURS, load_umap
from tests.conftest import ROOT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]


def unit(rows: NDArray[np.floating]) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Floats = (rows / lengths).astype(np.float32)
    return divided


def digest(found: Clusters) -> str:
    values = (found.labels, found.centroids, found.distances, found.nearest, found.xy, found.themes)
    return hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()


def known_groups(sizes: list[int], loose: int, dimensions: int = 32) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(3)
    truth = np.append(np.repeat(np.arange(len(sizes)), sizes), np.full(loose, -1))
    centres = unit(rng.standard_normal((len(sizes), dimensions)))
    rows = np.vstack([centres[truth[truth >= 0]], np.zeros((loose, dimensions))])
    rows += np.where(truth < 0, 1.0, 0.05)[:, None] * rng.standard_normal(rows.shape)
    order = rng.permutation(len(rows))
    return unit(rows[order]), truth[order]


def run(vectors: Floats, **options: int | bool | None) -> Clusters:
    return cluster(vectors, say=lambda _: None, **options)  # type: ignore[arg-type]


def check(vectors: Floats, found: Clusters) -> None:
    count, groups = len(vectors), len(found.centroids)
    assert found.labels.shape == found.distances.shape == found.nearest.shape == (count,)
    assert found.xy.shape == (count, 2)
    assert np.isfinite(found.xy).all()
    assert found.themes.shape == (groups,)
    assert set(found.labels.tolist()) - {-1} == set(range(groups))
    sizes = [int((found.labels == group).sum()) for group in range(groups)]
    firsts = [int(np.argmax(found.labels == group)) for group in range(groups)]
    ranks = [(-size, first) for size, first in zip(sizes, firsts, strict=True)]
    assert ranks == sorted(ranks)
    if groups:
        assert np.allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-5)
        away = 1 - vectors @ found.centroids.T
        assert (away[np.arange(count), found.nearest] <= away.min(axis=1, initial=3) + 1e-5).all()
        own = np.where(found.labels < 0, found.nearest, found.labels)
        assert np.allclose(found.distances, away[np.arange(count), own], atol=1e-5)
        assert (found.distances >= 0).all()
        themes = len(set(found.themes.tolist()) - {-1})
        assert set(found.themes.tolist()) == (set(range(themes)) or {-1})
        assert 8 <= themes <= min(20, groups / 3) if groups >= 24 else not themes
    else:
        assert np.isnan(found.distances).all()
        assert (found.nearest == -1).all()
    for same in (np.flatnonzero((vectors == row).all(axis=1)) for row in vectors[:20]):
        for values in (found.labels, found.distances, found.nearest, found.xy):
            assert len(np.unique(values[same], axis=0)) == 1
    assert found.method


@st.composite
def few_vectors(draw: st.DrawFn) -> Floats:
    """Draw up to 40 unit vectors, some of them zero, many of them equal."""
    distinct, dimensions, count = draw(st.tuples(st.integers(1, 30), st.integers(1, 12), st.integers(0, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = unit(rng.standard_normal((distinct, dimensions)) + draw(st.sampled_from([0, 1, 10])))
    rows[draw(st.integers(0, distinct - 1))] *= draw(st.sampled_from([0, 1]))
    return rows[rng.integers(0, distinct, count)]


@given(few_vectors(), st.sampled_from([None, 2, 5]))
@settings(max_examples=150, deadline=None)
def test_what_holds_for_few_vectors(vectors: Floats, size: int | None) -> None:
    found = run(vectors, min_cluster_size=size)
    check(vectors, found)
    assert (np.bincount(found.labels[found.labels >= 0]) >= (size or 2)).all()
    assert (found.labels[~vectors.any(axis=1)] == -1).all()
    assert digest(found) == digest(run(vectors, min_cluster_size=size))


@pytest.mark.parametrize("count", [0, 1, 2, 5, 150])
def test_unalike_vectors_of_any_number(count: int) -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((count, 64)))
    found = run(vectors)
    check(vectors, found)
    assert f"Only {count} distinct photos" in found.notes[0]
    assert "average linkage" in found.method


def test_few_photos_of_known_groups_are_found() -> None:
    vectors, truth = known_groups([40, 30, 20, 12, 8, 4, 3], 0)
    assert adjusted_mutual_info_score(truth, run(vectors).labels) > 0.99


def test_shots_of_one_burst_are_one_group() -> None:
    vectors = unit(np.ones((12, 64)) + 0.05 * np.random.default_rng(0).standard_normal((12, 64)))
    assert run(vectors).labels.tolist() == [0] * 12


@pytest.mark.parametrize("count", [3, 1000])
def test_identical_photos_are_one_group(count: int) -> None:
    vectors = np.repeat(unit(np.ones((1, 16))), count, axis=0)
    found = run(vectors)
    check(vectors, found)
    assert found.labels.tolist() == [0] * count


def test_opposite_vectors_whose_mean_is_nothing_have_a_centroid() -> None:
    labels = np.zeros(2, np.int64)
    centroid = clustering._centroids(np.array([[1, 0], [-1, 0]], np.float32), labels)
    assert centroid.tolist() == [[1, 0]]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    vectors = unit(np.ones((5, 8)))
    vectors[2, 3] = wrong
    with pytest.raises(StopRunError, match="1 of 5 vectors hold values that are no numbers: delete"):
        run(vectors)


def test_few_photos_load_nothing_that_compiles() -> None:
    program = (
        "import sys, numpy as np\n"
        "from report.groups.clustering import cluster\n"
        "cluster(np.eye(150, dtype=np.float32), say=print)\n"
        "assert not {'numba', 'umap', 'hdbscan', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_fast_without_its_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evoc", None)
    with pytest.raises(PackagesError, match="leave --fast out") as error:
        run(unit(np.ones((5, 8))), fast=True)
    assert error.value.extra == "report-core"


SIZES = [*range(20, 60, 2), 90, 150]
"""22 groups of known size, among them 300 vectors that belong to none."""


def doubled() -> tuple[Floats, Ints]:
    """Return known groups; 60 vectors are there twice, and one that belongs nowhere 40 times."""
    vectors, truth = known_groups(SIZES, 300)
    rng = np.random.default_rng(5)
    twice = rng.choice(len(vectors), 60, replace=False)
    loner = np.repeat(np.flatnonzero(truth < 0)[:1], 39)
    rows = np.concatenate([np.arange(len(vectors)), twice, loner])
    return vectors[rows], np.where(np.arange(len(rows)) >= len(vectors) + 60, len(SIZES), truth[rows])


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def library(said: list[str]) -> tuple[Floats, Ints, Clusters]:
    vectors, truth = doubled()
    return vectors, truth, cluster(vectors, say=said.append)


def test_what_holds_for_a_library(library: tuple[Floats, Ints, Clusters]) -> None:
    vectors, _, found = library
    check(vectors, found)
    assert "HDBSCAN (leaf, min_cluster_size 15, min_samples 10)" in found.method
    assert len(found.centroids) >= 20
    assert not found.notes


def test_known_groups_of_uneven_size_are_found(library: tuple[Floats, Ints, Clusters]) -> None:
    _, truth, found = library
    grouped = truth >= 0
    assert adjusted_mutual_info_score(truth[grouped], found.labels[grouped]) > 0.95
    assert (found.labels[~grouped] == -1).mean() > 0.1


def test_a_photo_that_is_there_often_is_a_group_of_its_own_copies(
    library: tuple[Floats, Ints, Clusters],
) -> None:
    vectors, truth, found = library
    copies = truth == len(SIZES)
    assert len(np.unique(vectors[copies], axis=0)) == 1
    assert set(found.labels[copies]) != {-1}


def test_longer_steps_say_their_time(library: tuple[Floats, Ints, Clusters], said: list[str]) -> None:
    for step in ("Neighbours of", "UMAP to 5 dimensions", "Groups by HDBSCAN", "Map by UMAP"):
        assert any(line.startswith(step) and line.endswith(" s") for line in said), said


def test_the_same_vectors_give_the_same_bytes(library: tuple[Floats, Ints, Clusters]) -> None:
    vectors, _, found = library
    assert digest(run(vectors)) == digest(found)


@pytest.mark.slow
def test_evoc_finds_known_groups_and_gives_the_same_bytes_again() -> None:
    """All of `fast` in one test, for where nothing is compiled yet numba takes minutes for it."""
    vectors, truth = doubled()
    lines: list[str] = []
    found = cluster(vectors, fast=True, say=lines.append)
    check(vectors, found)
    assert found.method.startswith("EVoC (base_min_cluster_size 15, seed 42, ")
    assert lines[0] == "Loading evoc; the first time takes minutes."
    assert any(line.startswith("Groups of") and line.endswith(" s") for line in lines), lines
    grouped = truth >= 0
    assert adjusted_mutual_info_score(truth[grouped], found.labels[grouped]) > 0.9
    assert set(found.labels[truth == len(SIZES)]) != {-1}
    assert digest(run(vectors, fast=True)) == digest(found)


class OneBlob:
    """An EVoC whose most persistent layer is one group of everything, the next twenty groups."""

    persistence_scores_ = (0.1, 0.9)

    def __init__(self, **options: object) -> None:
        self.options = options

    def fit(self, vectors: Floats) -> OneBlob:
        rows = np.arange(len(vectors))
        self.cluster_layers_ = [rows % 20, 0 * rows]
        self.nn_inds_ = neighbours._exact_graph(vectors, 15)[0]
        return self


def test_evocs_blob_gives_way_to_its_next_layer_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evoc", SimpleNamespace(EVoC=OneBlob))
    vectors, _ = known_groups([30] * 20, 0)
    found = clustering._by_evoc(vectors, np.ones(len(vectors), np.int64), 15, 42, print)
    assert found.labels.max() == 19
    assert "its most persistent layer of 2" in found.method
    assert found.notes == [
        "EVoC's most persistent layer had 1 group, the largest of 100% of the photos; took the next that was better."
    ]


@pytest.mark.slow
def test_the_search_for_neighbours_in_a_large_library() -> None:
    """More rows than are compared each with each: nearly all neighbours are found, and the same ones again.

    Nearly all of its time goes into compiling, which numba does anew in every process.
    """
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((500, 16))
    vectors = unit(centres[rng.integers(0, 500, 33_000)] + 0.5 * rng.standard_normal((33_000, 16)))
    umap = load_umap(print)
    near, away = neighbours.neighbour_graph(vectors, NEIGHBOURS, 42, umap)
    again, _ = neighbours.neighbour_graph(vectors, NEIGHBOURS, 42, umap)
    assert again.tobytes() == near.tobytes()
    assert near.shape == (33_000, NEIGHBOURS)
    sample = rng.choice(len(vectors), 500, replace=False)
    exact = np.argpartition(-(vectors[sample] @ vectors.T), NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    recall = [len(set(near[row]) & set(best)) / NEIGHBOURS for row, best in zip(sample, exact, strict=True)]
    assert np.mean(recall) > 0.9, np.mean(recall)
    expected = 1 - (vectors[sample, None] * vectors[near[sample]]).sum(axis=2)
    assert np.allclose(away[sample], expected, atol=1e-5)


def blobs(sizes: list[int]) -> Floats:
    rng = np.random.default_rng(1)
    centres = 30 * rng.standard_normal((len(sizes), 5))
    rows: Floats = (np.repeat(centres, sizes, axis=0) + rng.standard_normal((sum(sizes), 5))).astype(
        np.float32
    )
    return rows


def test_a_degenerate_result_is_tried_again_with_smaller_groups() -> None:
    space = blobs([70] * 6)
    labels, size, notes = clustering._guarded(space, np.ones(len(space), np.int64), 100)
    assert size == 50
    assert labels.max() == 5
    assert notes == [
        "At least 100 photos a group made 0 groups, the largest of 0% of the photos.",
        "Took at least 50.",
    ]


def test_what_stays_degenerate_is_the_best_of_four_and_said() -> None:
    space = blobs([300, 30])
    _, size, notes = clustering._guarded(space, np.ones(len(space), np.int64), 240)
    assert size in {240, 120, 60, 30}
    assert notes[-1] == f"Took at least {size}, the best of what was tried."


def test_the_exact_graph_is_exact_and_in_order() -> None:
    vectors, _ = known_groups([30] * 20, 200)
    near, away = neighbours._exact_graph(vectors, 15)
    assert (near[:, 0] == np.arange(len(vectors))).all()
    assert (np.diff(away, axis=1) >= 0).all()
    expected = np.sort(1 - vectors @ vectors.T, axis=1)[:, 1:15]
    assert np.allclose(away[:, 1:], expected, atol=1e-6)
    shuffled = near[:, ::-1].copy()
    shuffled[0, 3] = -1  # a neighbour that EVoC did not find
    again, measured = neighbours.measured_graph(vectors, shuffled)
    assert (again[:, 0] == np.arange(len(vectors))).all()
    assert (again >= 0).all()
    assert np.allclose(measured[1:], away[1:], atol=1e-6)
