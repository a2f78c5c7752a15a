"""Videos of Live Photos and Motion Photos belong to their picture: no record, no error, no video of their own."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from library.walk import walk
from tests.conftest import Product


def box(kind: bytes, content: bytes = b"", *, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


def video(path: Path, seconds: float | None = 2.8, *, version: int = 0, first: bool = False) -> Path:
    """Write a QuickTime file without a frame whose header says how long it is; `first`: the header comes before the frames."""
    if version:
        header = struct.pack(">B3xQQIQ", 1, 0, 0, 90_000, round((seconds or 0) * 90_000))
    else:
        header = struct.pack(">B3xIIII", 0, 0, 0, 600, round((seconds or 0) * 600))
    movie = [] if seconds is None else [box(b"moov", box(b"mvhd", header + bytes(80)) + box(b"trak"))]
    frames = [box(b"wide"), box(b"mdat", bytes(5000), wide=bool(version))]
    parts = [*movie, *frames] if first else [*frames, *movie]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(box(b"ftyp", b"qt  \0\0\0\0qt  ") + b"".join(parts))
    return path


def picture(path: Path) -> None:
    """Write what passes for a picture until it is decoded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("still", "moving"),
    [
        ("IMG_1.HEIC", "IMG_1.MOV"),
        ("IMG_1.JPG", "IMG_1.MOV"),
        ("IMG_1.heic", "img_1.mov"),
        ("IMG_1(1).HEIC", "IMG_1(1).MOV"),
        ("IMG_E1.JPG", "IMG_E1.MOV"),
        ("IMG_1.DNG", "IMG_1.MOV"),
        ("IMG_1.HEIC", "IMG_1_HEVC.MOV"),
        ("IMG_1.HEIC", "IMG_1.HEIC.MOV"),
        ("IMG_1.HEIC", "IMG_1.MP4"),
        ("20240101_120000.jpg", "20240101_120000.mp4"),
        ("PXL_20230604_172812686.MP.jpg", "PXL_20230604_172812686.MP"),
        ("PXL_20230604_172812686.MP.jpg", "PXL_20230604_172812686.MP.mp4"),
        ("MVIMG_20190712.jpg", "MVIMG_20190712.MP4"),
        ("IMG_1.JPG", "IMG_1.HEVC"),
        ("0B5D8F0C-1C5B-4D7A-9F57-0E6B6F1F7A11.heic", "0B5D8F0C-1C5B-4D7A-9F57-0E6B6F1F7A11_3.mov"),
        ("Zoë.HEIC", "Zoë.MOV"),
        (".IMG_1.HEIC.icloud", "IMG_1.MOV"),
    ],
)
def test_a_short_video_named_as_its_picture(tmp_path: Path, still: str, moving: str) -> None:
    picture(tmp_path / still)
    picture(tmp_path / "other.jpg")
    video(tmp_path / moving)
    found = walk(tmp_path)
    assert not any(photo.is_video for photo in found.photos)
    assert found.live_videos == {moving}
    assert "Left out 1 Live Photo video." in found.left_out()


@pytest.mark.parametrize(
    ("still", "moving"),
    [
        ("IMG_1.HEIC", "IMG_2.MOV"),
        ("MVI_1.JPG", "IMG_1.MOV"),
        ("party.jpg", "party_3.mov"),
        ("party.jpg", "party.avi"),
        ("party.mov.jpg", "party.mov"),
        ("sub/IMG_1.HEIC", "IMG_1.MOV"),
    ],
)
def test_other_videos_stay_videos(tmp_path: Path, still: str, moving: str) -> None:
    picture(tmp_path / still)
    video(tmp_path / moving)
    found = walk(tmp_path)
    assert [photo.rel_path for photo in found.photos if photo.is_video] == [moving]
    assert not found.live_videos


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("kind", ["MOV", "MP4"])
def test_a_long_video_stands_alone(tmp_path: Path, kind: str, version: int, first: bool) -> None:
    """A camera that counts pictures and videos apart, or two devices' photos in one folder."""
    for number, seconds in enumerate((1.5, 3.0, 5.9, 6.5, 42, 4000)):
        picture(tmp_path / f"DSC_{number}.JPG")
        video(tmp_path / f"DSC_{number}.{kind}", seconds, version=version, first=first)
    assert walk(tmp_path).live_videos == {f"DSC_{number}.{kind}" for number in range(3)}


def test_a_video_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    """A fragmented or damaged one: its size decides."""
    for number, seconds in enumerate((None, 0, None)):
        picture(tmp_path / f"{number}.jpg")
        video(tmp_path / f"{number}.mov", seconds)
    with (tmp_path / "2.mov").open("ab") as file:
        file.truncate(2**25)
    for number, content in enumerate(
        (b"", b"\0\0\0\1moov", b"\0\0\0\0mdat", b"\0\0\0\3free" * 9, b"\0\0\0\x10moov" * 2), 3
    ):
        picture(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.mov").write_bytes(content)
    assert walk(tmp_path).live_videos == {f"{number}.mov" for number in (0, 1, 3, 4, 5, 6, 7)}


def test_a_large_video_beside_a_phones_picture_is_looked_at(tmp_path: Path) -> None:
    for name in ("short", "long"):
        picture(tmp_path / f"{name}.HEIC")
    with video(tmp_path / "short.MOV", 2, first=True).open("ab") as file:
        file.truncate(2**25)
    with video(tmp_path / "long.MOV", 60, first=True).open("ab") as file:
        file.truncate(2**25)
    assert walk(tmp_path).live_videos == {"short.MOV"}


def test_links_to_live_photos(tmp_path: Path) -> None:
    picture(tmp_path / "IMG_1.HEIC")
    video(tmp_path / "IMG_1.MOV")
    (tmp_path / "album").mkdir()
    for name in ("IMG_1.HEIC", "IMG_1.MOV"):
        (tmp_path / "album" / name).symlink_to(tmp_path / name)
    assert [photo.rel_path for photo in walk(tmp_path).photos] == ["IMG_1.HEIC"]


def test_a_run_counts_them_and_writes_nothing_of_them(product: Product) -> None:
    for number in range(3):
        video(product.photos / "2023" / f"IMG_{number:04}.MOV")
    said = product.run()
    assert "Left out 3 Live Photo videos." in said
    assert "1 video." in said, "the one that stands alone"
    assert len(product.records()) == 12
    estimate = product.call("estimate", "--backend", "mock", "--photos-dir", str(product.photos)).stdout
    assert "Photos remaining:  0 / 12" in estimate
    assert "Left out 3 Live Photo videos." in estimate


def test_records_of_older_versions_stay(product: Product) -> None:
    """0.1 took the video of a Live Photo for a video."""
    product.run()
    old = {"rel_path": "2023/IMG_0001.MOV", "caption": None, "status": "error_corrupt", "error": "video"}
    with product.journal.open("a") as file:
        file.write(json.dumps(old) + "\n")
    video(product.photos / "2023" / "IMG_0001.MOV")
    before = product.journal.read_bytes()
    said = product.run()
    assert "Skipping 12 already processed (10 success, 1 errors, 1 videos)" in said
    assert product.journal.read_bytes() == before
    stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "Done: 12 of 12 photos" in stats
    assert "no longer there" not in stats
    assert "Records of files that are left out: 1" in stats
