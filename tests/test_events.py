"""What belongs together, over made lives of many kinds: the floor under benchmarks/events.py."""

from __future__ import annotations

import pytest

from report.time.cut import cut
from tests.helpers.timelines import HELD_OUT, KINDS, made, scores

HARD = {"round trip, no GPS": 0.7}
"""F1 where nothing tells the stays of a trip apart but still days."""


@pytest.mark.parametrize("kind", [*KINDS, *HELD_OUT])
def test_an_event_ends_where_another_begins(kind: str) -> None:
    for seed in (11, 12):
        life = made(kind, seed)
        precision, recall, f1 = scores(cut(life.moments).tolist(), life.events)
        assert f1 >= HARD.get(kind, 0.9), (seed, precision, recall)


def test_the_score_counts_photos() -> None:
    assert scores([0, 0, 1, 1], [5, 5, 6, 6]) == (1, 1, 1)
    assert scores([0, 0, 0, 0], [5, 5, 6, 6])[:2] == (0.5, 1)
    assert scores([0, 1, -1, -1], [5, 5, 6, 6])[:2] == (1, 0.5)
    assert scores([0, 0, 0], [5, 5, -1])[:2] == (1, 1), "what has no true event is not asked about"
