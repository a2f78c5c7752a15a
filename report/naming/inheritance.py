"""Owns how groups keep their ids and headings from one report to the next. Never clusters, and writes no file.

A group goes on under its old id if it shares most photos with the old group: the pair with the most photos in common
first, each old group at most once. Where a group was split its largest part goes on, where groups were merged the
largest one does; a pair counts only if it shares more than half of the smaller of the two, so that no id passes to a
group that merely brushed the old one. All others get new ids above all old ones.

A heading stays with its id as long as something in the group supports it, although its photo may no longer be the
one nearest to the centroid: a photo arriving must not rename what people know by name. It is made again when

- it was a caption, and no photo of the group has this caption any more (gone, moved, captioned again);
- it was a mock's caption, and the group has real ones now;
- it was a vocabulary match or a number, and a photo that was in the group has a caption now and had none then.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from report.groups.stability import ARRIVED, Earlier
from report.naming.naming import shorten
from report.naming.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from report.naming.asked import Kept
    from report.naming.naming import Label

_LONGEST_HEADING = 200
_NUMBERED = re.compile(r"Group \d+")
_FALLBACKS = frozenset(VOCABULARY)


@dataclass(frozen=True, slots=True)
class Previous:
    """What an earlier report said.

    Attributes:
        groups: the id of every photo that was in a group, by rel_path.
        headings: of each id.
        captioned: the photos whose label was a caption.
        distances: to a centroid, of every photo that had a vector; NaN without any group.
        grouped_by: how its groups were asked for.
        names: the short names of each id.
        told: the names that a language model gave.
    """

    groups: Mapping[str, int] = field(default_factory=dict)
    headings: Mapping[int, str] = field(default_factory=dict)
    captioned: frozenset[str] = frozenset()
    distances: Mapping[str, float] = field(default_factory=dict)
    grouped_by: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    told: Sequence[Kept] = ()

    def of(self, rel_paths: Sequence[str]) -> Earlier:
        """Return what it said of these photos, a row each."""
        return Earlier(
            np.array(
                [self.groups.get(name, -1 if name in self.distances else ARRIVED) for name in rel_paths],
                np.int64,
            ),
            np.array([self.distances.get(name, math.nan) for name in rel_paths], np.float32),
        )


@dataclass(frozen=True, slots=True)
class Heirs:
    """What the clusters 0 to k-1 get from an earlier report: each an id, and some a heading."""

    ids: dict[int, int]
    headings: dict[int, str]


def inherit(
    previous: Previous, rel_paths: Sequence[str], clusters: Iterable[int], labels: Mapping[str, Label]
) -> Heirs:
    """Find what each cluster gets from the earlier report; the same answer for the same input.

    Args:
        previous: the earlier report; an empty one makes the clusters' numbers their ids.
        rel_paths: the clustered photos, a row each.
        clusters: the cluster of each row, 0 to k-1, or -1 for none.
        labels: of at least those photos, as they are now.
    """
    members: dict[int, list[str]] = {}
    for rel_path, cluster in zip(rel_paths, clusters, strict=True):
        if cluster >= 0:
            members.setdefault(int(cluster), []).append(rel_path)
    sizes = Counter(previous.groups.values())
    shared = Counter(
        (previous.groups[rel_path], cluster)
        for cluster, inside in members.items()
        for rel_path in inside
        if rel_path in previous.groups
    )
    heirs: dict[int, int] = {}
    given = set()
    for (old, cluster), count in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        enough = 2 * count > min(sizes[old], len(members[cluster]))
        if enough and old not in given and cluster not in heirs:
            given.add(old)
            heirs[cluster] = old
    headings = {
        cluster: previous.headings[old]
        for cluster, old in heirs.items()
        if _stands(previous, old, members[cluster], labels)
    }
    free = max(sizes, default=-1) + 1
    for cluster in sorted(members.keys() - heirs.keys()):
        heirs[cluster] = free
        free += 1
    return Heirs(heirs, headings)


def _stands(previous: Previous, old: int, members: Iterable[str], labels: Mapping[str, Label]) -> bool:
    """Tell whether something in the group still supports the heading of the old one."""
    heading = previous.headings[old]
    if not heading or len(heading) > _LONGEST_HEADING:
        return False
    # A heading that was like another's has terms or a number in brackets at its end.
    bases = {heading, heading.rpartition(" (")[0] if heading.endswith(")") else heading}
    real: set[str] = set()
    mock: set[str] = set()
    now_captioned = False
    for rel_path in members:
        label = labels[rel_path]
        if label.source != "caption":
            continue
        (mock if label.is_mock else real).add(shorten(label.text))
        was_here = previous.groups.get(rel_path) == old
        now_captioned |= was_here and rel_path not in previous.captioned
    if bases & real:
        return True
    if bases & mock:
        return not real
    fallback = any(base in _FALLBACKS or _NUMBERED.fullmatch(base) for base in bases)
    return fallback and not now_captioned
