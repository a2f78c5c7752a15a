"""Owns what people say of groups in cluster_names.csv: names, which groups are hidden, which go together. Opens no file.

What was said belongs to the photos of the group at that time, of which the line holds some: it follows them into whatever
groups there are now, where most of them are. A line without photos goes by the group's number in the last report.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SEPARATOR = " | "
PHOTOS = 15
"""This many photos of a group stand for it, from the most typical to the oddest."""
_PART = 0.25
"""At least this share of a line's photos that are in the library is in the group it is about."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file: its `number` there, `group` and `old` name as the report wrote them; the rest is a person's."""

    number: int
    group: int | None = None
    old: str = ""
    name: str = ""
    hide: bool = False
    merge: str = ""
    photos: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether a person wrote into it."""
        return bool(self.name or self.hide or self.merge)

    def quoted(self) -> str:
        """Return what a person knows the line by."""
        return f'line {self.number} ("{self.name or self.old or self.group}")'


@dataclass(slots=True)
class Wishes:
    """What the lines come to for the clusters 0 to k-1.

    Attributes:
        of_line: the cluster that each line is about.
        into: clusters that go into another one; never one that does so itself.
        names: what clusters are called; of those that others go into, also the old name.
        hidden: clusters without a card.
        notes: a sentence for each line that could not be obeyed.
    """

    of_line: dict[int, int] = field(default_factory=dict)
    into: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def sample(photos: Sequence[str]) -> list[str]:
    """Return the photos that stand for a group in its line."""
    fit = [photo for photo in photos if SEPARATOR.strip() not in photo]
    some = min(PHOTOS, len(fit))
    return [fit[index * len(fit) // some] for index in range(some)]


def resolve(
    lines: Sequence[Line], clusters: Mapping[str, int], before: Mapping[int, Collection[str]]
) -> Wishes:
    """Find out which clusters the lines are about, and what becomes of those.

    Args:
        lines: of the file; a line that asks for nothing can be what another goes with.
        clusters: of every photo that is grouped now, -1 for none, by rel_path.
        before: the photos of each group of the last report, by its id.
    """
    wishes = Wishes()
    strength: dict[int, int] = {}
    for line in lines:
        photos = line.photos or tuple(before.get(-1 if line.group is None else line.group, ()))
        found = Counter(clusters[photo] for photo in photos if photo in clusters)
        present = found.total()
        found.pop(-1, None)
        cluster, number = min(found.most_common(), key=lambda pair: (-pair[1], pair[0]), default=(-1, 0))
        if not present or number < _PART * present:
            if line.asks:
                wishes.notes.append(
                    f"{line.quoted()} is about photos that are in no group now; it stays in the file."
                )
            continue
        wishes.of_line[line.number] = cluster
        strength[line.number] = number
    _merge(lines, wishes)
    _name(lines, strength, wishes)
    return wishes


def _merge(lines: Sequence[Line], wishes: Wishes) -> None:
    for line in lines:
        if not line.merge or line.number not in wishes.of_line:
            continue
        target = next((one for one in lines if one is not line and _is_meant(line.merge, one)), None)
        if target is None:
            wishes.notes.append(
                f'{line.quoted()} goes with "{line.merge}", which no line has as its group or name: give the number of a group.'
            )
            continue
        if target.number not in wishes.of_line:
            continue  # which is said already
        source = wishes.of_line[line.number]
        aim = end = wishes.of_line[target.number]
        while end in wishes.into:
            end = wishes.into[end]
        if source == end:
            if aim != source:
                wishes.notes.append(
                    f'{line.quoted()} and "{line.merge}" go with each other: leave out one of them.'
                )
            continue
        for other, into in wishes.into.items():
            if into == source:
                wishes.into[other] = end
        wishes.into[source] = end
        wishes.names.pop(source, None)
        if target.old:
            wishes.names.setdefault(end, target.old)


def _is_meant(text: str, line: Line) -> bool:
    wanted = text.strip().casefold()
    return wanted in {str(line.group), line.old.casefold(), line.name.casefold()} - {"", "None"}


def _name(lines: Sequence[Line], strength: Mapping[int, int], wishes: Wishes) -> None:
    """Give names and hide; where groups of two names have become one, the line with more photos there decides."""
    named: dict[int, Line] = {}
    for line in sorted(lines, key=lambda line: -strength.get(line.number, 0)):
        cluster = wishes.of_line.get(line.number)
        if cluster is None or cluster in wishes.into:
            continue
        if line.hide:
            wishes.hidden.add(cluster)
        if not line.name:
            continue
        if cluster in named and named[cluster].name != line.name:
            wishes.notes.append(
                f'{line.quoted()} and {named[cluster].quoted()} are about one group now, which is called "{named[cluster].name}".'
            )
        elif cluster not in named:
            named[cluster] = line
            wishes.names[cluster] = line.name
