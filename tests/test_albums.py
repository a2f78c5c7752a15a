"""Albums: real links in real folders, whatever headings say, run again and again, killed, beside what others put there."""

from __future__ import annotations

import errno
import json
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import StopRunError
from report.events import UNDATED, Event
from report.files.albums import MANIFEST, export_albums, safe_name
from report.files.table import Row
from report.naming.naming import UNCLUSTERED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAY = datetime(2019, 7, 12, 9, 10)  # noqa: DTZ001 - a wall clock
EVENTS = [
    Event(1, "12 July 2019 \u00b7 beach, tent", DAY, DAY, ("beach", "tent", "sea", "dog"), ()),
    Event(2, "12 July 2019, 19:10", DAY, DAY, (), ()),
    Event(-1, UNDATED, None, None, (), ()),
]


def row(name: str, group: int | None = 0, heading: str = "a dog", event: int | None = 1) -> Row:
    label = UNCLUSTERED if group == -1 else heading
    return Row(name, group, label, "", "caption", 0.1, 0, 0.0, 0.0, "", "exif", event, "x", "")


def tree(folder: Path) -> dict[str, str]:
    """Every link in the folder and where it leads, every file and what it holds."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            if path.name != MANIFEST:
                found[str(path.relative_to(folder))] = (
                    str(path.readlink()) if path.is_symlink() else path.read_text()
                )
    return found


def folders(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir())


@pytest.fixture
def library(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    for name in ("a/1.jpg", "b/1.JPG", "b/2.jpg", "clip.mov"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_text(name)
    return photos


def paths(library: Path, rows: Sequence[Row]) -> dict[str, str]:
    return {row.rel_path: str(library / row.rel_path) for row in rows}


def test_a_group_that_people_hid_gets_no_album(library: Path, tmp_path: Path) -> None:
    rows = [row("a/1.jpg"), row("b/2.jpg", -1)]
    export_albums(tmp_path / "albums", rows, paths(library, rows), EVENTS)
    assert (tmp_path / "albums/clusters/a dog").is_dir()
    done = export_albums(
        tmp_path / "albums", rows, paths(library, rows), EVENTS, hidden={rows[0].cluster_id or 0}
    )
    assert done.removed == 1
    assert "clusters/a dog/1.jpg" not in tree(tmp_path / "albums")
    assert str(library / "a/1.jpg") in tree(tmp_path / "albums").values()  # its event still has the photo


def test_an_album_for_each_cluster_and_each_event(library: Path, tmp_path: Path) -> None:
    rows = [
        row("a/1.jpg"),
        row("b/1.JPG", event=2),
        row("b/2.jpg", -1, event=-1),
        row("clip.mov", None, event=None),
    ]
    done = export_albums(tmp_path / "albums", rows, paths(library, rows), EVENTS)
    links = tree(tmp_path / "albums")
    assert links == {
        "clusters/a dog/1.jpg": str(library / "a/1.jpg"),
        "clusters/a dog/1 (2).JPG": str(library / "b/1.JPG"),
        "clusters/Unclustered/2.jpg": str(library / "b/2.jpg"),
        "events/2019-07-12 beach, tent, sea/1.jpg": str(library / "a/1.jpg"),
        "events/2019-07-12/1.JPG": str(library / "b/1.JPG"),
        "events/Without a date/2.jpg": str(library / "b/2.jpg"),
    }
    assert (tmp_path / "albums/clusters/a dog/1 (2).JPG").read_text() == "b/1.JPG"
    assert done.line() == "5 albums with 6 links (6 made, 0 removed)."
    assert export_albums(tmp_path / "albums", rows, paths(library, rows), EVENTS).made == 0
    assert tree(tmp_path / "albums") == links


def test_what_is_gone_from_the_report_is_removed_and_nothing_else(library: Path, tmp_path: Path) -> None:
    albums = tmp_path / "albums"
    rows = [
        row("a/1.jpg"),
        row("b/1.JPG", 1, "a cat", 2),
        row("b/2.jpg", 1, "a cat", -1),
        row("clip.mov", 2, "x", -1),
    ]
    export_albums(albums, rows, paths(library, rows), EVENTS)
    # What others did meanwhile: a file beside the links, a file and another link in the place of one, a folder.
    (albums / "clusters/a cat/.DS_Store").write_text("theirs")
    (albums / "clusters/a cat/2.jpg").unlink()
    (albums / "clusters/a cat/2.jpg").write_text("edited")
    (albums / "events/Without a date/2.jpg").unlink()
    (albums / "events/Without a date/2.jpg").symlink_to("/elsewhere.jpg")
    (albums / "clusters/x/clip.mov").unlink()
    (albums / "clusters/x/clip.mov").symlink_to("/elsewhere.mov")
    (albums / "mine").mkdir()
    before = {name: (library / name).stat().st_mtime_ns for name in paths(library, rows)}

    left = [rows[0], rows[2]]
    done = export_albums(albums, left, paths(library, left), EVENTS)
    assert tree(albums) == {
        "clusters/a dog/1.jpg": str(library / "a/1.jpg"),
        "clusters/a cat/.DS_Store": "theirs",
        "clusters/a cat/2.jpg": "edited",
        "clusters/x/clip.mov": "/elsewhere.mov",
        "events/2019-07-12 beach, tent, sea/1.jpg": str(library / "a/1.jpg"),
        "events/Without a date/2.jpg": "/elsewhere.jpg",
    }
    assert "events/2019-07-12" not in folders(albums)
    assert "mine" in folders(albums)
    assert (done.made, done.removed, done.foreign) == (0, 3, 2)
    assert "2 links are missing, because something else has their name" in done.line()

    export_albums(albums, [], {}, [])
    assert tree(albums) == {
        "clusters/a cat/.DS_Store": "theirs",
        "clusters/a cat/2.jpg": "edited",
        "clusters/x/clip.mov": "/elsewhere.mov",
        "events/Without a date/2.jpg": "/elsewhere.jpg",
    }
    (albums / "clusters/a cat/.DS_Store").unlink()
    (albums / "clusters/a cat/2.jpg").unlink()
    (albums / "clusters/x/clip.mov").unlink()
    export_albums(albums, [], {}, [])
    assert folders(albums) == ["events", "events/Without a date", "mine"]
    assert {name: (library / name).stat().st_mtime_ns for name in before} == before


def test_photos_that_moved_are_linked_where_they_are(library: Path, tmp_path: Path) -> None:
    rows = [row("a/1.jpg")]
    export_albums(tmp_path / "albums", rows, paths(library, rows))
    library.rename(tmp_path / "moved")
    done = export_albums(tmp_path / "albums", rows, paths(tmp_path / "moved", rows))
    assert (done.made, done.removed, done.foreign) == (1, 1, 0)
    assert (tmp_path / "albums/clusters/a dog/1.jpg").read_text() == "a/1.jpg"


def test_a_folder_that_others_use_is_added_to_and_stays(library: Path, tmp_path: Path) -> None:
    albums = tmp_path / "albums"
    (albums / "clusters/a dog").mkdir(parents=True)
    (albums / "clusters/a dog/1.jpg").symlink_to(library / "a/1.jpg")  # as ours would be, but is not
    (albums / "readme.txt").write_text("hello")
    rows = [row("a/1.jpg"), row("b/2.jpg")]
    done = export_albums(albums, rows, paths(library, rows))
    assert (done.made, done.foreign) == (1, 1)
    export_albums(albums, [], {})
    assert tree(albums) == {"clusters/a dog/1.jpg": str(library / "a/1.jpg"), "readme.txt": "hello"}
    assert folders(albums) == ["clusters", "clusters/a dog"]


@pytest.mark.parametrize("taken", ["clusters", "clusters/a dog"])
def test_no_link_in_the_place_of_a_folder_is_followed(taken: str, library: Path, tmp_path: Path) -> None:
    albums = tmp_path / "albums"
    (albums / taken).parent.mkdir(parents=True)
    (albums / taken).symlink_to(library)
    rows = [row("a/1.jpg")]
    before = tree(library)
    assert export_albums(albums, rows, paths(library, rows)).foreign == 1
    (albums / taken).unlink()
    assert export_albums(albums, rows, paths(library, rows)).made == 1
    # And when it is there after we have made links below it:
    (albums / taken).rename(tmp_path / "aside")
    (albums / taken).symlink_to(tmp_path / "aside")
    assert export_albums(albums, [], {}).removed == 0
    assert tree(library) == before


# --- names

HOSTILE = [
    "../../etc/passwd",
    'a/b\\c:d*e?f"g<h>i|j',
    "con",
    "NUL.txt",
    "com\u00b9",
    "ends with dots...  ",
    ".hidden",
    "",
    "...",
    "\x00\x1f\n",
    "\u202egpj",
    "\ud800",
    "\U0001f382" * 150,
    "x" * 300,
    "\u6d77" * 100,
]


@settings(deadline=None, database=None)
@given(st.sampled_from(HOSTILE) | st.text(max_size=300))
def test_a_name_is_one_that_every_file_system_takes(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= 101
    assert len(name.encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|') | {c for c in name if ord(c) < 32}
    assert name.strip(" ") == name
    assert not name.endswith(".")
    assert not name.startswith(".")
    assert name.partition(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM\u00b9"}


def test_hostile_headings_stay_inside_and_apart(library: Path, tmp_path: Path) -> None:
    headings = [*HOSTILE, "A:B", "a?b", "a*B", "caf\u00e9", "cafe\u0301"]
    rows = [row("a/1.jpg", number, heading) for number, heading in enumerate(headings)]
    done = export_albums(tmp_path / "albums", rows, paths(library, rows))
    assert (done.albums, done.made) == (len(headings), len(headings))
    names = os.listdir(tmp_path / "albums/clusters")
    assert len({name.casefold() for name in names}) == len(headings)
    assert {"A-B", "a-b (2)", "a-B (3)"} <= set(names)
    assert set(os.listdir(tmp_path)) == {"photos", "albums"}


def test_photos_of_one_name_get_numbers_however_long_it_is(tmp_path: Path) -> None:
    names = [f"IMG.{'x' * 251}", f"{'y' * 251}.jpg", "\u00e9.jpg", "e\u0301.jpg", "E\u0301.JPG"]
    targets = [f"/photos/{folder}/{name}" for name in names for folder in "ab"]
    rows = [row(target) for target in targets]
    assert export_albums(tmp_path, rows, {target: target for target in targets}).made == 10
    links = os.listdir(tmp_path / "clusters/a dog")
    assert f"{'y' * 247} (2).jpg" in links
    assert len([name for name in links if name.casefold().endswith("jpg")]) == 8
    undecodable = os.fsdecode(b"/photos/\xff.jpg")
    export_albums(tmp_path, [row("x")], {"x": undecodable})
    assert export_albums(tmp_path, [], {}).removed == 1


# --- trouble


def export_and_die(step: int, albums: Path, rows: Sequence[Row], photos: dict[str, str]) -> bool:
    """Export in a process that is killed at that call that changes the folder; return whether it came through."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    calls = 0

    def killing(call: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any, **more: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            call(*arguments, **more)

        return counted

    for name in ("unlink", "rmdir", "mkdir", "symlink", "replace"):
        setattr(os, name, killing(getattr(os, name)))
    try:
        export_albums(albums, rows, photos, EVENTS)
    except BaseException:  # noqa: BLE001 - the tests must not go on in this process
        os._exit(1)
    os._exit(0)


def test_a_killed_run_leaves_nothing_that_the_next_does_not_know(library: Path, tmp_path: Path) -> None:
    """A process is killed at its first step, its second and so on, until one comes through."""
    old = [row("a/1.jpg"), row("b/1.JPG", 1, "a cat", 2), row("b/2.jpg", 0, "a dog", -1)]
    new = [row("a/1.jpg", 0, "a dog", 1), row("b/2.jpg", 1, "a fox", 2)]
    for step in range(1, 100):
        albums = tmp_path / f"albums{step}"
        export_albums(albums, old, paths(library, old), EVENTS)
        survived = export_and_die(step, albums, new, paths(library, new))
        if step % 2 or survived:  # the next run finishes it; or it takes all away
            export_albums(albums, new, paths(library, new), EVENTS)
            assert len(tree(albums)) == 4
        export_albums(albums, [], {}, [])
        assert os.listdir(albums) == [MANIFEST]
        if survived:
            break
    assert survived
    assert step > 10


def test_a_changed_list_of_links_is_not_believed(library: Path, tmp_path: Path) -> None:
    rows = [row("a/1.jpg")]
    export_albums(tmp_path / "albums", rows, paths(library, rows))
    manifest = tmp_path / "albums" / MANIFEST
    good = json.loads(manifest.read_text())
    (tmp_path / "precious").symlink_to("/x")
    for damaged in (
        "",
        "\xff",
        "[]",
        '{"version": 1}',
        json.dumps({**good, "version": 2}),
        json.dumps({**good, "links": {"../..": {"precious": "/x"}}}),
        json.dumps({**good, "links": {"clusters/a dog": {"../../../precious": "/x"}}}),
        json.dumps({**good, "folders": ["clusters/../../photos"]}),
    ):
        manifest.write_text(damaged, encoding="latin-1")
        with pytest.raises(StopRunError, match=r"is damaged.* give --export-albums a new folder\."):
            export_albums(tmp_path / "albums", [], {})
    assert (tmp_path / "precious").is_symlink()


def test_a_folder_that_cannot_be_used_is_a_sentence(library: Path, tmp_path: Path) -> None:
    rows = [row("a/1.jpg")]
    (tmp_path / "file").write_text("")
    for name in ("missing/albums", "file"):
        with pytest.raises(StopRunError, match=rf"{name} cannot be written .*another --export-albums\."):
            export_albums(tmp_path / name, rows, paths(library, rows))


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EPERM, r"1\.jpg cannot be linked .*a disk that knows links, which exFAT and FAT do not\."),
        (errno.ENOSPC, r"1\.jpg cannot be written \(No space left on device\): free the disk"),
    ],
)
def test_a_disk_that_takes_no_link_is_a_sentence_and_the_next_run_goes_on(
    number: int, sentence: str, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def symlink(target: str, path: str) -> None:
        raise OSError(number, os.strerror(number), target, None, path)

    rows = [row("a/1.jpg")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "symlink", symlink)
        with pytest.raises(StopRunError, match=sentence):
            export_albums(tmp_path / "albums", rows, paths(library, rows))
    assert export_albums(tmp_path / "albums", rows, paths(library, rows)).made == 1


def test_names_that_a_disk_takes_for_one_another_are_not_overwritten(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk without regard to case says so only when the link is made."""
    rows = [row("a/1.jpg"), row("b/2.jpg")]
    real = os.symlink

    def symlink(target: str, path: str) -> None:
        if path.endswith("2.jpg"):
            raise FileExistsError(errno.EEXIST, "File exists", target, None, path)
        real(target, path)

    monkeypatch.setattr(os, "symlink", symlink)
    done = export_albums(tmp_path / "albums", rows, paths(library, rows))
    assert (done.links, done.foreign) == (1, 1)
    assert "2.jpg" not in (tmp_path / "albums" / MANIFEST).read_text()
