"""A photo with several names on the disk counts once, under the name of the real file or of its record."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.selection import spell_as_recorded
from library.walk import Walk, walk
from tests.conftest import Product, draw


def names(found: Walk) -> list[str]:
    return [photo.rel_path for photo in found.photos]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A library of two photos."""
    draw(tmp_path / "library" / "2023" / "a.jpg")
    draw(tmp_path / "library" / "2023" / "b.jpg", shade=20)
    return tmp_path / "library"


def test_albums_of_links_add_nothing(root: Path) -> None:
    (root / "albums").mkdir()
    (root / "albums" / "a.jpg").symlink_to("../2023/a.jpg")
    (root / "0.jpg").symlink_to(root / "2023" / "a.jpg")
    os.link(root / "2023" / "b.jpg", root / "albums" / "z.jpg")
    found = walk(root)
    assert names(found) == ["2023/a.jpg", "2023/b.jpg"]
    assert found.left_out() == ["Left out 3 links to photos that are here under another name."]


def test_of_hard_links_the_first_name_counts(root: Path) -> None:
    for name in ("z.jpg", "0/m.jpg", "2023/a2.jpg"):
        (root / name).parent.mkdir(exist_ok=True)
        os.link(root / "2023" / "a.jpg", root / name)
    found = walk(root)
    assert names(found) == ["0/m.jpg", "2023/b.jpg"]
    assert sorted(found.links["0/m.jpg"]) == ["2023/a.jpg", "2023/a2.jpg", "z.jpg"]


def test_photos_outside_that_are_linked_count_once(root: Path, tmp_path: Path) -> None:
    outside = draw(tmp_path / "outside" / "c.jpg", shade=40)
    os.link(outside, tmp_path / "outside" / "d.jpg")
    for name, target in (("x.jpg", "c.jpg"), ("y.jpg", "c.jpg"), ("z.jpg", "d.jpg")):
        (root / name).symlink_to(outside.with_name(target))
    (root / "chain.jpg").symlink_to("x.jpg")
    assert names(walk(root)) == ["2023/a.jpg", "2023/b.jpg", "chain.jpg"]
    (root / "disk").symlink_to(outside.parent)
    found = walk(root)
    assert names(found) == ["2023/a.jpg", "2023/b.jpg", "disk/c.jpg"], (
        "a real file in a linked folder comes first"
    )
    assert "5 links" in found.left_out()[0]


def test_a_real_folder_comes_before_a_linked_one(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    os.link(root / "2023" / "a.jpg", tmp_path / "outside" / "a.jpg")
    (root / "0").symlink_to(tmp_path / "outside")
    found = walk(root)
    assert names(found) == ["2023/a.jpg", "2023/b.jpg"]
    assert found.links == {"2023/a.jpg": ["0/a.jpg"]}


def test_copies_are_no_links(root: Path) -> None:
    for number in range(3):
        shutil.copy2(root / "2023" / "a.jpg", root / f"{number}.jpg")
    assert len(walk(root).photos) == 5


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcde"), st.booleans()), max_size=12))
def test_every_file_has_one_name(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, str, bool]]
) -> None:
    """However photos are linked, each is there once, and real names and links are all accounted for."""
    root = tmp_path_factory.mktemp("library")
    for number in range(4):
        (root / f"{number}.jpg").write_bytes(b"%d" % number)
    for made, (number, folder, hard) in enumerate(links):
        (root / folder).mkdir(exist_ok=True)
        path = root / folder / f"{made}.jpg"
        if hard:
            os.link(root / f"{number}.jpg", path)
        else:
            path.symlink_to(root / f"{number}.jpg")
    found = walk(root)
    assert sorted(Path(photo.path).read_bytes() for photo in found.photos) == [b"0", b"1", b"2", b"3"]
    assert not any(Path(photo.path).is_symlink() for photo in found.photos)
    every = set(names(found)).union(*found.links.values())
    assert every == {str(path.relative_to(root)) for path in root.rglob("*.jpg")}


def test_a_record_under_a_link_stays_and_nothing_is_asked(product: Product) -> None:
    """Journals of versions that took links for photos, and links that were there before the real name."""
    product.run()
    before = product.records()
    (product.photos / "album").mkdir()
    hard, soft = product.photos / "2023/IMG_0001.JPG", product.photos / "2023/IMG_0002.JPG"
    os.link(hard, product.photos / "album/hard.JPG")
    os.rename(soft, product.photos / "album/real.JPG")
    soft.symlink_to("../album/real.JPG")
    captions = product.journal.read_bytes().replace(b"2023/IMG_0001.JPG", b"album/hard.JPG")
    extra = json.dumps(
        {"rel_path": "2023/IMG_0001.JPG", "caption": "twice", "status": "success", "model": "mock"}
    )
    for text in (captions, captions + extra.encode() + b"\n"):
        product.journal.write_bytes(text)
        said = product.run()
        assert "Left out 2 links to photos that are here under another name." in said
        assert "Captioned 0 photos; 0 errors." in said
        assert product.journal.read_bytes() == text
        stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
        assert f"Done: {len(before)} of {len(before)} photos" in stats
        assert "no longer there" not in stats
    assert "Records of files that are left out: 1" in stats


def test_links_are_asked_once(product: Product) -> None:
    (product.photos / "album").mkdir()
    for path in sorted((product.photos / "2023").iterdir()):
        (product.photos / "album" / path.name).symlink_to(path)
        os.link(path, product.photos / "album" / f"hard {path.name}")
    assert (
        "Photos remaining:  12 / 12"
        in product.call("estimate", "--backend", "mock", "--photos-dir", str(product.photos)).stdout
    )
    product.run()
    assert len(product.lines()) == 12
    assert not any(name.startswith("album") for name in product.records())


def test_photos_stay_sorted_by_the_names_of_their_records(root: Path) -> None:
    os.link(root / "2023" / "a.jpg", root / "2023" / "z.jpg")
    found = walk(root)
    spell_as_recorded(found, {"2023/z.jpg"}, root)
    assert names(found) == ["2023/b.jpg", "2023/z.jpg"]
