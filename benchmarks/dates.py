"""
Measures what dates cost: inside photos and beside them, each against what a report does all the same.

"Inside" is `read_moment` of a photo's bytes, against EXIF alone through Pillow and against making the thumbnail. "Beside" is
`find_moments` for a library, whose photos lie in folders of 500, with their dates in EXIF, in names, or in Takeout's JSON. All
is the work of this process, which other programs on the machine disturb less than the wall time.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from make_photos import PHONE, photo
from PIL import Image
from PIL.ExifTags import IFD, Base
from processes import ROOT

sys.path.insert(0, str(ROOT))
from library.moments import Moment, find_moments, read_moment
from library.walk import Photo

if TYPE_CHECKING:
    from collections.abc import Callable

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:DateCreated="2019-07-12T14:30:00">'
    + b"<a:b xmlns:a='c'>what a program remembers of its work</a:b>" * 80 + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)  # fmt: skip


def thumbnail(data: bytes) -> None:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (256, 256))
    image.thumbnail((256, 256))
    image.save(io.BytesIO(), "JPEG", quality=80)


def exif_alone(data: bytes) -> None:
    Image.open(io.BytesIO(data)).getexif().get_ifd(IFD.Exif).get(Base.DateTimeOriginal)


def work(task: Callable[[], object], rounds: int, times: int = 1) -> float:
    """Return the seconds of work of one call, a median; the first round warms up."""
    took = []
    for _ in range(rounds + 1):
        start = time.process_time()
        for _ in range(times):
            task()
        took.append((time.process_time() - start) / times)
    return median(took[1:])


def library(folder: Path, count: int, name: str) -> list[Photo]:
    names = [f"{number // 500:03}/{name.format(number)}" for number in range(count)]
    return [Photo(each, str(folder / each)) for each in names]


def inside(rounds: int, times: int, picture: Image.Image) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2019:07:12 14:30:00"
    print("inside, ms of work a photo      EXIF alone  read_moment  thumbnail   added to the thumbnail")
    for name in ("EXIF", "EXIF and 5 kB of XMP", "XMP", "nothing"):
        said = {"exif": exif.tobytes()} if "EXIF" in name else {}
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90, **(said | {"xmp": PACKET} if "XMP" in name else said))
        bare, ours, drawn = (
            work(partial(task, file.getvalue()), rounds, times)
            for task in (exif_alone, read_moment, thumbnail)
        )
        print(
            f"{name:<30} {bare * 1e3:>11.3f} {ours * 1e3:>12.3f} {drawn * 1e3:>10.1f} {(ours - bare) / drawn:>24.1%}"
        )


def beside(rounds: int, count: int, folder: Path) -> None:
    taken = json.dumps({"photoTakenTime": {"timestamp": "1562941800"}, "geoData": {}, "rest": "x" * 600})
    known = Moment(datetime(2019, 7, 12, tzinfo=UTC), "exif", (52.5, 13.4))
    print(f"\nbeside, {count:,} photos              s of work   us a photo")
    for name, spelled, own in (
        ("EXIF with a place", "DSC_{:05}.JPG", known),
        ("names", "IMG_20190712_14{:04}.jpg", Moment()),
        ("no date at all", "NODATE{:05}.JPG", Moment()),
        ("Takeout's JSON", "P{:05}.JPG", Moment()),
    ):
        photos = library(folder / name, count, spelled)
        for each in photos:
            path = Path(each.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            if "Takeout" in name:
                path.with_name(f"{path.name}.supplemental-metadata.json").write_text(taken)
        took = work(partial(find_moments, photos, [own] * count, [1.5e9] * count), rounds)
        print(f"{name:<30} {took:>10.2f} {took / count * 1e6:>12.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few and small photos, one round")
    options = parser.parse_args()
    count, rounds = (600, 1) if options.quick else (options.photos, options.rounds)
    inside(rounds, 2 if options.quick else 20, photo((1200, 900) if options.quick else PHONE))
    with tempfile.TemporaryDirectory() as temporary:
        beside(rounds, count, Path(temporary))


if __name__ == "__main__":
    main()
