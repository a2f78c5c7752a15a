"""Owns the way from a library and its vectors to a report: what all outputs say, made once. Writes no file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from journal import is_video
from report.events import UNSET, Timeline, name_events
from report.files.given_names import read_names
from report.files.last_report import LAST, read_previous
from report.files.table import make_rows
from report.groups.clustering import cluster
from report.groups.neighbours import nearest_groups
from report.naming.asked import NamesByModel
from report.naming.inheritance import inherit
from report.naming.names import Told, name_events_shortly, name_shortly, name_trips
from report.naming.naming import count, counted, label_photos, name_groups
from report.naming.short import said
from report.naming.sight import Sight
from report.people import obey
from report.time.bursts import bursts
from report.time.cut import cut
from report.time.disputes import disputed
from report.time.home import Whereabouts, whereabouts
from report.time.trips import find_trips

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from journal import Entry
    from library.walk import Photo
    from report.events import Event
    from report.files.given_names import NamesTable
    from report.files.table import Row
    from report.files.thumbnails import Picture
    from report.groups.clustering import Clusters
    from report.groups.stability import Earlier
    from report.naming.asked import Asker, Kept
    from report.naming.inheritance import Previous
    from report.naming.naming import Group, Label, Theme
    from report.naming.short import Mentions
    from report.people import Obeyed
    from report.time.places import Town
    from report.time.trips import Trip
    from report.vectors.base import Embedder
    from report.vectors.embed import Floats


_NEAR = 4
"""Groups near one that a language model is told of."""


@dataclass(frozen=True, slots=True)
class Library:
    """The files that get rows, in this order, and what is known of them; `photos_dir` is None where no file is there to open."""

    photos_dir: Path | None
    photos: list[Photo]
    records: dict[str, Entry]

    @property
    def videos(self) -> frozenset[str]:
        """The videos, by their records, or where there is none by their names."""
        return frozenset(
            photo.rel_path
            for photo in self.photos
            if (
                is_video(entry["status"], entry.get("error"))
                if (entry := self.records.get(photo.rel_path))
                else photo.is_video
            )
        )


@dataclass(frozen=True, slots=True)
class Vectors:
    """What is clustered: photos by their place in the library, a row each; `says` are the embedders' own words for it.

    `images` (n, d) are those that `embedder` made of the pictures; None where no picture was looked at.
    """

    places: list[int]
    rows: Floats
    says: str
    images: Floats | None = None
    embedder: Embedder | None = None


@dataclass(frozen=True, slots=True)
class Grouping:
    """How groups are asked for; without `min_cluster_size` it is by the library's size. `asker` names them, if there is one."""

    min_cluster_size: int | None
    seed: int
    fast: bool
    asker: Asker | None = None

    def line(self) -> str:
        """Spell out what was asked for; not what came of it, such as a size that grows with the library."""
        size = self.min_cluster_size or "by the library's size"
        return f"groups of {size}, seed {self.seed}{', fast' if self.fast else ''}"


@dataclass(frozen=True, slots=True)
class Report:
    """All that the outputs say.

    Attributes:
        rows: of all files.
        groups: as they were named; those of `rows`.
        themes: the groups gathered; may be empty.
        events: in the order of time, what has no date last; those of `rows`.
        pictures: what there is to show of each row.
        videos: the rel_paths of those rows that are videos without a caption.
        summary: the line with the counts.
        method: how the groups were made, in words.
        notes: whatever else a reader must know.
        link: the beginning of all links to photos; None where nothing leads to them.
        odd: what comes after `link` for those photos whose `rel_path` leads nowhere.
        grouped_by: how groups were asked for, for the next report to compare.
        errors: why the captions of some failed, by rel_path.
        alike: (files, m) the rows most like each, nearest first; itself where there are fewer. None where no photo has a vector.
        names: the table in which people name groups; None where it must be left alone.
        alone: what the next report must know of photos whose groups people put together.
        told: names by a language model, for the next report.
        trips: in the order of time; of those events.
        towns: where each row was taken; empty where no file was opened.
        disputed: rows of bursts whose captions contradict each other.
        start: the address in the page, from its #, that it opens at; empty for the groups.
    """

    rows: Sequence[Row]
    groups: Sequence[Group] = ()
    themes: Sequence[Theme] = ()
    events: Sequence[Event] = ()
    pictures: Sequence[Picture] = ()
    videos: Collection[str] = frozenset()
    summary: str = ""
    method: str = ""
    notes: Sequence[str] = ()
    link: str | None = None
    odd: Mapping[str, str] = field(default_factory=dict)
    grouped_by: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    alike: NDArray[np.int64] | None = None
    names: NamesTable | None = None
    alone: Mapping[str, tuple[int, float | None]] = field(default_factory=dict)
    told: Sequence[Kept] = ()
    trips: Sequence[Trip] = ()
    towns: Sequence[Town | None] = ()
    disputed: Sequence[int] = ()
    start: str = ""


def build(
    library: Library,
    vectors: Vectors,
    pictures: Sequence[Picture],
    grouping: Grouping,
    folder: Path,
    say: Callable[[str], None],
) -> Report:
    """Group the photos, name the groups and events, and gather what there is to say.

    Args:
        library: whose files get rows.
        vectors: of those that have any.
        pictures: of all files.
        grouping: how groups are asked for.
        folder: where the report will be written, and an earlier one may lie.
        say: gets a line per longer step.

    Raises:
        StopRunError: the vectors or a package are not as they must be.
    """
    rel_paths = [photo.rel_path for photo in library.photos]
    placed = [rel_paths[place] for place in vectors.places]
    previous, note = read_previous(folder)
    grouped_by = f"Grouped by {vectors.says}; {grouping.line()}"
    # Who asks for other groups gets them; names stay all the same.
    stays = bool(previous.groups) and previous.grouped_by == grouped_by
    if stays:
        say(f"Photos stay in their groups of the earlier report; without its {LAST} all are grouped again.")
    clusters = _clusters(vectors, grouping, previous.of(placed) if stays else None, say)
    sight = _sight(placed, vectors)
    labels = label_photos(
        rel_paths, library.records, placed=set(placed), match=sight.match if sight else None
    )
    heirs = inherit(previous, placed, clusters.labels, labels)
    file = read_names(folder)
    people = obey(file, previous, placed, clusters, vectors.rows, heirs)
    things = said(list(labels.values()))
    told = _told(labels, things, previous, grouping.asker)
    groups, themes = _named(
        placed,
        labels,
        [things[place] for place in vectors.places],
        people,
        sight,
        previous.names,
        _told_of(told, vectors, people.clusters, asked=grouping.asker is not None),
    )
    timeline = _timeline(library, vectors, pictures, labels, things, told)
    return Report(
        make_rows(labels, placed, people.clusters, groups, timeline),
        groups,
        themes,
        timeline.events,
        pictures,
        library.videos,
        summary=count(labels, library.videos).line(),
        method=f"Grouped by {vectors.says}; {clusters.method}",
        notes=[*clusters.notes, *filter(None, (note, _unset_note(timeline.events))), *people.notes],
        link=photos_link(library.photos_dir, folder) if library.photos_dir else None,
        odd=odd_links(library.photos, library.photos_dir) if library.photos_dir else {},
        grouped_by=grouped_by,
        errors=_errors(labels, library.records),
        trips=timeline.trips,
        towns=timeline.towns,
        disputed=disputed(timeline.bursts, list(labels.values())),
        alike=_alike(len(rel_paths), vectors.places, clusters.near),
        names=people.table(file, groups),
        alone=people.alone,
        told=told.names.made if told else (),
    )


def _told(
    labels: Mapping[str, Label],
    things: Sequence[Mentions | None],
    previous: Previous,
    asker: Asker | None,
) -> Told | None:
    """Return what a language model says, by file; None where none was ever asked."""
    if asker is None and not previous.told:
        return None
    real = ["" if some is None else label.text for label, some in zip(labels.values(), things, strict=True)]
    return Told(NamesByModel(previous.told, asker), real)


def _told_of(told: Told | None, vectors: Vectors, clusters: Clusters, *, asked: bool) -> Told | None:
    """Return the same by the rows that were clustered; to be asked, with the groups that are near each."""
    if told is None:
        return None
    is_grouped = (clusters.labels >= 0).any()
    near = nearest_groups(vectors.rows, clusters.labels, _NEAR) if asked and is_grouped else ()
    return replace(told, captions=[told.captions[place] for place in vectors.places], near=near)


def _errors(labels: Mapping[str, Label], records: Mapping[str, Entry]) -> dict[str, str]:
    failed = (path for path, label in labels.items() if label.source == "error" and path in records)
    return {path: error for path in failed if (error := records[path].get("error"))}


def _alike(files: int, places: Sequence[int], near: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    if near is None or not near.size:
        return None
    alike = np.repeat(np.arange(files)[:, None], near.shape[1], axis=1)
    alike[places] = np.array(places)[near]
    return alike


def photos_link(photos_dir: Path, out_dir: Path) -> str | None:
    """Return what leads from the report's folder to the photos, as the beginning of a link; None if nothing does.

    Relative, although the report may travel: it is read mostly where it was made, it holds when report and photos move
    together, and an absolute path would tell a stranger the owner's folders and work nowhere else. Where the link is
    dead, the photo's name beside it still says which one is meant. Windows has no relative path to another drive.
    """
    try:
        way = os.path.relpath(os.path.realpath(photos_dir), os.path.realpath(out_dir))
    except ValueError:
        return None
    return quote(os.fsencode(way.replace(os.sep, "/"))) + "/"


def odd_links(photos: Iterable[Photo], photos_dir: Path) -> dict[str, str]:
    """Return what comes after `photos_link` for those photos whose name on the disk is spelled otherwise than their `rel_path`.

    Such are names that a Mac wrote, with accents apart from their letters, and bytes that are no UTF-8. On a disk that tells
    the spellings apart a link by the `rel_path` would lead nowhere.
    """
    start = len(os.path.join(photos_dir, ""))
    names = ((photo.rel_path, photo.path[start:].replace(os.sep, "/")) for photo in photos)
    return {rel_path: quote(os.fsencode(name)) for rel_path, name in names if name != rel_path}


def _clusters(
    vectors: Vectors, grouping: Grouping, earlier: Earlier | None, say: Callable[[str], None]
) -> Clusters:
    return cluster(
        vectors.rows,
        min_cluster_size=grouping.min_cluster_size,
        seed=grouping.seed,
        fast=grouping.fast,
        earlier=earlier,
        say=say,
    )


def _named(
    placed: Sequence[str],
    labels: Mapping[str, Label],
    things: Sequence[Mentions | None],
    people: Obeyed,
    sight: Sight | None,
    kept: Mapping[int, str],
    told: Told | None,
) -> tuple[list[Group], list[Theme]]:
    """Return the groups with headings and names, and the themes; the model is asked only where captions are missing."""
    clusters = people.clusters
    match = sight.match if sight else None
    groups = name_groups(placed, clusters.labels, clusters.distances, labels, match=match, heirs=people.heirs)
    uncaptioned = any(labels[path].source != "caption" for path in placed)
    groups, themes = name_shortly(
        groups,
        things,
        clusters.themes.tolist(),
        seen=sight.of_groups(clusters.labels) if sight and uncaptioned else None,
        kept=kept,
        given=people.names,
        told=told,
    )
    return [replace(group, hidden=group.id in people.hidden) for group in groups], themes


def _timeline(
    library: Library,
    vectors: Vectors,
    pictures: Sequence[Picture],
    labels: Mapping[str, Label],
    things: Sequence[Mentions | None],
    told: Told | None,
) -> Timeline:
    moments = [picture.moment for picture in pictures]
    events: list[Event] = []
    where = Whereabouts()
    if library.photos_dir:
        where = whereabouts(moments)
        events = name_events_shortly(
            name_events(cut(moments), moments, list(labels), labels, where), things, told
        )
    trips = find_trips(events, moments, where)
    return Timeline(
        moments,
        events,
        ()
        if vectors.images is None
        else bursts(
            moments,
            np.array(vectors.places, np.int64),
            vectors.images,
            [picture.sharpness for picture in pictures],
        ).tolist(),
        name_trips(trips, events, told) if told else trips,
        where.towns,
    )


def _unset_note(events: Sequence[Event]) -> str | None:
    unset = next((event for event in events if event.title == UNSET), None)
    return (
        f"In no event, because the camera's clock was not set: {counted(len(unset.members), 'photo')}."
        if unset
        else None
    )


def _sight(placed: Sequence[str], vectors: Vectors) -> Sight | None:
    """Return what the model sees of the subjects of the vocabulary; None where it has no texts."""
    if vectors.images is None or vectors.embedder is None or not vectors.embedder.has_texts:
        return None
    return Sight(placed, vectors.images, vectors.embedder)
