"""Names that people give in cluster_names.csv: read as programs save it, obeyed by whatever groups there are, never lost."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.walk import Photo
from report.build import Grouping, Library, Report, Vectors, build
from report.files.given_names import COLUMNS, NAMES, names_table, read_names, write_names
from report.files.last_report import write_last
from report.files.markdown import write_markdown
from report.files.thumbnails import Picture
from report.naming.given import Line, resolve
from report.naming.naming import Group

if TYPE_CHECKING:
    from pathlib import Path

    from journal import Entry

THINGS = {0: "A brown dog on grass", 1: "A birthday cake with candles", 2: "A red car on a road"}
EACH = 6


class Reports:
    """Reports made of three groups of six photos, dogs, birthday cakes and cars, one after the other in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photos = [f"{number:02}.png" for number in range(3 * EACH)]
        self.last: Report | None = None

    def make(self) -> str:
        """Make the report; return its notes."""
        records: dict[str, Entry] = {
            name: {"caption": THINGS[int(name[:2]) % 3], "status": "success"} for name in self.photos
        }
        rng = np.random.default_rng(0)
        noise = {name: rng.normal(0, 0.05, 8) for name in [f"{number:02}.png" for number in range(3 * EACH)]}
        rows = np.array([np.eye(8)[int(name[:2]) % 3] + noise[name] for name in self.photos])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        library = Library(None, [Photo(name, name, is_video=False) for name in self.photos], records)
        vectors = Vectors(list(range(len(self.photos))), rows.astype(np.float32), "hand")
        told: list[str] = []
        pictures = [Picture()] * len(self.photos)
        self.last = build(
            library, vectors, pictures, Grouping(None, 42, fast=False), self.folder, told.append
        )
        for write in (write_names, write_last, write_markdown):
            write(self.last, self.folder)
        return "\n".join([*told, *self.last.notes])

    def names(self) -> dict[str, str]:
        """Return the name that each photo's group has."""
        return {row.rel_path: row.group_name for row in self.last.rows} if self.last else {}

    def id_of(self, name: str) -> int | None:
        return {row.rel_path: row.cluster_id for row in self.last.rows}[name] if self.last else None

    def lines(self) -> list[dict[str, str]]:
        with (self.folder / NAMES).open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    def edit(self, name: str, **cells: str) -> None:
        """Write into the line of the group called `name`, as a person does."""
        found = self.lines()
        for line in found:
            if line["name"] == name:
                line.update({column.replace("_", " "): cell for column, cell in cells.items()})
        with (self.folder / NAMES).open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(COLUMNS))
            writer.writeheader()
            writer.writerows(found)


@pytest.fixture
def report(tmp_path: Path) -> Reports:
    reports = Reports(tmp_path)
    reports.make()
    return reports


def test_a_report_leaves_a_line_for_every_group_and_writes_it_again_unchanged(report: Reports) -> None:
    assert [(line["name"], line["your name"], line["hide"]) for line in report.lines()] == [
        ("Dogs", "", ""),
        ("Birthday cake", "", ""),
        ("Cars", "", ""),
    ]
    before = (report.folder / NAMES).read_bytes()
    report.make()
    assert (report.folder / NAMES).read_bytes() == before


def test_a_name_is_taken_and_stays_even_where_all_is_grouped_again(report: Reports) -> None:
    report.edit("Dogs", your_name="Rex")
    report.make()
    assert {report.names()[f"{number:02}.png"] for number in range(0, 18, 3)} == {"Rex"}
    assert report.lines()[0]["name"] == "Dogs"
    (report.folder / "last_report.json").unlink()
    report.photos.remove("00.png")
    report.make()
    assert report.names()["03.png"] == "Rex"
    report.edit("Dogs", your_name="")
    report.make()
    assert report.names()["03.png"] == "Dogs"


def test_two_groups_go_together_and_apart_again(report: Reports) -> None:
    cars = next(line for line in report.lines() if line["name"] == "Cars")
    report.edit("Dogs", merge_with=cars["group"])
    report.make()
    assert report.names()["00.png"] == report.names()["02.png"] == "Cars"
    assert len({report.id_of(name) for name in report.photos}) == 2
    assert str(report.id_of("02.png")) == cars["group"]
    assert "Photos stay" in report.make()
    assert report.names()["00.png"] == "Cars"

    report.edit("Dogs", merge_with="")
    report.make()
    assert (report.names()["00.png"], report.names()["02.png"]) == ("Dogs", "Cars")
    assert str(report.id_of("02.png")) == cars["group"]


def text(report: Reports) -> str:
    return (report.folder / "cluster_report.md").read_text()


def test_a_hidden_group_keeps_its_rows_and_has_no_section(report: Reports) -> None:
    report.edit("Dogs", hide="yes")
    assert "\n## A brown dog on grass\n" in text(report)
    report.make()
    assert "\n## A brown dog on grass\n" not in text(report)
    assert "Hidden by cluster_names.csv: Dogs" in text(report)
    assert report.names()["00.png"] == "Dogs"


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffgroup;name;your name;hide;merge with;photos\r\n0;Dogs;Rex & Übermut;;;00.png | 03.png\r\n".encode(),
        "group\tname\tyour name\thide\tmerge with\tphotos\n0\tDogs\tRex & Übermut\t\t\t\n".encode("utf-16"),
        b"Group,Your Name\r\n0,Rex & \xc3\x9cbermut\r\n",
        b'\r\nphotos,your name\r\n00.png | 03.png,"Rex & \xc3\x9cbermut"\r\n',
    ],
)
def test_a_table_is_read_as_any_program_saves_it_and_written_the_same_way(
    report: Reports, content: bytes
) -> None:
    (report.folder / NAMES).write_bytes(content)
    said = report.make()
    assert "was not used" not in said
    assert report.names()["00.png"] == "Rex & Übermut"
    after = (report.folder / NAMES).read_bytes()
    assert after[:3] == content[:3] or content.startswith(b"\r\n")
    read = read_names(report.folder)
    assert {line.name for line in read.lines.values()} == {"Rex & Übermut", ""}
    assert len(read.rows) == 3, "the two other groups have a line too"


def test_what_cannot_be_read_is_said_and_kept(report: Reports) -> None:
    (report.folder / NAMES).write_text(
        "group,name,your name,hide,merge with,photos,remark\n"
        "zero,,Nobody,,,,a remark\n"
        "0,Dogs,Rex,perhaps,,,\n"
        ",,No group,,,,\n"
        "0,Dogs,Rex,,,,mine,and more\n"
        "99,Boats,The sea,,,,\n"
        "1,,,,Boats,,\n"
        "2,,,,Trucks,,\n"
        "2,,,,,,only a remark\n"
    )
    told = report.make()
    for sentence in (
        'cluster_names.csv: line 2 was not used: "zero" in the column "group" is no number.',
        'cluster_names.csv: line 3 was not used: "perhaps" in the column "hide" is neither yes nor no.',
        "cluster_names.csv: line 4 was not used: it names no group.",
        "cluster_names.csv: line 5 has more cells than the first line; the last ones were not used.",
        'cluster_names.csv: line 6 ("The sea") is about photos that are in no group now; it stays in the file.',
        'cluster_names.csv: line 8 ("2") goes with "Trucks", which no line has as its group or name: give the number of a group.',
    ):
        assert sentence in told
    after = (report.folder / NAMES).read_text()
    for kept in (
        "zero,,Nobody",
        "Rex,perhaps",
        "No group",
        "mine,and more",
        "99,Boats,The sea",
        "Boats",
        "Trucks",
        "only a remark",
    ):
        assert kept in after
    assert report.names()["00.png"] == "Rex"
    again = report.make()
    assert (report.folder / NAMES).read_text() == after
    assert again.count("was not used") == told.count("was not used")


@pytest.mark.parametrize(
    "content",
    [
        "group,name,your name\n0,Dogs,K\xf6ter\n".encode("latin-1"),
        b"group,name\n0,Dogs\n",
        b"",
        b'group,your name\n0,"Rex\n1,Ida\n',
        b"\x00\x01\x02",
    ],
)
def test_a_file_that_is_no_table_of_names_stays_as_it_is(report: Reports, content: bytes) -> None:
    (report.folder / NAMES).write_bytes(content)
    assert "cluster_names.csv was not used and stays as it is, because it" in report.make()
    assert (report.folder / NAMES).read_bytes() == content
    assert report.names()["00.png"] == "Dogs"


def test_a_name_that_a_spreadsheet_could_run_is_only_text(report: Reports) -> None:
    report.edit("Dogs", your_name="'=HYPERLINK(1)")
    report.make()
    assert report.names()["00.png"] == "=HYPERLINK(1)"
    report.make()
    assert report.lines()[0]["your name"] == "'=HYPERLINK(1)"


# --- which groups a line is about


def test_a_line_follows_most_of_its_photos() -> None:
    line = Line(2, 0, "Dogs", "Rex", photos=("a", "b", "c", "gone"))
    assert resolve([line], {"a": 5, "b": 5, "c": 1}, {}).names == {5: "Rex"}
    assert resolve([line], {"a": -1, "b": -1, "c": 1}, {}).names == {1: "Rex"}
    lost = resolve([line], {"a": -1, "b": -1, "c": -1}, {})
    assert lost.names == {}
    assert lost.notes == ['line 2 ("Rex") is about photos that are in no group now; it stays in the file.']


def test_a_line_without_photos_goes_by_the_group_of_the_last_report() -> None:
    line = Line(2, 7, name="Rex")
    assert resolve([line], {"a": 3, "b": 3}, {7: ["a", "b"]}).names == {3: "Rex"}


def test_of_two_names_for_one_group_the_one_with_more_photos_wins() -> None:
    few, many = Line(2, name="Ida", photos=("a",)), Line(3, name="Rex", photos=("b", "c"))
    wishes = resolve([few, many], dict.fromkeys("abc", 0), {})
    assert wishes.names == {0: "Rex"}
    assert wishes.notes == [
        'line 2 ("Ida") and line 3 ("Rex") are about one group now, which is called "Rex".'
    ]


def test_groups_go_together_through_others_and_never_in_circles() -> None:
    clusters = {name: number for number, name in enumerate("abc")}
    first, second, third = (
        Line(number + 2, number, old, merge=into, photos=(photo,))
        for number, (old, into, photo) in enumerate([("A", "B", "a"), ("B", "2", "b"), ("C", "", "c")])
    )
    wishes = resolve([first, second, third], clusters, {})
    assert wishes.into == {0: 2, 1: 2}
    assert wishes.names == {2: "C"}
    circle = Line(4, 2, "C", merge="A", photos=("c",))
    wishes = resolve([first, second, circle], clusters, {})
    assert wishes.into == {0: 2, 1: 2}
    assert wishes.notes == ['line 4 ("C") and "A" go with each other: leave out one of them.']


LINES = st.builds(
    Line,
    st.integers(2, 50),
    st.none() | st.integers(0, 5),
    st.sampled_from(["", "A", "B", "C"]),
    st.sampled_from(["", "A", "X", "Y"]),
    st.booleans(),
    st.sampled_from(["", "0", "1", "2", "A", "B", "X", "nothing"]),
    st.lists(st.sampled_from("abcdef"), max_size=4).map(tuple),
)


@given(
    st.lists(LINES, max_size=6, unique_by=lambda line: line.number),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 3)),
)
def test_whatever_people_write_no_group_goes_in_circles(lines: list[Line], clusters: dict[str, int]) -> None:
    wishes = resolve(lines, clusters, {0: ["a"], 1: ["b", "c"]})
    assert not wishes.into.keys() & set(wishes.into.values())
    assert not wishes.into.keys() & (wishes.names.keys() | wishes.hidden)
    assert set(wishes.into) | set(wishes.into.values()) | set(wishes.names) <= set(clusters.values()) - {-1}


def test_what_a_person_wrote_stays_in_the_table(tmp_path: Path) -> None:
    (tmp_path / NAMES).write_text(
        "group,name,your name,hide,merge with,photos\n7,Cats,,,,old.jpg\n7,Cats,Mia,,,a.jpg\n9,Boats,Sea,,,gone.jpg\n"
    )
    file = read_names(tmp_path)
    table = names_table(
        file, [Group(3, "A cat", "caption", (), (0,), "Kittens")], {3: 3}, {3: ["a.jpg", "b | c.jpg"]}
    )
    assert [list(row) for row in table.rows] == [
        ["3", "Kittens", "Mia", "", "", "a.jpg"],
        ["9", "Boats", "Sea", "", "", "gone.jpg"],
    ]
    assert table.row_of == {3: 0}


def test_the_next_report_reads_groups_apart_that_people_put_together(report: Reports) -> None:
    report.edit("Dogs", merge_with="Cars")
    report.make()
    said = json.loads((report.folder / "last_report.json").read_text())
    assert len({group for group, _, _ in said["photos"].values()}) == 3
