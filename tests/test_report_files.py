"""The files of the report: what is written comes back, whatever captions and names hold, and nothing in them works."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from backends.errors import StopRunError
from report.markdown import escaped, photos_link, write_markdown
from report.naming import UNCLUSTERED, Group, Label, Theme, one_line
from report.table import COLUMNS, Row, guarded, make_rows, plain, read_csv, write_csv, write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        )
        for name in names
    ]


def rounded(row: Row) -> Row:
    def near(value: float | None, digits: int) -> float | None:
        return None if value is None else round(value, digits)

    return row._replace(
        distance_to_centroid=near(row.distance_to_centroid, 6), x=near(row.x, 4), y=near(row.y, 4)
    )


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
    write_csv(path, rows)
    assert list(read_csv(path)) == [rounded(row) for row in rows]
    first = path.read_bytes()
    write_csv(path, list(read_csv(path)))
    assert path.read_bytes() == first
    cells = list(csv.reader(io.StringIO(first.decode(), newline=""), strict=True))
    assert cells[0] == list(COLUMNS)
    assert {len(line) for line in cells} == {len(COLUMNS)}
    for line in cells[1:]:
        for column in (0, 2, 3):
            assert line[column][:1] not in set("=+-@\t\r")
    assert os.listdir(path.parent) == [path.name]


def test_every_file_has_a_row_with_a_place_where_it_has_one(tmp_path: Path) -> None:
    labels = {"a": Label("a dog", "caption"), "b.mov": Label("", "error"), "c": Label("cat", "vocabulary")}
    groups = [Group(7, "a dog", "caption", (), (0,)), Group(9, "cat", "vocabulary", (), ())]
    rows = make_rows(
        labels,
        ["a", "c"],
        np.array([0, -1]),
        groups,
        np.array([0.25, np.nan]),
        np.array([0, 1]),
        np.array([[-1.5, 2.0], [-0.00001, 0.0]]),
    )
    path = tmp_path / "cluster_export.csv"
    write_csv(path, rows)
    assert path.read_text().splitlines() == [
        "rel_path,cluster_id,cluster_label,label,label_source,distance_to_centroid,nearest_cluster,x,y",
        "a,7,a dog,a dog,caption,0.250000,7,-1.5000,2.0000",
        "b.mov,,,,error,,,,",
        f"c,-1,{UNCLUSTERED},cat,vocabulary,,9,0.0000,0.0000",
    ]


def test_later_columns_and_a_byte_order_mark_do_not_hinder_reading(tmp_path: Path) -> None:
    path = tmp_path / "cluster_export.csv"
    path.write_text("\ufeffmore," + ",".join(COLUMNS) + "\r\n1,a,7,'=x,y,caption,0.5,7,0,0\r\n")
    assert list(read_csv(path)) == [Row("a", 7, "=x", "y", "caption", 0.5, 7, 0, 0)]


def test_a_caption_beyond_all_measure_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cluster_export.csv"
    row = Row("a", 0, "a", "x" * 200_000, "caption", 0.0, 0, 0.0, 0.0)
    write_csv(path, [row])
    assert list(read_csv(path)) == [row]


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "cluster_export.csv"
    path.write_text("old")

    def rows() -> Iterator[Row]:
        yield Row("a", 0, "a", "a", "caption", 0.0, 0, 0.0, 0.0)
        raise OSError(28, "No space left on device")

    with pytest.raises(StopRunError, match=r"No space left on device\): free the disk"):
        write_csv(path, rows())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
    with pytest.raises(StopRunError, match="--out-dir"):
        write_csv(tmp_path / "missing" / "cluster_export.csv", [])


def test_the_parquet_file_has_types_and_the_texts_as_they_are(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - the other tests need none of it

    path = tmp_path / "cluster_export.parquet"
    rows = [Row(f"{i}.jpg", 1, text, text, "caption", 0.5, 1, 0.0, 1.0) for i, text in enumerate(HOSTILE)]
    rows.append(Row("b.mov", None, "", "", "error", None, None, None, None))
    write_parquet(path, rows)
    table: Any = pq.read_table(path)
    assert table.column_names == list(COLUMNS)
    assert [Row(**row) for row in table.to_pylist()] == rows
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["cluster_id"], types["x"], types["label"]) == ("int64", "double", "string")
    write_parquet(path, [])
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


def report(path: Path, rows: list[Row], link: str | None = None) -> str:
    groups = [
        Group(0, "first =x|y", "caption", ("a|b",), ()),
        Group(1, "<b>second</b>", "vocabulary", (), ()),
    ]
    write_markdown(
        path,
        rows,
        groups,
        [Theme("t|heme", (0, 1))],
        summary="3 captioned, 0 errors, 0 vocabulary fallbacks",
        method="UMAP and HDBSCAN",
        notes=["it is | so"],
        link=link,
    )
    return path.read_text()


@settings(deadline=None, database=None)
@given(rows=tables())
def test_no_caption_or_name_breaks_the_page(
    rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("page") / "cluster_report.md"
    tokens = parsed(report(path, rows, "../photos/"))
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
    assert shown_headings[5] == UNCLUSTERED


def placed(name: str, group: int | None, distance: float | None, label: str = "a") -> Row:
    return Row(name, group, "", label, "caption", distance, 0, 0.0, 0.0)


def test_a_group_shows_its_nearest_photos_and_the_three_oddest(tmp_path: Path) -> None:
    rows = [placed(f"{i:02}.jpg", 0, i / 100) for i in range(20)]
    lines = [
        line for line in report(tmp_path / "r.md", rows).splitlines() if "est | " in line and ".jpg" in line
    ]
    assert [line.split("|")[2].strip() for line in lines] == [
        *(f"{i:02}.jpg" for i in range(9)),
        "19.jpg",
        "18.jpg",
        "17.jpg",
    ]
    small = [
        line
        for line in report(tmp_path / "r.md", rows[:4]).splitlines()
        if "est | " in line and ".jpg" in line
    ]
    assert [line.split("|")[1].strip() for line in small] == ["nearest", "nearest", "oddest", "oddest"]


def test_the_unclustered_are_shown_with_their_nearest_group_and_counted(tmp_path: Path) -> None:
    rows = [placed(f"{i:03}.jpg", -1, i / 1000) for i in range(150)] + [placed("in.jpg", 0, 0.0)]
    rows.append(Row("clip.mov", None, "", "", "error", None, None, None, None))
    text = report(tmp_path / "r.md", rows)
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


def test_an_empty_library_has_a_page_too(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    write_markdown(path, [], [], [], summary="0 captioned", method="none")
    assert "- Unclustered: 0 (0.0%)" in path.read_text()
    first = path.read_bytes()
    write_markdown(path, [], [], [], summary="0 captioned", method="none")
    assert path.read_bytes() == first


def test_links_lead_from_the_report_to_the_photos(tmp_path: Path) -> None:
    photos = tmp_path / "my photos (1)"
    photos.mkdir()
    (tmp_path / "out").mkdir()
    link = photos_link(photos, tmp_path / "out")
    assert link == "../my%20photos%20%281%29/"
    assert photos_link(tmp_path, tmp_path) == "./"
    text = report(tmp_path / "out" / "r.md", [placed("a b/[x](y)|é.jpg", 0, 0.1)], link)
    (target,) = {str(token.attrs["href"]) for token in inside(parsed(text)) if token.type == "link_open"}
    assert target == "../my%20photos%20%281%29/a%20b/%5Bx%5D%28y%29%7C%C3%A9.jpg"
