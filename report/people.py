"""Owns what becomes of groups when people have said something of them: which go together, what is remembered of each alone."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report.files.given_names import NAMES, names_table
from report.groups.clustering import merged
from report.naming.given import Wishes, resolve
from report.naming.inheritance import Heirs
from report.naming.naming import members_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report.files.given_names import NamesFile, NamesTable
    from report.groups.clustering import Clusters, Floats
    from report.naming.inheritance import Previous
    from report.naming.naming import Group

Alone = dict[str, tuple[int, float | None]]
"""The group and the distance to its centroid that each photo has where no groups go together, by rel_path."""


@dataclass(frozen=True, slots=True)
class Obeyed:
    """The groups as people want them, and what they are called.

    Attributes:
        clusters: those of them that people put together are one.
        heirs: of these clusters.
        names: that people gave, by the id of the group.
        hidden: ids of groups without a card.
        alone: empty where no groups were put together.
        notes: a sentence for each thing that could not be obeyed.
    """

    clusters: Clusters
    heirs: Heirs
    names: Mapping[int, str] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    alone: Alone = field(default_factory=dict)
    notes: Sequence[str] = ()
    _of_line: Mapping[int, int] = field(default_factory=dict)
    _photos: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def table(self, file: NamesFile, groups: Sequence[Group]) -> NamesTable | None:
        """Return the table of names as it stands now; None where the file must be left alone."""
        return names_table(file, groups, self._of_line, self._photos) if file.is_whole else None


def obey(
    file: NamesFile,
    previous: Previous,
    placed: Sequence[str],
    clusters: Clusters,
    vectors: Floats,
    heirs: Heirs,
) -> Obeyed:
    """Put groups together and find out what they are called, as people say in `file`.

    Args:
        file: as it was read.
        previous: the earlier report, for lines that hold no photos.
        placed: the clustered photos, a row each.
        clusters: of these rows.
        vectors: (n, d), of these rows.
        heirs: of these clusters.
    """
    before: dict[int, list[str]] = defaultdict(list)
    for rel_path, group in previous.groups.items():
        before[group].append(rel_path)
    wishes = resolve(
        list(file.lines.values()), dict(zip(placed, clusters.labels.tolist(), strict=True)), before
    )
    photos = {
        heirs.ids[cluster]: [placed[row] for row in rows]
        for cluster, rows in enumerate(members_of(clusters.labels, clusters.distances))
    }
    kept, of = (clusters, heirs) if not wishes.into else _together(clusters, vectors, heirs, wishes)
    return Obeyed(
        kept,
        of,
        {heirs.ids[cluster]: name for cluster, name in wishes.names.items()},
        frozenset(heirs.ids[cluster] for cluster in wishes.hidden),
        _alone(placed, clusters, heirs) if wishes.into else {},
        [*file.notes, *(f"{NAMES}: {note}" for note in wishes.notes)],
        {line: heirs.ids[cluster] for line, cluster in wishes.of_line.items()},
        photos,
    )


def _together(clusters: Clusters, vectors: Floats, heirs: Heirs, wishes: Wishes) -> tuple[Clusters, Heirs]:
    joined, new = merged(clusters, vectors, wishes.into)
    numbers = {old: int(now) for old, now in enumerate(new) if old not in wishes.into}
    return joined, Heirs(
        {now: heirs.ids[old] for old, now in numbers.items()},
        {now: heirs.headings[old] for old, now in numbers.items() if old in heirs.headings},
    )


def _alone(placed: Sequence[str], clusters: Clusters, heirs: Heirs) -> Alone:
    ids = {-1: -1} | heirs.ids
    return {
        rel_path: (ids[group], distance if math.isfinite(distance) else None)
        for rel_path, group, distance in zip(
            placed, clusters.labels.tolist(), clusters.distances.tolist(), strict=True
        )
    }
