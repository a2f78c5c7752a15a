"""Libraries of photo programs: only their originals are photos. Folders that only look like them stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from library.photo_programs import COPIES, LIBRARIES
from library.walk import walk
from tests.conftest import Product, draw

UUID = "0B5D8F0C-1C5B-4D7A-9F57-0E6B6F1F7A11"
PROGRAMS = {
    "Photos": (
        [f"P.photoslibrary/originals/0/{UUID}.heic", "P.photoslibrary/originals/F/F1.png"],
        [
            f"P.photoslibrary/resources/derivatives/0/{UUID}_1_105_c.jpeg",
            f"P.photoslibrary/resources/derivatives/masters/0/{UUID}_4_5005_c.jpeg",
            f"P.photoslibrary/resources/renders/0/{UUID}_1_201_a.heic",
            f"P.photoslibrary/resources/renders/0/{UUID}_2_100_a.mov",
            "P.photoslibrary/scopes/cloudsharing/data/A/100CLOUD/IMG_1.JPG",
            "P.photoslibrary/scopes/syndication/originals/9/9.jpeg",
            "P.photoslibrary/poster.jpg",
        ],
    ),
    "Photos up to 4": (
        ["P.PhotosLibrary/Masters/2015/07/12/20150712-143000/IMG_1.JPG"],
        [
            "P.PhotosLibrary/resources/proxies/derivatives/00/00/1/thumb_IMG_1.jpg",
            "P.PhotosLibrary/Thumbnails/1.jpg",
        ],
    ),
    "iPhoto": (
        ["iPhoto Library.photolibrary/Masters/2013/01/02/IMG_1.JPG"],
        [
            "iPhoto Library.photolibrary/Previews/2013/01/02/IMG_1.jpg",
            "iPhoto Library.photolibrary/Thumbnails/2013/t.jpg",
        ],
    ),
    "iPhoto after Photos took it over": (
        ["i.migratedphotolibrary/Masters/2013/IMG_1.JPG"],
        ["i.migratedphotolibrary/Previews/2013/IMG_1.jpg"],
    ),
    "iPhoto up to 2011": (
        [
            "iPhoto Library/AlbumData.xml",
            "iPhoto Library/Originals/2008/Roll 1/a.jpg",
            "iPhoto Library/2004/02/24/b.jpg",
        ],
        [
            "iPhoto Library/Modified/2008/Roll 1/a.jpg",
            "iPhoto Library/Data.noindex/2008/Roll 1/a.jpg",
            "iPhoto Library/iPod Photo Cache/F00/T1.jpg",
        ],
    ),
    "Aperture": (
        ["A.aplibrary/Masters/2011/08/09/_MG_2038.CR2"],
        ["A.aplibrary/Previews/2011/08/09/_MG_2038.jpg", "A.aplibrary/Thumbnails/2011/thumb_1.jpg"],
    ),
    "Aperture after Photos took it over": (
        ["A.migratedaplibrary/Masters/2011/a.jpg"],
        ["A.migratedaplibrary/Previews/2011/a.jpg"],
    ),
    "Lightroom Classic": (
        ["Lightroom/2023/a.jpg"],
        [
            "Lightroom/Catalog Smart Previews.lrdata/0/0B5D/a.dng",
            "Lightroom/Catalog Previews.lrdata/0/a.jpg",
            "Lightroom/Catalog.lrcat-data/mask.png",
        ],
    ),
    "Lightroom": (
        ["Lightroom Library.lrlibrary/e1f5d246551243708c4fe56d8cc27afe/originals/2025/2025-04-01/a.jpg"],
        [
            "Lightroom Library.lrlibrary/e1f5d246551243708c4fe56d8cc27afe/previews.noindex/a.jpg",
            "Lightroom Library.lrlibrary/e1f5d246551243708c4fe56d8cc27afe/proxies/a.dng",
        ],
    ),
    "Capture One": (["C.cocatalog/Originals/2023/a.jpg"], ["C.cocatalog/Cache/Thumbnails/a.jpg"]),
    "immich": (
        [
            "immich/thumbs/.immich",
            "immich/encoded-video/.immich",
            "immich/profile/.immich",
            "immich/upload/.immich",
            "immich/upload/1/ab/cd/a.jpg",
            "immich/library/admin/2023/b.jpg",
        ],
        ["immich/thumbs/1/ab/cd/a.webp", "immich/encoded-video/1/ab/cd/v.mp4", "immich/profile/1/me.png"],
    ),
    "immich without its markers": (
        ["immich/upload/1/a.jpg"],
        ["immich/thumbs/1/a-preview.jpeg", "immich/encoded-video/1/v.mp4", "immich/profile/1/me.png"],
    ),
    "immich's thumbs on another disk": (
        ["fast/thumbs/.immich", "fast/c.jpg"],
        ["fast/thumbs/1/a-thumbnail.webp"],
    ),
    "PhotoPrism": (
        ["originals/2023/a.jpg", "storage/.ppstorage"],
        ["storage/cache/thumbnails/2/8/3/283_720x720_fit.jpg", "storage/sidecar/2023/a.cr2.jpg"],
    ),
    "PhotoPrism without its marker": (
        ["originals/2023/a.jpg"],
        ["storage/cache/thumbnails/2/8/3/283_720x720_fit.jpg", "storage/sidecar/2023/a.cr2.jpg"],
    ),
    "Nextcloud": (
        ["data/.ncdata", "data/anna/files/Photos/a.jpg"],
        [
            "data/appdata_oc8ay35v1sfr/preview/a/b/c/1/256-256.jpg",
            "data/appdata_oc8ay35v1sfr/avatar/anna/avatar.png",
        ],
    ),
    "Nextcloud up to 30": (
        ["data/.ocdata", "data/anna/files/a.jpg"],
        ["data/appdata_oc8/preview/1/64-64.png"],
    ),
}


def fill(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\xff\xd8\xff")


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_originals_are_photos(tmp_path: Path, program: str) -> None:
    kept, copies = PROGRAMS[program]
    fill(tmp_path, [*kept, *copies])
    found = walk(tmp_path)
    photos = [
        name for name in kept if not name.endswith((".xml", ".immich", ".ppstorage", ".ncdata", ".ocdata"))
    ]
    assert [photo.rel_path for photo in found.photos] == sorted(photos)
    assert found.previews == len(copies)


def test_every_program_is_tried() -> None:
    made = "\n".join(name.lower() for kept, copies in PROGRAMS.values() for name in (*kept, *copies))
    assert all(f".{library.extension}/" in made for library in LIBRARIES)
    assert all(row.source for row in (*LIBRARIES, *COPIES))


def test_folders_that_only_look_like_it_stay(tmp_path: Path) -> None:
    """A family's own folders, also where they have a program's extension but not its folders."""
    names = [
        "thumbs/a.jpg",
        "profile/a.jpg",
        "cache/a.jpg",
        "sidecar/a.jpg",
        "Previews/a.jpg",
        "Modified/a.jpg",
        "originals/a.jpg",
        "appdata_x/preview/a.jpg",
        "trip.photoslibrary/a.jpg",
        "resources/derivatives/a.jpg",
        "photoslibrary/resources/a.jpg",
    ]
    fill(tmp_path, names)
    found = walk(tmp_path)
    assert [photo.rel_path for photo in found.photos] == sorted(names)
    assert found.left_out() == []


def test_the_library_of_a_program_as_photos_dir(tmp_path: Path) -> None:
    kept, copies = PROGRAMS["Photos"]
    fill(
        tmp_path,
        [
            *kept,
            *copies,
            f"P.photoslibrary/originals/0/{UUID}_3.mov",
            "P.photoslibrary/database/Photos.sqlite",
        ],
    )
    found = walk(tmp_path / "P.photoslibrary")
    assert len(found.photos) == len(kept)
    assert found.left_out() == [
        "Left out 1 file that is not a picture.",
        "Left out 7 previews and copies inside photo programs' libraries.",
        "Left out 1 Live Photo video.",
    ]
    inside = walk(tmp_path / "P.photoslibrary" / "resources")
    assert len(inside.photos) == 4, "whoever names this folder wants what is in it"


def test_a_linked_library(tmp_path: Path) -> None:
    kept, copies = PROGRAMS["Photos"]
    fill(tmp_path / "disk", [*kept, *copies])
    draw(tmp_path / "library" / "a.jpg")
    (tmp_path / "library" / "Mac.photoslibrary").symlink_to(tmp_path / "disk" / "P.photoslibrary")
    found = walk(tmp_path / "library")
    assert len(found.photos) == 1 + len(kept)
    assert found.previews == len(copies)


def test_a_run_over_a_phones_library(product: Product) -> None:
    draw(product.photos / "P.photoslibrary/originals/1/1.png")
    draw(product.photos / "P.photoslibrary/resources/derivatives/1/1_1_105_c.jpeg")
    said = product.run()
    assert "Left out 1 preview or copy inside a photo program's library." in said
    assert "P.photoslibrary/originals/1/1.png" in product.records()
    assert len(product.records()) == 13


def test_records_of_previews_are_not_gone(product: Product) -> None:
    draw(product.photos / "Lightroom.lrdata/1.png")
    product.run()
    line = product.journal.read_bytes().splitlines(keepends=True)[0]
    name = product.lines()[0]["rel_path"]
    with product.journal.open("ab") as file:
        file.write(line.replace(name.encode(), b"Lightroom.lrdata/1.png"))
    stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "Records of files that are left out: 1" in stats
    assert "no longer there" not in stats
