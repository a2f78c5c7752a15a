"""How numbers and names of groups stay from one report to the next, and what a report leaves for the next one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from report.build import Report
from report.files.last_report import LAST, read_previous, write_last
from report.files.table import CSV, PARQUET, Row, make_rows, write_csv, write_parquet
from report.groups.clustering import Clusters
from report.naming.inheritance import Heirs, Previous, inherit
from report.naming.naming import (
    Group,
    Label,
    name_groups,
    one_line,
)
from report.naming.vocabulary import VOCABULARY
from tests.helpers.labels import CAPTION, captioned

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT = st.lists(
    st.tuples(st.integers(0, 30), st.integers(-1, 5)), max_size=31, unique_by=lambda pair: pair[0]
)


def labelled(numbers: Sequence[int]) -> dict[str, Label]:
    return {f"{number}.jpg": Label(f"photo {number}", "caption") for number in numbers}


def previous(
    paths: Sequence[str], ids: Sequence[int], headings: dict[int, str], captioned: bool = True
) -> Previous:
    groups = {path: group for path, group in zip(paths, ids, strict=True) if group >= 0}
    return Previous(groups, headings, frozenset(paths if captioned else ()))


@settings(deadline=None, database=None)
@given(REPORT, REPORT)
def test_no_id_is_given_twice_and_new_ones_are_above_the_old(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    old = previous([f"{n}.jpg" for n, _ in before], [c for _, c in before], {c: str(c) for _, c in before})
    labels = labelled([n for n, _ in after])
    heirs = inherit(old, list(labels), [c for _, c in after], labels)
    assert set(heirs.ids) == {c for _, c in after if c >= 0}
    assert len(set(heirs.ids.values())) == len(heirs.ids)
    highest = max(old.groups.values(), default=-1)
    assert all(number in old.groups.values() or number > highest for number in heirs.ids.values())


@settings(deadline=None, database=None)
@given(REPORT, st.permutations(range(6)))
def test_the_same_groups_in_another_order_keep_id_and_heading(
    photos: list[tuple[int, int]], order: list[int]
) -> None:
    labels = labelled([n for n, _ in photos])
    paths, ids = list(labels), [c for _, c in photos]
    headings = {
        c: labels[next(p for p, i in zip(paths, ids, strict=True) if i == c)].text for c in set(ids) if c >= 0
    }
    clusters = [order[c] if c >= 0 else -1 for c in ids]
    heirs = inherit(previous(paths, ids, headings), paths, clusters, labels)
    assert [heirs.ids[c] if c >= 0 else -1 for c in clusters] == ids
    assert {heirs.ids[c]: heading for c, heading in heirs.headings.items()} == headings


def test_the_largest_part_of_a_split_and_of_a_merger_goes_on() -> None:
    labels = labelled(range(10))
    paths = list(labels)
    one = previous(paths, [4] * 10, {4: "photo 0"})
    split = inherit(one, paths, [0] * 4 + [1] * 6, labels)
    assert split.ids == {1: 4, 0: 5}
    assert split.headings == {}, "photo 0, whose caption it was, is in the other part"
    two = previous(paths, [3] * 4 + [8] * 6, {3: "photo 0", 8: "photo 9"})
    assert inherit(two, paths, [0] * 10, labels) == Heirs({0: 8}, {0: "photo 9"})


def test_a_group_that_only_brushes_an_old_one_is_new() -> None:
    labels = labelled(range(12))
    paths = list(labels)
    old = previous(paths[:6], [2] * 6, {2: "photo 0"})
    heirs = inherit(old, paths, [-1, -1, -1, -1, *([0] * 8)], labels)
    assert heirs.ids == {0: 3}


@pytest.mark.parametrize(
    ("heading", "now", "captioned_then", "stays"),
    [
        ("a dog", {"a": Label("a cat", "caption"), "b": Label("a dog", "caption")}, True, True),
        ("a dog (beach, waves)", {"a": Label("a dog", "caption"), "b": Label("", "error")}, True, True),
        ("a dog (brown)", {"a": Label("a dog (brown)", "caption"), "b": Label("", "error")}, True, True),
        ("a dog", {"a": Label("a cat", "caption"), "b": Label("a fox", "caption")}, True, False),
        ("a dog", {"a": Label("", "none"), "b": Label("", "none")}, True, False),
        ("a mock", {"a": Label("a mock", "caption", True), "b": Label("", "none")}, True, True),
        ("a mock", {"a": Label("a mock", "caption", True), "b": Label("a dog", "caption")}, True, False),
        ("dog", {"a": Label("dog", "vocabulary"), "b": Label("cat", "vocabulary")}, False, True),
        ("dog", {"a": Label("dog", "vocabulary"), "b": Label("a dog runs", "caption")}, False, False),
        ("Group 3", {"a": Label("", "none"), "b": Label("", "none")}, False, True),
        ("Group 3 (2)", {"a": Label("", "none"), "b": Label("a dog", "caption")}, False, False),
        ("x" * 300, {"a": Label("x" * 300, "caption"), "b": Label("", "none")}, True, False),
        ("", {"a": Label("", "none"), "b": Label("", "none")}, True, False),
    ],
)
def test_a_heading_stays_while_something_in_the_group_vouches_for_it(
    heading: str, now: dict[str, Label], captioned_then: bool, stays: bool
) -> None:
    old = previous(list(now), [3, 3], {3: heading}, captioned_then)
    assert (inherit(old, list(now), [0, 0], now).headings == {0: heading}) is stays


LABEL = st.one_of(
    CAPTION.map(lambda text: Label(one_line(text), "caption")),
    CAPTION.map(lambda text: Label(one_line(text), "caption", True)),
    st.sampled_from(["dog", "cat"]).map(lambda subject: Label(subject, "vocabulary")),
    st.sampled_from([Label("", "error"), Label("", "none")]),
)


def found(clusters: np.ndarray[Any, Any], ways: np.ndarray[Any, Any]) -> Clusters:
    """Return groups as the clustering does, all in one place."""
    nowhere = np.zeros((len(clusters), 2), np.float32)
    return Clusters(clusters, nowhere, ways, clusters, nowhere, np.zeros(0, np.int64), "", [])


def written(
    folder: Path, labels: dict[str, Label], names: list[str], clusters: Clusters, groups: list[Group]
) -> tuple[list[Row], tuple[bytes, bytes]]:
    """Write the table and what the next report reads; return the rows and both files."""
    rows = make_rows(labels, names, clusters, groups)
    write_csv(Report(rows), folder)
    write_last(Report(rows, groups, grouped_by="by hand"), folder)
    return rows, ((folder / CSV).read_bytes(), (folder / LAST).read_bytes())


@settings(max_examples=100, deadline=None, database=None)
@given(
    library=st.lists(st.tuples(LABEL, st.integers(-1, 4)), max_size=20),
    has_model=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_made_again_from_the_same_input_the_report_is_the_same(
    library: list[tuple[Label, int]], has_model: bool, random: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("again")
    labels = {f"{row:02}.jpg": label for row, (label, _) in enumerate(library)}
    numbers = sorted({cluster for _, cluster in library if cluster >= 0})
    clusters = np.array([numbers.index(c) if c >= 0 else -1 for _, c in library], int)
    ways = np.array([random.random() for _ in library])
    files = []
    for _ in range(3):
        old, note = read_previous(folder)
        assert note is None
        heirs = inherit(old, list(labels), clusters, labels)
        groups = name_groups(
            list(labels),
            clusters,
            ways,
            labels,
            match=(lambda paths: [VOCABULARY[int(path[:2]) % 3] for path in paths]) if has_model else None,
            heirs=heirs,
        )
        files.append(written(folder, labels, list(labels), found(clusters, ways), groups)[1])
    assert files[0] == files[1] == files[2]


def test_after_100_new_photos_nearly_all_others_keep_their_group_and_its_name(tmp_path: Path) -> None:
    """Made again with 100 more photos and 3 in 100 of the others elsewhere: what UMAP and HDBSCAN do to a large library."""
    random = np.random.default_rng(0)
    total, kinds = 3000, 40
    kind = random.integers(0, kinds, total)
    texts = [f"a {'red' if row % 3 else 'blue'} thing{kind[row]} somewhere" for row in range(total)]
    labels = captioned(texts)
    paths = list(labels)

    def report(known: list[int], clusters: np.ndarray[Any, Any]) -> dict[str, tuple[int, str]]:
        names = [paths[row] for row in known]
        now = {name: labels[name] for name in names}
        old, note = read_previous(tmp_path)
        assert note is None
        heirs = inherit(old, names, clusters, now)
        ways = random.random(len(names))
        groups = name_groups(names, clusters, ways, now, heirs=heirs)
        rows, _ = written(tmp_path, now, names, found(clusters, ways), groups)
        return {row.rel_path: (row.cluster_id or 0, row.cluster_label) for row in rows}

    first = sorted(random.permutation(total)[:-100].tolist())
    before = report(first, kind[first] - (kind[first] == kinds - 1) * kinds)
    moved = random.permutation(kinds)[kind]
    stray = random.random(total) < 0.03
    moved[stray] = random.integers(0, kinds, int(stray.sum()))
    after = report(list(range(total)), moved)
    grouped = [name for name, (group, _) in before.items() if group >= 0]
    assert np.mean([after[name] == before[name] for name in grouped]) >= 0.95
    again = report(list(range(total)), moved)
    assert again == after


def test_what_one_report_leaves_the_next_one_reads(tmp_path: Path) -> None:
    rows = [
        Row("a.jpg", 7, "a \u201cdog\u201d", "a", "caption", 0.12345678, 7, 0.0, 0.0),
        Row("b half \udcff.jpg", -1, "Unclustered", "", "none", None, None, 0.0, 0.0),
        Row("c.mov", None, "", "", "error", None, None, None, None),
    ]
    groups = [Group(7, "a \u201cdog\u201d", "caption", (), (0,))]
    write_last(Report(rows, groups, grouped_by="Grouped by hand"), tmp_path)
    old, note = read_previous(tmp_path)
    assert note is None
    assert (old.groups, old.headings) == ({"a.jpg": 7}, {7: "a \u201cdog\u201d"})
    assert (old.captioned, old.grouped_by) == (frozenset({"a.jpg"}), "Grouped by hand")
    assert old.of(["new.jpg", "b half \\udcff.jpg", "a.jpg"]).groups.tolist() == [-2, -1, 7]
    away = old.of(["b half \\udcff.jpg", "a.jpg"]).distances
    assert np.isnan(away[0])
    assert away[1] == np.float32(0.123457)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b"[]",
        b'{"version": 1, "grouped_by": "x", "headings": {}}',
        b'{"version": 2, "grouped_by": "x", "headings": {}, "photos": {}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": [1, 0.5]}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": ["one", 0.5, true]}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": [-7, 0.5, true]}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": [99999999999999999999, 0.5, true]}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": [2, 0.5, true]}}',
        b'{"version": 1, "grouped_by": "x", "headings": {"1": "a"}, "photos": {"a.jpg": [1, 0.5, true]}',
    ],
)
def test_a_damaged_or_foreign_file_is_ignored_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LAST).write_bytes(content)
    old, note = read_previous(tmp_path)
    assert old == Previous()
    assert note is not None
    assert "\n" not in note
    assert note.endswith("All groups get new numbers and names.")


def older(folder: Path, **columns: list[object]) -> None:
    """Write what a report of 0.1 left of two photos, with these columns in place of its own."""
    table = {
        "rel_path": ["a.jpg", "b.jpg"],
        "cluster_id": [7, -1],
        "cluster_label": ["=x", "Unclustered"],
        "label": ["a", ""],
        "label_source": ["caption", "none"],
        "distance_to_centroid": [0.1234567, None],
        "nearest_cluster": [7, None],
        "x": [0.0, 0.0],
        "y": [0.0, 0.0],
        "chunk_id": [1, None],  # what 0.1 called events
        "chunk_label": ["May 2019", ""],
    }
    parquet.write_table(
        pa.table(table | columns, metadata={"grouped_by": "Grouped by hand"}), folder / PARQUET
    )


def test_an_older_report_is_read_where_there_is_no_later_one(tmp_path: Path) -> None:
    older(tmp_path)
    old, note = read_previous(tmp_path)
    assert note is None
    assert (old.groups, old.headings, old.captioned) == ({"a.jpg": 7}, {7: "=x"}, frozenset({"a.jpg"}))
    assert old.distances["a.jpg"] == 0.123457
    assert np.isnan(old.distances["b.jpg"])
    assert old.grouped_by == "Grouped by hand"
    write_last(Report([]), tmp_path)
    assert read_previous(tmp_path) == (Previous(), None)


def test_a_later_report_without_its_file_for_the_next_is_no_older_one(tmp_path: Path) -> None:
    """Who deletes last_report.json gets new groups."""
    write_parquet(Report([Row("a.jpg", 7, "x", "a", "caption", 0.1, 7, 0.0, 0.0)]), tmp_path)
    assert read_previous(tmp_path) == (Previous(), None)


@pytest.mark.parametrize(
    "columns", [{"cluster_id": [-7, 1]}, {"cluster_id": ["one", "two"]}, {"cluster_label": [None, ""]}]
)
def test_a_damaged_older_export_is_ignored_with_a_sentence(
    tmp_path: Path, columns: dict[str, list[object]]
) -> None:
    older(tmp_path, **columns)
    notes = [read_previous(tmp_path)]
    for content in (b"", b"rel_path,cluster_id", (tmp_path / PARQUET).read_bytes()[:-9]):
        (tmp_path / PARQUET).write_bytes(content)
        notes.append(read_previous(tmp_path))
    for old, note in notes:
        assert old == Previous()
        assert note is not None
        assert "\n" not in note
        assert note.endswith("All groups get new numbers and names.")


def test_no_earlier_report_is_no_trouble(tmp_path: Path) -> None:
    assert read_previous(tmp_path) == (Previous(), None)
    (tmp_path / LAST).mkdir()
    assert read_previous(tmp_path)[0] == Previous()
    assert inherit(Previous(), ["a", "b"], [1, 0], labelled([])) == Heirs({0: 0, 1: 1}, {})
