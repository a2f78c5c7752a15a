"""Dates in events and in the files of a report: what has a day joins in, what knows less or nothing stands apart."""

# ruff: noqa: DTZ001 - wall clocks

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from library.moments import Moment
from library.walk import walk
from report.build import Report as Built
from report.events import UNDATED, UNSET, VAGUE, Event, name_events
from report.files.albums import export_albums
from report.files.page import headline
from report.files.table import Row, wall_clock
from report.files.thumbnails import make_pictures
from report.naming.naming import Label
from report.time.bursts import bursts
from report.time.cut import cut
from tests.helpers.dated import iptc, photo, png, put, takeout, xmp
from tests.helpers.reports import Report

DAY = datetime(2019, 7, 12)


def at(hours: float, source: str = "exif") -> Moment:
    return Moment(DAY + timedelta(hours=hours), source)  # type: ignore[arg-type]


def day(number: int, source: str = "name") -> Moment:
    return Moment(DAY + timedelta(days=number), source, precision="day")  # type: ignore[arg-type]


def named(moments: list[Moment]) -> list[Event]:
    paths = [f"{number:04}.jpg" for number in range(len(moments))]
    return name_events(cut(moments), moments, paths, {path: Label("", "none") for path in paths})


# --- events


def test_every_source_makes_events() -> None:
    moments = [
        at(10, "xmp"),
        at(10.1, "takeout"),
        at(10.2, "sidecar"),
        at(10.3, "name"),
        at(160, "iptc"),
        at(160.1, "png"),
        at(160.2, "exif"),
        Moment(DAY, "file"),
    ]
    assert cut(moments).tolist() == [0, 0, 0, 0, 1, 1, 1, -1]


def test_a_photo_of_a_day_joins_the_event_of_that_day() -> None:
    party = [at(18), at(20), at(23), at(25)]
    trip = [at(24 * 5 + 10), at(24 * 5 + 32), at(24 * 5 + 55)]
    assert cut([*party, day(0), day(1)]).tolist() == [0] * 6, "past midnight it is the same party"
    assert cut([*trip, day(6)]).tolist() == [0] * 4
    here, there = (48.14, 11.58), (41.90, 12.50)
    two = [replace(at(hour), place=here if hour < 9 else there) for hour in (8, 8.1, 20, 20.1, 20.2)]
    assert cut(two).tolist() == [0, 0, 1, 1, 1]
    assert cut([*two, day(0)]).tolist() == [0, 0, 1, 1, 1, 1], "the one with most photos"
    # Days without a photo of known time are events, in their place; cutting is none of their business.
    alone = [*party, day(3), day(3), day(4), *trip, day(-1), day(9)]
    assert cut(alone).tolist() == [1] * 4 + [2, 2, 2] + [3] * 3 + [0, 4]
    events = named(alone)
    assert [(event.id, event.title, event.by_day) for event in events] == [
        (1, "11 July 2019", True), (2, "12\u201313 July 2019", False), (3, "15\u201316 July 2019", True),
        (4, "17\u201319 July 2019", False), (5, "21 July 2019", True),
    ]  # fmt: skip
    assert (events[2].start, events[2].end) == (DAY + timedelta(days=3), DAY + timedelta(days=4))
    daily = [day(number) for number in range(60)]
    assert cut(daily).tolist() == list(range(60)), "days like all days"
    (joined,) = named([*party, day(0)])
    assert (joined.start, joined.members[0]) == (DAY + timedelta(hours=18), 4), "the time of the others"


def test_a_month_and_an_unset_clock_stand_apart() -> None:
    moments = [
        Moment(datetime(2019, 7, 1), "folder", precision="month"),
        Moment(datetime(2019, 1, 1), "folder", precision="year"),
        at(10),
        Moment(DAY, "file", unset=datetime(2000, 1, 1, 0, 5)),
        Moment(),
        Moment(DAY, "file", unset=datetime(2000, 1, 1, 0, 1)),
        Moment(datetime(2018, 1, 1), "exif", precision="year"),
    ]
    assert [(event.id, event.title, event.members) for event in named(moments)] == [
        (1, "12 July 2019", (2,)), (-3, VAGUE, (6, 1, 0)), (-2, UNSET, (5, 3)), (-1, UNDATED, (4,)),
    ]  # fmt: skip


def test_photos_of_a_day_are_no_burst() -> None:
    vectors = np.array([[1.0, 0.0]] * 3)
    assert bursts([day(0), day(0), at(0)], np.arange(3), vectors).tolist() == [-1, -1, -1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["second", "day", "month", "year", "", "unset"]),
            st.integers(0, 24 * 60),
            st.none() | st.sampled_from([-8, 0, 2]),
        ),
        max_size=30,
    ),
    st.randoms(),
)
def test_whatever_is_known_nothing_is_lost(photos: list[tuple[str, int, int | None]], random: object) -> None:
    moments = []
    for precision, hours, _ in photos:
        time = DAY + timedelta(hours=hours)
        if precision in {"", "unset"}:
            moments.append(Moment(time, "file", unset=time if precision else None))
        else:
            start = {
                "day": time.replace(hour=0),
                "month": time.replace(day=1, hour=0),
                "year": datetime(2019, 1, 1),
            }
            moments.append(Moment(start.get(precision, time), "name", precision=precision))  # type: ignore[arg-type]
    events = named(moments)
    assert sorted(place for event in events for place in event.members) == list(range(len(moments)))
    assert [event.id for event in events if event.id > 0] == list(
        range(1, sum(event.id > 0 for event in events) + 1)
    )
    starts = [event.start for event in events if event.start]
    assert starts == sorted(starts)
    timed = [moment if moment.precision == "second" else Moment() for moment in moments]
    apart, together = cut(timed), cut(moments)
    for one in range(len(moments)):
        for other in range(one):
            if timed[one].date and timed[other].date:
                assert (apart[one] == apart[other]) == (together[one] == together[other]), (
                    "a day cuts and joins nothing"
                )
    order = list(range(len(moments)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert [together[place] for place in order] == cut([moments[place] for place in order]).tolist()


# --- the files


@pytest.mark.parametrize(
    ("taken_at", "first"),
    [
        ("2019", "2019-01-01"),
        ("2019-07", "2019-07-01"),
        ("2019-07-12", "2019-07-12"),
        ("2019-07-12T14:30:00+02:00", "2019-07-12T14:30:00"),
        ("", None),
    ],
)
def test_the_first_moment_of_a_date(taken_at: str, first: str | None) -> None:
    assert wall_clock(taken_at) == (datetime.fromisoformat(first) if first else None)


def test_years_come_from_every_source() -> None:
    def years(*dates: tuple[str, str]) -> list[str]:
        return headline(
            Built(
                [
                    Row("a", None, "", "", "none", None, None, None, None, time, source)
                    for time, source in dates
                ]
            )
        )[1:]

    assert years(("2019", "folder"), ("2021-07", "name"), ("2024-01-01T00:00:00", "file"), ("", "")) == [
        "2019\u20132021"
    ]
    assert years(("2024-01-01T00:00:00", "file")) == []


def test_albums_of_chunks_become_albums_of_events(tmp_path: Path) -> None:
    row = Row("a.jpg", None, "", "", "none", None, None, None, None, event_id=1)
    albums, target = tmp_path / "albums", str(put(tmp_path / "a.jpg", "x"))
    export_albums(albums, [row], {"a.jpg": target}, [Event(1, "12 July 2019", DAY, DAY, (), (0,))])
    assert (albums / "events/2019-07-12/a.jpg").is_symlink()
    # As the version before left it.
    (albums / "events").rename(albums / "chunks")
    manifest = next(path for path in albums.iterdir() if path.is_file())
    manifest.write_text(manifest.read_text().replace("events", "chunks"))
    done = export_albums(albums, [row], {"a.jpg": target}, [Event(1, "12 July 2019", DAY, DAY, (), (0,))])
    assert (done.made, done.removed) == (1, 1)
    assert sorted(path.name for path in albums.iterdir() if path.is_dir()) == ["events"]


LIBRARY = {
    "exif.jpg": (photo(taken="2019:07:12 14:30:00", shade=1), "2019-07-12T14:30:00", "exif", "second"),
    "year.jpg": (photo(taken="1993:00:00 00:00:00", shade=2), "1993", "exif", "year"),
    "month.jpg": (photo(taken="1993:07:00 00:00:00", shade=3), "1993-07", "exif", "month"),
    "xmp.jpg": (photo(xmp=xmp(exif_DateTimeOriginal="2019-07-12T14:31:00"), shade=4), "2019-07-12T14:31:00", "xmp", "second"),
    "iptc.jpg": (photo(extra=iptc(d55="20190712", d60="143200"), shade=5), "2019-07-12T14:32:00", "iptc", "second"),
    "text.png": (png({"Creation Time": "Fri, 12 Jul 2019 14:33:00"}), "2019-07-12T14:33:00", "png", "second"),
    "beside.jpg": (photo(shade=6), "2019-07-12T14:34:00", "sidecar", "second"),
    "google(1).jpg": (photo(shade=7), "2019-07-12T14:30:00+00:00", "takeout", "second"),
    "IMG_20190712_143600.jpg": (photo(shade=8), "2019-07-12T14:36:00", "name", "second"),
    "IMG-20190712-WA0003.jpg": (photo(shade=9), "2019-07-12", "name", "day"),
    "VID-20190801-WA0003.mp4": (b"\0\0\0\x14ftypmp42", "2019-08-01", "name", "day"),
    "2019-07 Italy/a.jpg": (photo(shade=10), "2019-07", "folder", "month"),
    "2018/a.jpg": (photo(shade=11), "2018", "folder", "year"),
    "2018/05/06/a.jpg": (photo(shade=12), "2018-05-06", "folder", "day"),
    "unset/1.jpg": (photo(taken="2000:01:01 00:00:10", shade=13), "2024-01-02T03:04:05", "file", "second"),
    "unset/2.jpg": (photo(taken="2000:01:01 00:20:00", shade=14), "2024-01-02T03:04:05", "file", "second"),
    "unset/3.jpg": (photo(taken="1970:01:01 00:20:00", shade=15), "2024-01-02T03:04:05", "file", "second"),
    "nothing.jpg": (photo(shade=16), "2024-01-02T03:04:05", "file", "second"),
    "broken.jpg": (photo(taken="2019:07:12 14:37:00", shade=17)[:500], "2019-07-12T14:37:00", "exif", "second"),
}  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    copied = datetime(2024, 1, 2, 3, 4, 5).timestamp()
    for name, (data, *_) in LIBRARY.items():
        os.utime(put(folder / name, data), (copied, copied))
    put(folder / "beside.xmp", xmp(photoshop_DateCreated="2019-07-12T14:34:00"))
    put(folder / "google.jpg.supplemental-metadata(1).json", takeout())
    return folder


def page_data(report: Report) -> dict[str, list[dict[str, object]] | dict[str, list[object]]]:
    text = (report.folder / "cluster_report.html").read_text()
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert isinstance(data, dict)
    return data


def test_a_library_with_one_of_each(library: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    report = Report(tmp_path / "out", library)
    report.env["TZ"] = "UTC"
    said = report.make()
    assert "3 events" in said
    assert "In no event, because the camera's clock was not set: 3 photos." in said
    rows = report.rows()
    for name, (_, *expected) in LIBRARY.items():
        assert [rows[name][column] for column in ("taken_at", "taken_from", "taken_precision")] == expected, (
            name
        )
    events = {name: (row["event_id"], row["event_label"]) for name, row in rows.items()}
    assert {events[name] for name in events if "2019-07-12" in rows[name]["taken_at"]} == {
        ("2", "12 July 2019")
    }
    assert events["2018/05/06/a.jpg"] == ("1", "6 May 2018")
    assert events["VID-20190801-WA0003.mp4"] == ("3", "1 August 2019")
    assert {events[name] for name in ("year.jpg", "month.jpg", "2018/a.jpg", "2019-07 Italy/a.jpg")} == {
        ("-3", VAGUE)
    }
    assert {events[f"unset/{number}.jpg"] for number in (1, 2, 3)} == {("-2", UNSET)}
    assert events["nothing.jpg"] == ("-1", UNDATED)
    assert "chunk" not in (report.folder / "cluster_export.csv").read_text()

    text = report.text()
    assert (
        "- In time: 3 events, 2018\u20132019; 4 files with a month or a year only; 3 files of a clock that was not set; 1 file without a date"
        in text
    )
    assert "| 6 May 2018 | 1 | 1 | 2018-05-06 | 2018-05-06 |" in text
    assert "| 12 July 2019 | 2 | 9 | 2019-07-12 14:30 | 2019-07-12 14:37 |" in text

    data = page_data(report)
    assert "chunks" not in data
    photos, names = data["photos"], list(rows)
    assert isinstance(photos, dict)
    letters = {name: photos["source"][place] + photos["precision"][place] for place, name in enumerate(names)}  # type: ignore[operator]
    assert [
        letters[name]
        for name in ("exif.jpg", "year.jpg", "xmp.jpg", "iptc.jpg", "text.png", "beside.jpg", "google(1).jpg")
    ] == ["es", "ey", "xs", "is", "ps", "ss", "ts"]
    assert [letters[name] for name in ("IMG-20190712-WA0003.jpg", "2019-07 Italy/a.jpg", "nothing.jpg")] == [
        "nd",
        "dm",
        "fs",
    ]
    assert [event["id"] for event in data["events"]] == [1, 2, 3, -3, -2, -1]  # type: ignore[index]
    table = parquet.read_table(report.folder / "cluster_export.parquet").to_pylist()
    taken = {row["rel_path"]: row["taken_at"] for row in table}
    assert (taken["year.jpg"], taken["month.jpg"]) == (datetime(1993, 1, 1), datetime(1993, 7, 1))


def test_what_comes_later_is_seen(library: Path, tmp_path: Path) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"

    def moments() -> dict[str, Moment]:
        photos = walk(library).photos
        pictures = make_pictures(photos, out, cache)
        return {photo.rel_path: picture.moment for photo, picture in zip(photos, pictures, strict=True)}

    first = moments()
    assert moments() == first, "the index gives back what was read"
    put(library / "nothing.jpg.xmp", xmp(exif_DateTimeOriginal="2017-01-02T03:04:05"))
    assert str(moments()["nothing.jpg"].date) == "2017-01-02T03:04:05"
    (library / "nothing.jpg.xmp").unlink()
    assert moments() == first
    # An index of the version before knew of EXIF to the second alone.
    index = cache / "pictures.index"
    lines = []
    for line in index.read_text().splitlines()[1:]:
        *key, (at, source, place, *_), size, thumbnail, preview, reason, _ = json.loads(
            line.partition(" ")[2]
        )
        text = json.dumps([*key, at if source == "exif" else None, place, size, thumbnail, preview, reason])
        lines.append(f"{crc32(text.encode()):08x} {text}\n")
    index.write_text("cluster_report pictures 1\n" + "".join(lines))
    assert moments() == first
    shutil.rmtree(library / "unset")
    assert not any(moment.unset for moment in moments().values())
