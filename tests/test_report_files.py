"""The files of the report: what is written comes back, whatever captions and names hold, and nothing in them works."""

from __future__ import annotations

import csv
import io
import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from errors import StopRunError
from library.moments import Moment
from report.build import Report, photos_link
from report.events import UNDATED, Event, Timeline
from report.files.markdown import MARKDOWN, escaped, write_markdown
from report.files.table import COLUMNS, Row, guarded, make_rows, write_csv, write_parquet
from report.groups.clustering import Clusters
from report.naming.naming import UNCLUSTERED, Group, Label, Theme, one_line
from report.time.trips import Trip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "'=1+1",
    "''@x",
    "\uff1d1\uff0b1",
    "a|b||c",
    "\\|",
    "a\\",
    "two\r\nlines\n\n# Heading",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "&lt;b&gt; &#124; &amp;",
    "`code` ``more`` ```",
    "**bold** _em_ ~~gone~~ $x^2$",
    "![](http://evil.example/pixel.png)",
    "[click](javascript:alert(1)) [a]: http://evil.example",
    "http://evil.example www.evil.example <http://evil.example>",
    "\u202egpj.exe\u2066",
    "- item\n1. item\n> quote\n---",
    "| --- | --- |",
    "null\x00byte",
    "🎂 一只狗",
    "a #",
]
TEXT = (
    st.sampled_from(HOSTILE)
    | st.text(max_size=30)
    | st.text("|\\`*_[]<>()!#&=+-@'\"\n\r\t ,;:/.w", max_size=20)
)
LINE = TEXT.map(one_line)
NAME = TEXT.map(lambda text: text.replace("\x00", "").encode("utf-8", "backslashreplace").decode())
NUMBER = st.none() | st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    names = draw(st.lists(NAME, max_size=8, unique=True))
    return [
        Row(
            name,
            draw(st.sampled_from([None, -1, 0, 1])),
            draw(LINE),
            draw(LINE),
            draw(st.sampled_from(["caption", "error", "vocabulary", "none"])),
            draw(NUMBER),
            draw(st.none() | st.integers(0, 3)),
            draw(NUMBER),
            draw(NUMBER),
            draw(st.sampled_from(["", "2019-07-12T09:10:00", "2019-07-12T09:10:00-04:30"])),
            draw(st.sampled_from(["", "exif", "file"])),
            draw(st.sampled_from([None, -1, 1, 2])),
            draw(LINE),
            draw(NAME),
        )
        for name in names
    ]


def plain(cell: str) -> str:
    """Take the apostrophe off, as a program does that reads the CSV."""
    return cell[1:] if re.match("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell) else cell


def spelled(row: Row) -> list[str]:
    """Return the row's cells as a program reads them."""

    def number(value: float | None, digits: int) -> str:
        return "" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"

    cells = row._replace(
        distance_to_centroid=number(row.distance_to_centroid, 6),  # type: ignore[arg-type]
        x=number(row.x, 4),  # type: ignore[arg-type]
        y=number(row.y, 4),  # type: ignore[arg-type]
    )
    return ["" if cell is None else str(cell) for cell in cells]


def clusters(
    labels: list[int], distances: list[float], nearest: list[int], xy: list[list[float]]
) -> Clusters:
    """Return what the table reads of clusters."""
    nothing = np.zeros((0, 0), np.float32)
    ways, places = np.array(distances), np.array(xy)
    return Clusters(np.array(labels), nothing, ways, np.array(nearest), places, np.zeros(0, np.int64), "", [])


# --- the table


@settings(deadline=None, database=None)
@given(TEXT)
def test_a_guarded_text_is_no_formula_and_comes_back(text: str) -> None:
    cell = guarded(text)
    assert plain(cell) == text
    assert cell[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert cell in {text, "'" + text}


@settings(deadline=None, database=None)
@given(rows=tables())
def test_the_csv_gives_back_what_was_written_and_is_the_same_again(
    rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "cluster_export.csv"
    write_csv(Report(rows), path.parent)
    first = path.read_bytes()
    write_csv(Report(rows), path.parent)
    assert path.read_bytes() == first
    cells = list(csv.reader(io.StringIO(first.decode("utf-8-sig"), newline=""), strict=True))
    assert cells[0] == list(COLUMNS)
    assert [[plain(cell) for cell in line] for line in cells[1:]] == [spelled(row) for row in rows]
    for line in cells[1:]:
        for column in (0, 2, 3, 12, 13):
            assert line[column][:1] not in set("=+-@\t\r")
    assert os.listdir(path.parent) == [path.name]


def test_every_file_has_a_row_with_a_place_where_it_has_one(tmp_path: Path) -> None:
    labels = {"a": Label("a dog", "caption"), "b.mov": Label("", "error"), "c": Label("cat", "vocabulary")}
    groups = [Group(7, "a dog", "caption", (), (0,), "Dogs"), Group(9, "cat", "vocabulary", (), ())]
    rows = make_rows(
        labels,
        ["a", "c"],
        clusters([0, -1], [0.25, np.nan], [0, 1], [[-1.5, 2.0], [-0.00001, 0.0]]),
        groups,
    )
    path = tmp_path / "cluster_export.csv"
    write_csv(Report(rows), path.parent)
    lines = path.read_text("utf-8-sig").splitlines()
    assert lines[0] == (
        "rel_path,cluster_id,cluster_label,label,label_source,distance_to_centroid,nearest_cluster,x,y,"
        "taken_at,taken_from,event_id,event_label,burst_of,taken_precision,"
        "event_name,group_name,trip_id,trip_label,tags,place"
    )
    assert lines[1:] == [
        "a,7,a dog,a dog,caption,0.250000,7,-1.5000,2.0000,,,,,,,,Dogs,,,,",
        "b.mov,,,,error,,,,,,,,,,,,,,,,",
        f"c,-1,{UNCLUSTERED},cat,vocabulary,,9,0.0000,0.0000,,,,,,,,,,,,",
    ]


def test_every_file_has_its_time_its_event_and_its_burst() -> None:
    labels = {name: Label("", "none") for name in ("a", "b", "c.mov", "d")}
    noon = datetime(2019, 7, 12, 12, 0, 0, 500_000)  # noqa: DTZ001 - a wall clock
    moments = [
        Moment(noon.replace(tzinfo=timezone(timedelta(hours=2))), "exif"),
        Moment(noon, "exif"),
        Moment(noon, "file"),
        Moment(),
    ]
    events = [
        Event(1, "12 July 2019", noon, noon, (), (1, 0), name="Beach"),
        Event(-1, UNDATED, None, None, (), (2, 3)),
    ]
    trip = Trip(1, "Rome", "Rome, 12 July 2019", noon, noon, (1,))
    rows = make_rows(
        labels,
        ["b"],
        clusters([-1], [np.nan], [-1], [[0, 0]]),
        [],
        Timeline(moments, events, [1, 1, -1, -1], [trip]),
    )
    its = (1, "Rome, 12 July 2019")
    assert [row[9:-2] for row in rows] == [
        ("2019-07-12T12:00:00+02:00", "exif", 1, "12 July 2019", "b", "second", "Beach", "", *its),
        ("2019-07-12T12:00:00", "exif", 1, "12 July 2019", "b", "second", "Beach", "", *its),
        ("2019-07-12T12:00:00", "file", -1, UNDATED, "", "second", "", "", None, ""),
        ("", "", -1, UNDATED, "", "", "", "", None, ""),
    ]


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "cluster_export.csv"
    path.write_text("old")

    class Rows(list[Row]):
        def __iter__(self) -> Iterator[Row]:
            yield Row("a", 0, "a", "a", "caption", 0.0, 0, 0.0, 0.0)
            raise OSError(28, "No space left on device")

    with pytest.raises(StopRunError, match=r"No space left on device\): free the disk"):
        write_csv(Report(Rows()), tmp_path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(StopRunError, match="--out-dir"):
        write_csv(Report([]), tmp_path / "missing")


def test_the_parquet_file_has_types_and_the_texts_as_they_are(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - the other tests need none of it

    path = tmp_path / "cluster_export.parquet"
    rows = [Row(f"{i}.jpg", 1, text, text, "caption", 0.5, 1, 0.0, 1.0) for i, text in enumerate(HOSTILE)]
    rows.append(Row("b.mov", None, "", "", "error", None, None, None, None))
    rows.append(rows[0]._replace(taken_at="2019-07-12T09:10:11+02:00", event_id=3, event_label="=x"))
    write_parquet(Report(rows), tmp_path)
    table: Any = pq.read_table(path)
    assert table.column_names == list(COLUMNS)
    times = [None] * (len(rows) - 1) + [datetime(2019, 7, 12, 9, 10, 11)]  # noqa: DTZ001 - a wall clock
    assert [Row(**row) for row in table.to_pylist()] == [
        row._replace(taken_at=time)  # type: ignore[arg-type]
        for row, time in zip(rows, times, strict=True)
    ]
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["cluster_id"], types["x"], types["label"]) == ("int64", "double", "string")
    assert (types["event_id"], types["taken_at"]) == ("int64", "timestamp[ms]")
    write_parquet(Report([]), tmp_path)
    assert pq.read_table(path).num_rows == 0


# --- the page


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def inside(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from inside(token.children or [])


def shown(tokens: list[Token]) -> str:
    return "".join(
        token.content for token in inside(tokens) if token.type in {"text", "text_special", "code_inline"}
    )


@settings(max_examples=300, deadline=None, database=None)
@given(TEXT)
def test_an_escaped_text_is_one_cell_and_reads_as_it_was(text: str) -> None:
    tokens = parsed(f"| a | b |\n| --- | --- |\n| {escaped(text)} | end |\n\n## {escaped(text) or 'x'}\n")
    kinds = [token.type for token in inside(tokens)]
    assert kinds.count("td_open") == 2
    assert kinds.count("heading_open") == 1
    assert not {
        kind for kind in kinds if kind.startswith(("html", "link", "image", "strong", "em_", "s_", "code"))
    }
    cells = [tokens[i + 1] for i, token in enumerate(tokens) if token.type in {"td_open", "heading_open"}]
    assert [shown([cell]) for cell in cells] == [one_line(text), "end", one_line(text) or "x"]


def report(folder: Path, rows: list[Row], link: str | None = None, events: Sequence[Event] = ()) -> str:
    groups = [
        Group(0, "first =x|y", "caption", ("a|b",), ()),
        Group(1, "<b>second</b>", "vocabulary", (), ()),
    ]
    write_markdown(
        Report(
            rows,
            groups,
            [Theme("t|heme", (0, 1))],
            events,
            summary="3 captioned, 0 errors, 0 vocabulary fallbacks",
            method="UMAP and HDBSCAN",
            notes=["it is | so"],
            link=link,
        ),
        folder,
    )
    return (folder / MARKDOWN).read_text()


@settings(deadline=None, database=None)
@given(rows=tables())
def test_no_caption_or_name_breaks_the_page(
    rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("page")
    noon = datetime(2019, 7, 12, 12)  # noqa: DTZ001 - a wall clock
    events = [Event(1, "12 July \u00b7 a|b", noon, noon, (), ()), Event(2, "<b>", noon, noon, (), ())]
    tokens = parsed(report(folder, rows, "../photos/", events))
    kinds = {token.type for token in inside(tokens)}
    assert not {
        kind for kind in kinds if kind.startswith(("html", "image", "fence", "blockquote", "code_block"))
    }
    targets = [str(token.attrs["href"]) for token in inside(tokens) if token.type == "link_open"]
    assert all(target.startswith("../photos/") for target in targets)
    width = 0
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            row = tokens[
                index + 1 : next(i for i in range(index, len(tokens)) if tokens[i].type == "tr_close")
            ]
            cells = sum(cell.type in {"td_open", "th_open"} for cell in row)
            width = cells if any(cell.type == "th_open" for cell in row) else width
            assert cells == width
    shown_headings = [
        shown([tokens[i + 1]]) for i, token in enumerate(tokens) if token.type == "heading_open"
    ]
    expected = ["Cluster report", "Themes", "Groups by size"]
    assert shown_headings[:3] == expected
    assert set(shown_headings[3:5]) == {"first =x|y", "<b>second</b>"}
    assert shown_headings[5:8] == [UNCLUSTERED, "Events", "Events by theme"]


def placed(name: str, group: int | None, distance: float | None, label: str = "a") -> Row:
    return Row(name, group, "", label, "caption", distance, 0, 0.0, 0.0)


def test_a_group_shows_its_nearest_photos_and_the_three_oddest(tmp_path: Path) -> None:
    rows = [placed(f"{i:02}.jpg", 0, i / 100) for i in range(20)]
    lines = [line for line in report(tmp_path, rows).splitlines() if "est | " in line and ".jpg" in line]
    assert [line.split("|")[2].strip() for line in lines] == [
        *(f"{i:02}.jpg" for i in range(9)),
        "19.jpg",
        "18.jpg",
        "17.jpg",
    ]
    small = [line for line in report(tmp_path, rows[:4]).splitlines() if "est | " in line and ".jpg" in line]
    assert [line.split("|")[1].strip() for line in small] == ["nearest", "nearest", "oddest", "oddest"]


def test_the_unclustered_are_shown_with_their_nearest_group_and_counted(tmp_path: Path) -> None:
    rows = [placed(f"{i:03}.jpg", -1, i / 1000) for i in range(150)] + [placed("in.jpg", 0, 0.0)]
    rows.append(Row("clip.mov", None, "", "", "error", None, None, None, None))
    text = report(tmp_path, rows)
    assert "- Unclustered: 150 (99.3%)" in text
    assert (
        "150 photos in no group, in `cluster_export.csv` with `cluster_id` -1. Here the 100 that come nearest"
        in text
    )
    assert "| 099.jpg | a | first =x&#124;y | 0.099 |" in text
    assert "| 100.jpg |" not in text
    assert "- On no map, because there is no picture to look at (videos, broken files): 1" in text
    assert "| clip.mov | *error* |" in text
    assert "152 files, 151 of them on the map, in 2 groups and 1 theme" in text


def test_events_are_listed_in_the_order_of_time_with_their_groups_and_themes(tmp_path: Path) -> None:
    noon = datetime(2019, 7, 12, 12, 5)  # noqa: DTZ001 - a wall clock
    events = [
        Event(1, "12 July 2019 \u00b7 <b>", noon, noon.replace(hour=14), (), ()),
        Event(2, "1 May 2021", noon.replace(2021), noon.replace(2021), (), ()),
        Event(-1, UNDATED, None, None, (), (6, 7)),
    ]
    groups = [(1, 0), (1, 0), (1, 1), (1, -1), (2, None), (2, 1), (-1, -1), (-1, None)]
    rows = [
        placed(f"{i}.jpg", group, 0.1)._replace(event_id=event) for i, (event, group) in enumerate(groups)
    ]
    text = report(tmp_path, rows, events=events)
    assert "- In time: 2 events, 2019\u20132021; 2 files without a date\n" in text
    most = "first =x&#124;y (2); &lt;b&gt;second&lt;/b&gt; (1)"
    lines = text[text.index("## Events") : text.index("## Without a picture")].splitlines()
    assert [line for line in lines if line.startswith("|") and "---" not in line] == [
        "| Event | Id | Photos | From | To | Most of them in |",
        f"| 12 July 2019 \u00b7 &lt;b&gt; | 1 | 4 | 2019-07-12 12:05 | 2019-07-12 14:05 | {most} |",
        "| 1 May 2021 | 2 | 2 | 2021-07-12 12:05 | 2021-07-12 12:05 | &lt;b&gt;second&lt;/b&gt; (1) |",
        "| Without a date | -1 | 2 |  |  |  |",
        "| Event | t&#124;heme | Unclustered | Without a picture |",
        "| 12 July 2019 \u00b7 &lt;b&gt; | 3 | 1 |  |",
        "| 1 May 2021 | 1 |  | 1 |",
        "| Without a date |  | 1 | 1 |",
    ]


def test_of_many_events_the_largest_are_shown_and_it_says_so(tmp_path: Path) -> None:
    noon = datetime(2019, 7, 12)  # noqa: DTZ001 - a wall clock
    events = [Event(i, f"event {i}", noon, noon, (), ()) for i in range(1, 1102)]
    events.append(Event(-1, UNDATED, None, None, (), ()))
    rows = [placed(f"{i}.jpg", 0, 0.1)._replace(event_id=i) for i in range(1, 1102) if i != 500]
    text = report(tmp_path, [*rows, rows[-1]._replace(rel_path="b.jpg")], events=events)
    assert "Here the 1,000 largest of 1,101; all are in `cluster_export.csv`, by `event_id`." in text
    assert "Here the 100 largest of 1,101;" in text
    assert text.count("\n| event ") == 1100
    assert "| event 500 |" not in text
    assert text.count("| event 1101 |") == text.count(f"| {UNDATED} |") == 2


def test_one_frame_is_shown_for_all_of_a_burst(tmp_path: Path) -> None:
    rows = [
        placed(f"{i}.jpg", 0, i / 10)._replace(burst_of=burst)
        for i, burst in enumerate(["2.jpg", "2.jpg", "2.jpg", "", "gone.jpg", "gone.jpg"])
    ]
    rows += [placed(f"{i}.jpg", -1, i / 10)._replace(burst_of="8.jpg") for i in (7, 8)]
    text = report(tmp_path, rows, "p/")
    shown_rows = [line.split(" | ")[:2] for line in text.splitlines() if ".jpg](" in line]
    assert shown_rows == [
        ["| nearest", "[2.jpg](p/2.jpg) (\u00d73)"],
        ["| nearest", "[3.jpg](p/3.jpg)"],
        ["| oddest", "[4.jpg](p/4.jpg) (\u00d72)"],
        ["| [8.jpg](p/8.jpg) (\u00d72)", "a"],
    ]
    assert "6 photos, group 0." in text
    assert "2 photos in no group, in `cluster_export.csv` with `cluster_id` -1.\n" in text


def test_an_empty_library_has_a_page_too(tmp_path: Path) -> None:
    path = tmp_path / MARKDOWN
    empty = Report([], summary="0 captioned", method="none")
    write_markdown(empty, tmp_path)
    assert "- Unclustered: 0 (0.0%)" in path.read_text()
    first = path.read_bytes()
    write_markdown(empty, tmp_path)
    assert path.read_bytes() == first


def test_links_lead_from_the_report_to_the_photos(tmp_path: Path) -> None:
    photos = tmp_path / "my photos (1)"
    photos.mkdir()
    (tmp_path / "out").mkdir()
    link = photos_link(photos, tmp_path / "out")
    assert link == "../my%20photos%20%281%29/"
    assert photos_link(tmp_path, tmp_path) == "./"
    text = report(tmp_path / "out", [placed("a b/[x](y)|é.jpg", 0, 0.1)], link)
    (target,) = {str(token.attrs["href"]) for token in inside(parsed(text)) if token.type == "link_open"}
    assert target == "../my%20photos%20%281%29/a%20b/%5Bx%5D%28y%29%7C%C3%A9.jpg"
