"""`caption.py export-xmp`, as users run it: beside the photos or elsewhere, again, undone, and over what is there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from library.moments import Moment, find_moments
from library.walk import Photo, walk
from library.xmp import MOST_BYTES
from tests.conftest import Product, draw
from tests.helpers.foreign_xmp import foreign

MODEL = "openai/gpt-6-luna"
CAPTION = "A red kayak on a lake."
FIRST, HEIF, VIDEO = "2023/IMG_0000.JPG", "2024/IMG_0008.webp", "2024/IMG_0010.MOV"


def caption_all(product: Product, *names: str) -> None:
    """Write a journal in which photos have captions of a real model: those named, else all pictures."""
    names = names or tuple(photo.rel_path for photo in walk(product.photos).photos if not photo.is_video)
    lines = [
        {
            "rel_path": name,
            "caption": CAPTION,
            "status": "success",
            "model": MODEL,
            "at": "2026-11-01T10:00:00Z",
        }
        for name in names
    ]
    product.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))


def export(product: Product, *flags: str, code: int = 0) -> str:
    done = product.call("export-xmp", "--photos-dir", str(product.photos), *flags, code=code)
    return done.stdout + done.stderr


def undo(product: Product, *flags: str, code: int = 0) -> str:
    done = product.call("export-xmp", "--undo", *flags, code=code)
    return done.stdout + done.stderr


def files(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return every file with its bytes, its inode and its time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def sidecar(product: Product, name: str = FIRST) -> Path:
    return product.photos / f"{name}.xmp"


def moment_of(product: Product) -> Moment:
    """Return when a photo was taken, as the report reads it."""
    photo = Photo(FIRST, str(product.photos / FIRST))
    return find_moments([photo], [Moment()], [os.stat(photo.path).st_mtime])[0]


def test_written_once_and_undone(product: Product) -> None:
    caption_all(product)
    before = files(product.photos)
    moment = moment_of(product)
    assert "11 sidecars new, 0 changed, 0 as they should be" in export(product)
    written = files(product.photos)
    assert {name: written[name] for name in before} == before
    assert written.keys() - before.keys() == {
        f"{name}.xmp" for name in before if name.endswith(("JPG", "png", "webp", "bmp"))
    }
    assert CAPTION.encode() in sidecar(product).read_bytes()
    assert "0 sidecars new, 0 changed, 11 as they should be" in export(product)
    assert files(product.photos) == written
    assert moment_of(product) == moment
    assert len(walk(product.photos).photos) == 12
    assert "11 sidecars deleted" in undo(product)
    assert files(product.photos) == before
    assert "nothing to undo" in undo(product, code=1)
    assert not [*product.folder.glob("*.sidecars.jsonl")]


def test_the_report_and_a_run_do_not_see_the_sidecars(product: Product) -> None:
    caption_all(product)
    export(product)
    assert "Every photo" in product.run()
    assert not [name for name in product.records() if name.endswith(".xmp")]


def test_merged_ones_are_as_before(product: Product) -> None:
    caption_all(product)
    raw = foreign(24).raw
    sidecar(product).write_bytes(raw)
    sidecar(product).chmod(0o640)
    assert "10 sidecars new, 1 changed" in export(product)
    assert CAPTION.encode() in sidecar(product).read_bytes()
    assert sidecar(product).stat().st_mode & 0o777 == 0o640
    caption_all(product, FIRST)
    product.journal.write_text(product.journal.read_text().replace("red", "blue"))
    assert "0 sidecars new, 1 changed" in export(product)
    assert "10 sidecars deleted, 1 as they were" in undo(product)
    assert sidecar(product).read_bytes() == raw
    assert sidecar(product).stat().st_mode & 0o777 == 0o640


def test_what_others_wrote_since_stays(product: Product) -> None:
    caption_all(product)
    export(product)
    raw = sidecar(product).read_bytes()
    sidecar(product).write_bytes(raw.replace(b"<captioner:captionModel>", b"<xmp:Rating xmlns:xmp='http://ns.adobe.com/xap/1.0/'>5</xmp:Rating><captioner:captionModel>"))  # fmt: skip
    second = sidecar(product, "2023/IMG_0001.JPG")
    second.write_bytes(foreign(3).raw)  # another program's own, in place of ours
    said = undo(product)
    assert "9 sidecars deleted, 0 as they were" in said
    assert "Edited since by another: 1" in said
    assert "without our words: 1" in said
    assert b"Rating" in sidecar(product).read_bytes()
    assert CAPTION.encode() not in sidecar(product).read_bytes()
    assert second.read_bytes() == foreign(3).raw


def test_a_dry_run_says_what_would_happen(product: Product) -> None:
    caption_all(product)
    sidecar(product).write_bytes(foreign(24).raw)
    before = files(product.photos)
    said = export(product, "--dry-run")
    assert f"changed: {sidecar(product)}" in said
    assert f"new: {sidecar(product, HEIF)}" in said
    assert "10 sidecars new, 1 changed" in said
    assert files(product.photos) == before
    assert not [*product.folder.glob("*.sidecars.jsonl*")]
    export(product)
    before = files(product.photos)
    assert f"restored: {sidecar(product)}" in undo(product, "--dry-run")
    assert files(product.photos) == before


def test_into_a_tree_elsewhere(product: Product) -> None:
    caption_all(product)
    sidecar(product).write_bytes(foreign(24).raw)
    before = files(product.photos)
    folder = product.folder / "mirror"
    assert "11 sidecars new" in export(product, "--into", str(folder))
    assert files(product.photos) == before
    # What is beside the photo is in the copy too: it may take that one's place.
    assert b"photoshop:City" in (folder / f"{FIRST}.xmp").read_bytes() or foreign(24).raw[:9] in (folder / f"{FIRST}.xmp").read_bytes()  # fmt: skip
    assert CAPTION.encode() in (folder / f"{HEIF}.xmp").read_bytes()
    assert "0 sidecars new, 0 changed, 11" in export(product, "--into", str(folder))
    (folder / "2024" / "mine.txt").write_text("mine")
    assert "11 sidecars deleted" in undo(product)
    assert [*files(folder)] == ["2024/mine.txt"]
    assert not (folder / "2023").exists()
    assert "cannot be made" in export(product, "--into", str(folder / "a" / "b"), code=1)


def test_names_of_adobe(product: Product) -> None:
    twin = draw(product.photos / "2023" / "IMG_0000.png")
    caption_all(product)
    said = export(product, "--names", "adobe")
    assert "11 sidecars new" in said
    assert "is the sidecar of another photo too" in said
    assert (product.photos / "2023" / "IMG_0000.xmp").exists()
    assert not sidecar(product).exists()
    assert twin.exists()
    said = export(product)  # programs that read one of the two names only would lose the other
    assert "0 sidecars new" in said
    assert "see --names" in said


def test_camera_raw_comes_first_where_names_are_shared(product: Product) -> None:
    (product.photos / "2023" / "IMG_0000.NEF").write_bytes(b"II*\0")
    caption_all(product, FIRST, "2023/IMG_0000.NEF")
    text = product.journal.read_text().splitlines()
    product.journal.write_text(f"{text[0]}\n{text[1].replace('red', 'raw')}\n")
    assert "1 sidecar new" in export(product, "--names", "adobe")
    assert "A raw kayak" in (product.photos / "2023" / "IMG_0000.xmp").read_text()


def test_videos_likewise(product: Product) -> None:
    caption_all(product, VIDEO)
    assert "1 sidecar new" in export(product)
    assert sidecar(product, VIDEO).exists()


def test_only_real_captions(product: Product) -> None:
    product.run()
    said = export(product)
    assert "0 sidecars new" in said
    assert "Captions of the mock, which go into no sidecar: 10." in said
    assert not [*product.photos.rglob("*.xmp")]


def test_tags_of_the_report(product: Product) -> None:
    caption_all(product)
    table = product.folder / "cluster_export.csv"
    rows = [
        "rel_path,cluster_id,cluster_label,event_id,event_label,group_name",
        f"{FIRST},7,A heading,3,'=1 July: Berlin/Mitte,Kayaks | boats",
        f"{HEIF},-1,Unclustered,-2,no date,",
        f"{VIDEO},,,,,",
    ]
    table.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    export(product, "--groups", str(table))
    text = sidecar(product).read_text()
    assert (
        "<rdf:li>Captioner/Groups/Kayaks boats</rdf:li><rdf:li>Captioner/Events/=1 July: Berlin Mitte</rdf:li>"
        in text
    )
    assert "<rdf:li>Captioner|Groups|Kayaks boats</rdf:li>" in text
    assert "<rdf:li>Kayaks boats</rdf:li>" in text
    assert "Captioner/" not in sidecar(product, HEIF).read_text()
    assert "0 sidecars new, 1 changed" in export(product)  # without the table the tags go again
    assert "Kayaks" not in sidecar(product).read_text()
    assert "no table of a report" in export(product, "--groups", str(product.journal), code=1)
    assert "cannot be read" in export(product, "--groups", "none.csv", code=1)


def test_what_cannot_be_written_is_left_alone(product: Product) -> None:
    caption_all(product)
    broken = {
        "2023/IMG_0000.JPG": b"<x:xmpmeta",
        "2023/IMG_0001.JPG": b"<html><body/></html>",
        "2023/IMG_0002.JPG": b" " * (MOST_BYTES + 1),
        "2023/IMG_0003.JPG": foreign(24).raw,
    }
    for name, raw in broken.items():
        sidecar(product, name).write_bytes(raw)
    sidecar(product, "2023/IMG_0003.JPG").chmod(0o444)
    sidecar(product, "2023/IMG_0004.JPG").mkdir()
    sidecar(product, "2023/IMG_0005.JPG").symlink_to("nowhere")
    os.mkfifo(sidecar(product, "2023/IMG_0006.JPG"))
    said = export(product)
    for why in (
        "broken in line 1",
        "no XMP",
        "larger than",
        "read-only",
        "a folder",
        "leads nowhere",
        "no file",
    ):
        assert why in said
    assert "Left alone in all: 7 sidecars." in said
    assert "4 sidecars new" in said
    for name, raw in broken.items():
        assert sidecar(product, name).read_bytes() == raw


def test_a_link_stays_a_link(product: Product) -> None:
    caption_all(product)
    real = product.folder / "real.xmp"
    real.write_bytes(foreign(24).raw)
    sidecar(product).symlink_to(real)
    export(product)
    assert sidecar(product).is_symlink()
    assert CAPTION.encode() in real.read_bytes()


def test_nothing_is_written_into_a_photo_programs_library(product: Product) -> None:
    library = product.photos / "Family.photoslibrary" / "originals" / "0"
    library.mkdir(parents=True)
    shutil.copy(product.photos / "2024" / "IMG_0008.webp", library / "A.webp")
    caption_all(product, FIRST, "Family.photoslibrary/originals/0/A.webp")
    said = export(product)
    assert "1 sidecar new" in said
    assert "Photos in a photo program's own library, where nothing is written: 1." in said
    assert [path.name for path in library.iterdir()] == ["A.webp"]
    assert "2 sidecars new" in export(product, "--into", "mirror")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [(["--undo", "--into", "x"], "leave the other flags out"), (["--names", "x"], "names")],
)
def test_wrong_use(product: Product, flags: list[str], sentence: str) -> None:
    assert sentence in product.call("export-xmp", *flags, code=64).stderr


def test_captions_of_another_folder(product: Product) -> None:
    caption_all(product)
    done = product.call("export-xmp", "--photos-dir", str(product.photos / "2023"), code=1)
    assert "belong to another folder" in done.stderr


def test_without_a_journal(product: Product) -> None:
    assert "does not exist: check its name" in export(product, code=1)
    assert "nothing to undo" in undo(product, code=1)
