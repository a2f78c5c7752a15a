"""
Scores the cut into events over made lives of many kinds, against the rule of 0.1 and a plain gap of 24 hours.

By photo (B-cubed): a photo's precision is the share of its found event that is of its true one, its recall the share of its
true event that is in its found one; averaged over the photos of a life, F1 is their harmonic mean. A kind's numbers are means
over its seeds. The kinds held out were made after the numbers of report/time/cut.py had been chosen.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np
from processes import ROOT

sys.path.insert(0, str(ROOT))
from report.events import name_events
from report.naming.naming import Label
from report.time.cut import cut
from report.time.home import whereabouts
from report.time.trips import find_trips
from tests.helpers.timelines import HELD_OUT, KINDS, made, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.moments import Moment
    from tests.helpers.timelines import Life


def _ordered(moments: Sequence[Moment]) -> tuple[list[int], np.ndarray]:
    dated = sorted((moment.at.timestamp(), place) for place, moment in enumerate(moments) if moment.at)
    return [place for _, place in dated], np.array([seconds for seconds, _ in dated])


def _by_ends(moments: Sequence[Moment], order: list[int], ends: np.ndarray) -> list[int]:
    found = [-1] * len(moments)
    for place, event in zip(order, np.concatenate(([0], np.cumsum(ends))).tolist(), strict=True):
        found[place] = event
    return found


def plain_gap(moments: Sequence[Moment]) -> list[int]:
    order, times = _ordered(moments)
    return _by_ends(moments, order, np.diff(times) > 24 * 3600)


def first_rule(moments: Sequence[Moment]) -> list[int]:
    """PhotoTOC's rule with at least two hours and at most a day, as 0.1 cut; and 100 km to the next photo with a place."""
    order, times = _ordered(moments)
    gaps = np.diff(times)
    logs = np.log(np.maximum(gaps, 60))
    means = np.array([logs[max(0, i - 10) : i + 11].mean() for i in range(len(logs))])
    ends = (gaps > 24 * 3600) | ((logs >= np.log(17) + means) & (gaps >= 2 * 3600))
    located = [(i, moments[place].place) for i, place in enumerate(order) if moments[place].place]
    for (i, here), (j, there) in pairwise(located):
        if np.hypot(here[0] - there[0], (here[1] - there[1]) * np.cos(np.radians(here[0]))) > 0.9:  # type: ignore[index]
            ends[i + int(np.argmax(gaps[i:j]))] = True
    return _by_ends(moments, order, ends)


def ours(moments: Sequence[Moment]) -> list[int]:
    return [int(event) for event in cut(moments)]


RULES = {"0.1": first_rule, "24 h": plain_gap, "now": ours}


def table(title: str, kinds: Sequence[str], seeds: range) -> None:
    print(f"\n{title:<30}" + "".join(f"{f'{rule}: P     R    F1':>24}" for rule in RULES))
    sums: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
    for kind in kinds:
        lives = [made(kind, seed) for seed in seeds]
        line = f"{kind:<30}"
        for name, rule in RULES.items():
            each = [scores(rule(life.moments), life.events) for life in lives]
            means = [mean(values) for values in zip(*each, strict=True)]
            sums[name].append(means)
            line += "{:>12.3f}{:>6.3f}{:>6.3f}".format(*means)
        print(line)
    print(f"{'mean of the kinds':<30}" + "".join("{:>12.3f}{:>6.3f}{:>6.3f}".format(*map(mean, zip(*sums[rule], strict=True))) for rule in RULES))  # fmt: skip


def trips_of(life: Life) -> list[int]:
    """Return the trip of each photo, -1 for none."""
    paths = list(map(str, range(len(life.moments))))
    where = whereabouts(life.moments)
    labels = {path: Label("", "none") for path in paths}
    events = name_events(cut(life.moments), life.moments, paths, labels, where)
    found = [-1] * len(paths)
    for trip in find_trips(events, life.moments, where):
        for event in events:
            for place in event.members if event.id in trip.events else ():
                found[place] = trip.id
    return found


def trips(kinds: Sequence[str], seeds: range) -> None:
    print(f"\n{'trips':<30}  true   found   photos wrongly in one    of true ones: P     R    F1")
    for kind in kinds:
        lives = [made(kind, seed) for seed in seeds]
        found = [trips_of(life) for life in lives]
        true, ours = (
            sum(len({*some} - {-1}) for some in each) for each in ([life.trips for life in lives], found)
        )
        wrong = sum(
            trip >= 0 > real
            for one, life in zip(found, lives, strict=True)
            for trip, real in zip(one, life.trips, strict=True)
        )
        line = f"{kind:<30}{true:>6}{ours:>8}{wrong / sum(map(len, found)):>24.1%}"
        if true:
            each = [
                scores(one, life.trips)
                for one, life in zip(found, lives, strict=True)
                if max(life.trips) >= 0
            ]
            line += f"{'':>13}{'{:>7.3f}{:>6.3f}{:>6.3f}'.format(*map(mean, zip(*each, strict=True)))}"
        print(line)


def speed(count: int) -> None:
    print(f"\n{'photos':<12}seconds for the cut")
    for photos in (count, 10 * count):
        life = made("daily snaps", 1)
        moments = (life.moments * (photos // len(life.moments) + 1))[:photos]
        begin = time.perf_counter()
        cut(moments)
        print(f"{photos:<12,}{time.perf_counter() - begin:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one seed, few photos")
    options = parser.parse_args()
    seeds = range(1) if options.quick else range(options.seeds)
    table("kinds", list(KINDS), seeds)
    table("kinds held out", list(HELD_OUT), range(100, 100 + len(seeds)))
    trips([*KINDS, *HELD_OUT], seeds)
    speed(1000 if options.quick else 44_583)


if __name__ == "__main__":
    main()
