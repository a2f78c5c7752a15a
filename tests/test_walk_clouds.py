"""Photos that are only in a cloud: counted and said, never recorded, tried again when they are here."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from library.placeholders import is_dataless, named_after, stand_in
from library.walk import walk
from tests.conftest import Product, draw

ICLOUD = b"bplist00\xd3\x01\x02\x03\x04\x05\x06"


def sparse(path: Path, size: int = 2_000_000) -> Path:
    """Write a file that has a size and no bytes on the disk, as sync services do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".IMG_1.HEIC.icloud", ("IMG_1.HEIC", "iCloud")),
        (".a.b.jpg.icloud", ("a.b.jpg", "iCloud")),
        ("IMG_1.HEIC.icloud", None),
        ("IMG_1.jpg.nextcloud", ("IMG_1.jpg", "Nextcloud")),
        ("IMG_1.jpg.owncloud", ("IMG_1.jpg", "ownCloud")),
        (".IMG_1.jpg.nextcloud", None),
        ("IMG_1.jpg", None),
        ("icloud", None),
    ],
)
def test_names_of_placeholders(name: str, expected: tuple[str, str] | None) -> None:
    assert named_after(name) == expected


def test_the_flag_of_macos() -> None:
    """Simulated: the flag as macOS' own header has it."""
    assert is_dataless(cast("os.stat_result", SimpleNamespace(st_flags=0x40000020)))
    assert not is_dataless(cast("os.stat_result", SimpleNamespace(st_flags=0x20)))
    assert not is_dataless(os.stat(__file__))


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        ("Dropbox/Camera Uploads", "Dropbox"),
        ("OneDrive - Work/Pictures", "OneDrive"),
        ("CloudStorage/GoogleDrive-me@example.com/My Drive", "Google Drive"),
        ("Mobile Documents/com~apple~CloudDocs", "iCloud"),
        ("iCloud Drive", "iCloud"),
        ("Holiday", "a cloud"),
    ],
)
def test_the_folder_names_the_service(tmp_path: Path, folder: str, service: str) -> None:
    assert stand_in(os.fspath(sparse(tmp_path / folder / "IMG_1.jpg"))) == service


def test_real_files_are_no_stand_ins(tmp_path: Path) -> None:
    """Also those of a few bytes, zeros inside a picture, and what cannot be read."""
    real = draw(tmp_path / "real.jpg")
    (tmp_path / "tiny.jpg").write_bytes(b"x")
    hole = sparse(tmp_path / "hole.jpg")
    with hole.open("r+b") as file:
        file.write(b"\xff\xd8\xff")
    zeros = tmp_path / "zeros.jpg"
    zeros.write_bytes(bytes(100_000))
    os.sync()  # some file systems give a file its blocks only then
    for path in (real, tmp_path / "tiny.jpg", hole, zeros, tmp_path / "gone.jpg", Path("/proc/self/mem")):
        assert stand_in(os.fspath(path)) is None, path


def test_fifty_in_icloud_and_one_here(tmp_path: Path) -> None:
    library = tmp_path / "library"
    draw(library / "here.jpg")
    for number in range(50):
        (library / f".IMG_{number}.HEIC.icloud").write_bytes(ICLOUD)
    (library / ".notes.txt.icloud").write_bytes(ICLOUD)
    (library / ".here.jpg.icloud").write_bytes(ICLOUD)  # left behind by a download
    product = Product(tmp_path, library)
    sentence = "50 photos are only in iCloud: download them first."
    dry = product.run("--dry-run")
    assert sentence in dry
    assert "Opened 1 photo" in dry
    said = product.run()
    assert sentence in said
    assert "Every photo that is here has a record." in said
    assert list(product.records()) == ["here.jpg"]
    for command in (("estimate", "--backend", "mock"), ("stats",)):
        assert sentence in product.call(*command, "--photos-dir", str(library)).stdout
    (library / ".IMG_7.HEIC.icloud").unlink()
    draw(library / "IMG_7.HEIC.png").rename(library / "IMG_7.HEIC")
    assert "49 photos are only in iCloud" in product.run()
    assert set(product.records()) == {"here.jpg", "IMG_7.HEIC"}


def test_empty_and_sparse_files(product: Product) -> None:
    sparse(product.photos / "sparse.jpg")
    sparse(product.photos / "Dropbox/a.jpg")
    (product.photos / "empty.jpg").write_bytes(b"")
    for command in (["--dry-run"], ["--shard", "1/1"]):
        said = product.run(*command)
        assert "1 photo is only in Dropbox: download it first." in said
        assert "1 photo is only in a cloud: download it first." in said
        assert "1 photo is only in a cloud, or empty: download it first." in said
    assert len(product.records()) == 12, "and none of these"
    stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "Done: 12 of 12 photos" in stats
    draw(product.photos / "sparse.jpg")
    product.run()
    assert product.records()["sparse.jpg"]["status"] == "success"


def test_a_lone_empty_picture_is_broken(product: Product) -> None:
    """Nothing else speaks of a cloud, so a copy has failed."""
    (product.photos / "empty.jpg").touch()
    assert "only in" not in product.run()
    assert product.records()["empty.jpg"]["error"] == "empty file"
    (product.photos / "empty2.jpg").touch()
    product.run()
    assert product.records()["empty2.jpg"]["status"] == "error_corrupt"
    (product.photos / "Dropbox").mkdir()
    (product.photos / "Dropbox/empty3.jpg").touch()
    assert "1 photo is only in Dropbox: download it first." in product.run()


def test_a_photo_that_went_back_to_the_cloud_keeps_its_record(product: Product) -> None:
    product.run()
    before = product.journal.read_bytes()
    (product.photos / "cover.bmp").rename(product.photos / ".cover.bmp.icloud")
    sparse(product.photos / "2023/IMG_0001.JPG")
    said = product.run()
    assert "only in" not in said, "nothing is missing, so nothing is to be downloaded"
    assert "Every photo has a record." in said
    stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "no longer there" not in stats
    assert product.journal.read_bytes() == before


def test_a_library_that_is_all_in_the_cloud(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / ".IMG_1.HEIC.icloud").write_bytes(ICLOUD)
    product = Product(tmp_path, library)
    for arguments in (["run", "--backend", "mock"], ["estimate", "--backend", "mock"]):
        done = product.call(*arguments, "--photos-dir", str(library))
        assert "1 photo is only in iCloud: download it first." in done.stdout + done.stderr
    (library / ".IMG_1.HEIC.icloud").unlink()
    for name in ("empty.jpg", "empty2.jpg"):
        (library / name).touch()
    assert "2 photos are only in a cloud, or empty: download them first." in product.run()


def test_a_shard_counts_its_own(tmp_path: Path) -> None:
    draw(tmp_path / "library/here.jpg")
    for number in range(20):
        (tmp_path / f"library/.IMG_{number}.HEIC.icloud").write_bytes(ICLOUD)
    product = Product(tmp_path, tmp_path / "library")
    lines = [
        line for part in "12" for line in product.run("--shard", f"{part}/2").splitlines() if "iCloud" in line
    ]
    assert sum(int(line.split(" photo")[0].split()[-1]) for line in lines) == 20


def test_videos_need_no_bytes(product: Product) -> None:
    """Their record says that they are videos, whatever is in them."""
    (product.photos / "clip.mp4").touch()
    (product.photos / ".clip2.mp4.icloud").write_bytes(ICLOUD)
    assert "only in" not in product.run()
    assert product.records()["clip.mp4"]["error"] == "video"
    assert walk(product.photos).away == {}


def test_a_report_of_a_library_that_is_all_in_the_cloud(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / ".IMG_1.HEIC.icloud").write_bytes(ICLOUD)
    product = Product(tmp_path, library)
    said = product.call(
        "report", "--photos-dir", str(library), "--out-dir", str(tmp_path / "r"), code=1
    ).stderr
    assert "1 photo is only in iCloud: download it first." in said
    assert said.rstrip().endswith("download them first.")
