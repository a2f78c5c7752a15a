"""Owns cluster_report.html: the library as one page to look through. Decides no name and no group, and opens no photo.

The page opens from the disk, fetches nothing and asks no server. Captions, names of files and headings are what strangers
and models wrote: they travel as JSON in which nothing can end the script element, the page's program makes only text of
them, and a content-security policy lets run what this module hashed and nothing else. The same input gives the same bytes.
"""

from __future__ import annotations

import calendar
import itertools
import json
import re
from base64 import b64encode
from collections import defaultdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from errors import PackagesError
from library.walk import VIDEO_EXTENSIONS, extension
from report.files.table import replaced, wall_clock
from report.naming.naming import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from report.build import Report
    from report.events import Event
    from report.files.table import Row
    from report.time.trips import Trip

_TEMPLATES = Path(__file__).parent / "templates"
PAGE = "cluster_report.html"
_PROGRAM = (
    "data.js", "format.js", "elements.js", "names.js", "memories.js", "address.js", "rail.js", "groups.js", "events.js", "trips.js", "words.js",
    "query.js", "search.js", "about.js", "list.js", "grid.js", "photo.js", "map_places.js", "map_levels.js", "map_dots.js",
    "map_pictures.js", "map_names.js", "map.js", "map_view.js", "print.js", "page.js",
)  # fmt: skip
"""Joined in this order into one script: code that runs at once may use only what the files before it define."""
_TERMS = 5
_MAP_STEPS = 65_535
"""Places on the map are whole numbers up to this: finer than a pixel at the deepest zoom."""
_STATUSES = {"caption": "c", "error": "e", "vocabulary": "v"}
"""One letter a file; `m` is a video (movie), `n` has nothing."""
_SOURCES = {
    "exif": "e", "xmp": "x", "iptc": "i", "png": "p", "sidecar": "s", "takeout": "t", "name": "n", "folder": "d", "file": "f",
}  # fmt: skip
_CLIMBS = re.compile(r"(^|/)\.\.?(/|$)|^/")
"""A path that a browser would resolve to somewhere else."""
_PATH = re.compile(
    r"""(['"])(?:/|[A-Za-z]:[\\/])[^'"]*\1|(?<![\w:/.~-])(?:/|[A-Za-z]:[\\/])[^\s'"/][^\s'"]*"""
)
"""A path of this computer's disk, in quotes or up to a space."""
_MOST_ALIKE = 12
"""Photos most like one, where all photos are too many for numbers of two bytes."""
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")
"""What could end a script element or a line of it, and the halves of characters that UTF-8 cannot hold."""


def write_page(report: Report, folder: Path) -> None:
    """Write the page; the thumbnails' paths are relative to `folder`."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup

        d3 = Path(str(distribution("mpld3").locate_file("mpld3/js/d3.v5.min.js"))).read_text(encoding="utf-8")
    except (ImportError, PackageNotFoundError, OSError) as error:
        raise PackagesError(
            f"{PAGE} needs packages that are not installed (jinja2 and mpld3: {error}).",
            extra="report-core",
        ) from None
    style = _template("page.css")
    scripts = [d3, "\n".join(map(_template, _PROGRAM))]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html").render(
        policy=_policy(style, scripts),
        headline=headline(report),
        licence=_template("d3_licence.txt"),
        has_towns=any(report.towns),
        style=Markup(style),  # noqa: S704 - ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours
        data=Markup(_json(_data(report))),  # noqa: S704 - escaped there
    )
    with replaced(folder / PAGE) as new:
        new.write_bytes(text.encode("utf-8", "backslashreplace"))


def without_paths(text: str) -> str:
    """Return a text with the last part only of each path: what is before it tells a stranger the owner's folders."""
    return _PATH.sub(lambda match: re.split(r"[/\\]", match[0].strip("'\"").rstrip("/\\"))[-1], text)


def headline(report: Report) -> list[str]:
    """Return the parts of the page's first line: how many photos, and of which years."""
    years = sorted({row.taken_at[:4] for row in report.rows if row.taken_from not in {"", "file"}})
    parts = [counted(len(report.rows) - len(report.videos), "photo")]
    if years:
        parts.append(years[0] if len(years) == 1 else f"{years[0]}\u2013{years[-1]}")
    return parts


def _data(report: Report) -> dict[str, Any]:
    """Return what the page's program reads: a list per column, and places in lists where a text would come up again."""
    rows, odd = report.rows, report.odd
    split = [row.rel_path.rpartition("/") for row in rows]
    folders: dict[str, int] = {}
    for folder, slash, _ in split:
        folders.setdefault(folder + slash, len(folders))
    return {
        "link": report.link,
        "start": report.start,
        "folders": folders,
        "groups": _groups(report),
        "names": _names(report),
        "themes": [{"name": theme.name, "groups": theme.groups} for theme in report.themes],
        "events": [_event(event) for event in report.events],
        "trips": [_trip(trip) for trip in report.trips],
        "towns": [town.line() for town in dict.fromkeys(filter(None, report.towns))],
        "bursts": _bursts(rows),
        "disputed": report.disputed,
        "errors": {
            index: without_paths(report.errors[row.rel_path])
            for index, row in enumerate(rows)
            if row.rel_path in report.errors and row.rel_path not in report.videos
        },
        "alike": _alike(report),
        "tags": _tags(rows),
        "moving": [index for index, row in enumerate(rows) if extension(row.rel_path) in VIDEO_EXTENSIONS],
        "unlinked": [index for index, row in enumerate(rows) if _CLIMBS.search(row.rel_path)],
        "odd": {index: odd[row.rel_path] for index, row in enumerate(rows) if row.rel_path in odd},
        "thumbnails": _paths([picture.thumbnail for picture in report.pictures]),
        "previews": _paths([picture.preview for picture in report.pictures]),
        "photos": {
            "folder": [folders[folder + slash] for folder, slash, _ in split],
            "name": [name for _, _, name in split],
            **_photos(report),
        },
    }


def _groups(report: Report) -> list[dict[str, Any]]:
    theme_of = {group: index for index, theme in enumerate(report.themes) for group in theme.groups}
    return [
        {
            "id": group.id,
            "name": group.name,
            "automatic": group.short or group.heading,
            "hidden": group.hidden,
            "heading": group.heading,
            "terms": group.terms[:_TERMS],
            "theme": theme_of.get(index, -1),
        }
        for index, group in enumerate(report.groups)
    ]


def _names(report: Report) -> dict[str, Any] | None:
    """Return the table in which people name groups; None where it must be left alone."""
    if (names := report.names) is None:
        return None
    return {
        "columns": names.columns,
        "rows": names.rows,
        "rowOf": names.row_of,
        "delimiter": names.delimiter,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "name": event.name,
        "title": event.title,
        "start": event.start and _seconds(event.start),
        "end": event.end and _seconds(event.end),
        "members": event.members,
        "byDay": event.by_day,
    }


def _trip(trip: Trip) -> dict[str, Any]:
    return {
        "id": trip.id,
        "name": trip.name,
        "title": trip.title,
        "start": _seconds(trip.start),
        "end": _seconds(trip.end),
        "events": trip.events,
    }


def _photos(report: Report) -> dict[str, Any]:
    """Return the columns of a photo, but for its path."""
    rows = report.rows
    towns = {town: index for index, town in enumerate(dict.fromkeys(filter(None, report.towns)))}
    place: dict[int | None, int] = {group.id: index for index, group in enumerate(report.groups)}
    return {
        "label": _labels(rows),
        "status": "".join(
            "m" if row.rel_path in report.videos else _STATUSES.get(row.label_source, "n") for row in rows
        ),
        # -1 is in no group, -2 has no picture to look at.
        "group": [-2 if row.cluster_id is None else place.get(row.cluster_id, -1) for row in rows],
        "nearest": [place.get(row.nearest_cluster, -1) for row in rows],
        "distance": [_scaled(row.distance_to_centroid, 1000) for row in rows],
        **_spread(rows),
        "at": [(at := wall_clock(row.taken_at)) and _seconds(at) for row in rows],
        "town": [towns[town] if town else -1 for town in report.towns],
        "source": "".join(_SOURCES.get(row.taken_from, "-") for row in rows),
        "precision": "".join(row.taken_precision[:1] or "s" for row in rows),
        "aspect": [_scaled(p.size[0] / p.size[1], 100) if p.size else None for p in report.pictures],
    }


def _labels(rows: Sequence[Row]) -> list[str | int]:
    """Return the label of each row; of one that was there before, the place of that row."""
    first: dict[str, int] = {"": -1}
    return [
        row.label if first.setdefault(row.label, index) in {index, -1} else first[row.label]
        for index, row in enumerate(rows)
    ]


def _tags(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the words of all tags, and those of each row that has any, as places in them."""
    words: dict[str, int] = {}
    of = {
        index: [words.setdefault(tag.rpartition(" > ")[2], len(words)) for tag in row.tags.split("; ")]
        for index, row in enumerate(rows)
        if row.tags
    }
    return {"words": list(words), "of": of}


def _bursts(rows: Sequence[Row]) -> list[list[int]]:
    """Return the frames of each burst, the one that is shown for all first."""
    bursts: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.burst_of:
            bursts[row.burst_of].append(index)
    return [
        sorted(frames, key=lambda frame: rows[frame].rel_path != shown)
        for shown, frames in bursts.items()
        if len(frames) > 1
    ]


def _alike(report: Report) -> dict[str, Any] | None:
    """Return the places of the photos most like each, as the bytes of whole numbers, in base 64."""
    if report.alike is None:
        return None
    wide = len(report.rows) > 1 << 16
    near = report.alike[:, :_MOST_ALIKE] if wide else report.alike
    numbers = near.astype("<u4" if wide else "<u2").tobytes()
    return {"count": near.shape[1], "wide": wide, "near": b64encode(numbers).decode()}


def _spread(rows: Sequence[Row]) -> dict[str, list[int | None]]:
    """Return the places on the map in whole steps, on the same scale both ways."""
    known = [(row.x, row.y) for row in rows if row.x is not None and row.y is not None]
    if not known:
        return {"x": [None] * len(rows), "y": [None] * len(rows)}
    left, low = (min(side) for side in zip(*known, strict=True))
    right, high = (max(side) for side in zip(*known, strict=True))
    step = _MAP_STEPS / (max(right - left, high - low) or 1.0)
    return {
        "x": [None if row.x is None or row.y is None else round((row.x - left) * step) for row in rows],
        # Down is more, as on the screen.
        "y": [None if row.x is None or row.y is None else round((high - row.y) * step) for row in rows],
    }


def _paths(paths: Sequence[str | None]) -> dict[str, Any]:
    """Return paths as links, with what all begin and end with apart."""
    links = [None if path is None else quote(path) for path in paths]
    before = _beginning([one for one in links if one is not None])
    rest = [None if one is None else one[len(before) :] for one in links]
    after = _beginning([one[::-1] for one in rest if one is not None])[::-1]
    between = [None if one is None else one[: len(one) - len(after)] for one in rest]
    return {"before": before, "after": after, "between": between}


def _beginning(texts: Sequence[str]) -> str:
    """Return what all texts begin with: what the first and the last of them in order do."""
    first, last = min(texts, default=""), max(texts, default="")
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(letter for letter, _ in same)


def _json(data: dict[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _policy(style: str, scripts: Iterable[str]) -> str:
    """Return the content-security policy. `file:` because to some browsers no file is 'self'; `data:` is the icon's."""
    return (
        "default-src 'none'; img-src 'self' file: data:; "
        f"style-src {_hash(style)}; script-src {' '.join(map(_hash, scripts))}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _seconds(moment: datetime) -> int:
    """Return the wall clock as seconds since 1970, wherever it hung."""
    return calendar.timegm(moment.timetuple())


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)
