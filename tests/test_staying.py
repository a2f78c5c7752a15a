"""Photos stay in the groups of an earlier report, unless what arrived brings something new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.groups.clustering import cluster
from report.groups.stability import ARRIVED, Earlier, keep_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]


def motifs(of: list[int], seed: int = 0) -> Floats:
    """Return a unit vector for each number: near to others of the same number, or anywhere for -1."""
    directions = np.random.default_rng(99).standard_normal((20, 32))
    rng = np.random.default_rng(seed)
    rows = np.where(np.array(of)[:, None] < 0, 0, directions[of])
    rows = rows + rng.standard_normal(rows.shape) * np.where(np.array(of) < 0, 1, 0.2)[:, None]
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def report(vectors: Floats, groups: list[int] | Ints, arrived: int = 0) -> Earlier:
    """Return what a report says of all rows but the last `arrived`."""
    groups = np.append(np.asarray(groups, np.int64), np.full(arrived, ARRIVED))
    distances = np.full(len(vectors), np.nan, np.float32)
    ids = np.unique(groups[groups >= 0])
    if len(ids):
        sums = np.stack([vectors[groups == group].sum(axis=0) for group in ids])
        away = 1 - vectors @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T
        own = np.where(groups >= 0, np.searchsorted(ids, groups), away.argmin(axis=1))
        known = groups != ARRIVED
        distances[known] = away[np.arange(len(vectors)), own][known].round(6)
    return Earlier(groups, distances)


def same(found: Ints, wanted: list[int]) -> bool:
    """Tell whether two labellings are one, but for the numbers of their groups."""
    pairs = set(zip(found.tolist(), wanted, strict=True))
    return len(pairs) == len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}) and all(
        (one == -1) == (other == -1) for one, other in pairs
    )


OLD = [0] * 20 + [1] * 20 + [2] * 20 + [-1] * 10


def test_nothing_changes_while_nothing_arrives() -> None:
    vectors = motifs(OLD)
    for now in ([-1] * 70, [0] * 70, [0, 1] * 35, list(range(70))):
        assert same(keep_groups(vectors, np.array(now), report(vectors, OLD), 15), OLD)


def test_ids_of_any_size_are_taken() -> None:
    vectors = motifs(OLD)
    far = [{0: 10**9, 1: 5, 2: 70, -1: -1}[one] for one in OLD]
    assert same(keep_groups(vectors, np.array(OLD), report(vectors, far), 15), OLD)


def test_what_arrives_in_a_known_group_joins_it() -> None:
    vectors = motifs(OLD + [1] * 5)
    assert same(keep_groups(vectors, np.array(OLD + [1] * 5), report(vectors, OLD, 5), 15), OLD + [1] * 5)


def test_what_arrives_alone_is_a_new_group_which_takes_loose_photos_along() -> None:
    vectors = motifs(OLD[:60] + [7] * 10 + [7] * 8)
    now = np.array(OLD[:60] + [7] * 18)
    assert same(keep_groups(vectors, now, report(vectors, OLD, 8), 15), OLD[:60] + [7] * 18)


def test_a_group_is_not_split_by_a_few_arrivals() -> None:
    vectors = motifs(OLD + [0] * 2)
    halves = np.array([0, 9] * 10 + OLD[20:] + [0, 9])
    assert same(keep_groups(vectors, halves, report(vectors, OLD, 2), 15), OLD + [0] * 2)


def test_two_groups_are_not_joined_by_arrivals_each_of_which_goes_to_the_nearer() -> None:
    vectors = motifs([*OLD, 0, 1, 0, 1])
    joined = np.array([0] * 40 + OLD[40:] + [0] * 4)
    assert same(keep_groups(vectors, joined, report(vectors, OLD, 4), 15), [*OLD, 0, 1, 0, 1])


def test_arrivals_outnumber_a_part_of_a_group_and_take_it_away() -> None:
    vectors = motifs([0] * 20 + [7] * 12 + OLD[20:] + [7] * 15)
    before = [0] * 32 + OLD[20:]
    now = [0] * 20 + [7] * 12 + OLD[20:] + [7] * 15
    assert same(keep_groups(vectors, np.array(now), report(vectors, before, 15), 15), now)


def test_what_is_left_of_a_group_that_was_taken_away_is_grouped_anew() -> None:
    vectors = motifs([7] * 28 + [0] * 4 + OLD[20:] + [7] * 30)
    now = [7] * 28 + [-1] * 4 + OLD[20:] + [7] * 30
    found = keep_groups(vectors, np.array(now), report(vectors, [0] * 32 + OLD[20:], 30), 15)
    assert same(found, now)


def test_a_group_most_of_which_is_gone_is_grouped_anew() -> None:
    vectors = motifs(OLD)
    groups = report(vectors, OLD)
    left = np.r_[0:3, 20:70]
    found = keep_groups(
        vectors[left], np.full(53, -1), Earlier(groups.groups[left], groups.distances[left]), 15
    )
    assert same(found, [-1] * 3 + OLD[20:])


def test_one_that_is_gone_moves_nobody() -> None:
    vectors = motifs(OLD)
    groups = report(vectors, OLD)
    found = keep_groups(
        vectors[1:], np.zeros(69, np.int64), Earlier(groups.groups[1:], groups.distances[1:]), 15
    )
    assert same(found, OLD[1:])


def test_other_pictures_under_the_same_names_are_grouped_anew() -> None:
    mixed = [3, 4, 5, 6, 7] * 14
    for now, vectors in (([0, 1] * 35, motifs(mixed)), (OLD, motifs(OLD, seed=5))):
        found = keep_groups(vectors, np.array(now), report(motifs(OLD), OLD), 15)
        assert same(found, list(now))


def test_an_earlier_report_without_groups_keeps_nothing_loose() -> None:
    vectors = motifs(OLD)
    assert same(keep_groups(vectors, np.array(OLD), report(vectors, [-1] * 70), 15), OLD)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_what_always_holds(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    arrived = data.draw(st.integers(0, count))

    def numbers(low: int, size: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, 4), min_size=size, max_size=size))

    vectors = motifs(numbers(-1, count))
    earlier = report(vectors, numbers(-1, count - arrived), arrived)
    now = np.array(numbers(-1, count), np.int64)
    smallest = data.draw(st.sampled_from([2, 6]))
    found = keep_groups(vectors, now, earlier, smallest)
    assert found.shape == now.shape
    assert (found >= -1).all()
    again = keep_groups(vectors, now, report(vectors, found), 2)
    sizes = np.unique(found[found >= 0], return_counts=True)[1]
    if len(sizes) and sizes.min() > 1:
        assert same(again, found.tolist()), "made again it is the same"


@pytest.mark.slow
def test_a_library_keeps_nearly_all_when_a_hundred_arrive() -> None:
    """Groups that touch, which density cuts anew with every photo."""
    rng = np.random.default_rng(1)
    of = np.append(rng.integers(0, 12, 1500), np.full(300, -1)).tolist()
    rows = motifs(of) + 0.12 * rng.standard_normal((1800, 32)).astype(np.float32)
    vectors: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True))[rng.permutation(1800)]
    old, new = vectors[:-100], vectors
    before = cluster(old, say=lambda _: None)
    groups = np.append(before.labels, np.full(100, ARRIVED))
    earlier = Earlier(groups, np.append(before.distances, np.full(100, np.nan, np.float32)))
    kept = cluster(new, earlier=earlier, say=lambda _: None)
    held = sum(
        np.bincount(before.labels[kept.labels[:-100] == group] + 1).max() for group in np.unique(kept.labels)
    )
    assert held >= 0.95 * 1700
    assert (kept.labels[-100:] >= 0).mean() > 0.5
