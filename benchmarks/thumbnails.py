"""
Measures how many photos/s get their thumbnails: `make_pictures` against a bare pool that decodes and encodes the same.

The bare pool is a process per core that opens, drafts, turns, scales and saves, without index, moments, or care for files
that crash their decoder. HEICs get a preview as well, on both sides. "a photo" leaves out the start of the children, which
a photo a core shows; "whole" is all of it. "cpu ms" is the work of all processes for a photo, which other programs on the
machine disturb less than the wall time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from make_photos import PHONE, make_library, photo
from PIL import Image, ImageOps
from processes import CORES, ROOT, Took

sys.path.insert(0, str(ROOT))
import image_loader  # noqa: F401 - lets Pillow open HEICs, with one thread each
from library.walk import walk
from report.files.thumbnails import FOLDER, PREVIEW, THUMBNAIL, make_pictures

if TYPE_CHECKING:
    from library.walk import Photo

QUALITY = 80


def bare_photo(job: tuple[str, str, bool]) -> None:
    path, out, needs_preview = job
    side = PREVIEW if needs_preview else THUMBNAIL
    with Image.open(path) as image:
        image.draft("RGB", (side, side))
        picture = ImageOps.exif_transpose(image)
    if needs_preview:
        picture.thumbnail((PREVIEW, PREVIEW))
        picture.save(f"{out}.preview.jpg", quality=QUALITY)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(f"{out}.jpg", quality=QUALITY)


def bare_pool(photos: list[Photo], out_dir: Path) -> None:
    out_dir.mkdir()
    jobs = [
        (each.path, f"{out_dir}/{number}", each.path.endswith(".heic")) for number, each in enumerate(photos)
    ]
    with multiprocessing.Pool(len(CORES)) as pool:
        for _ in pool.imap_unordered(bare_photo, jobs):
            pass


def product(photos: list[Photo], out_dir: Path) -> None:
    made = make_pictures(photos, out_dir, out_dir / "cache")
    assert all(picture.thumbnail for picture in made)


def _work() -> float:
    """Return the seconds that this process and those it has started, and which have ended, worked."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def heic_library(folder: Path, count: int, size: tuple[int, int]) -> None:
    folder.mkdir()
    original = folder.with_name("original.heic")
    photo(size).save(original, quality=45)  # 2 MB, as phones make them
    for number in range(count):
        shutil.copy(original, folder / f"{number:06}.heic")


def measure(photos: list[Photo], folder: Path, rounds: int) -> dict[str, tuple[Took, Took]]:
    """Return what all photos and what a photo a core took each side, medians; they take turns, the first warms up."""
    took: dict[tuple[str, int], list[Took]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, run in (("make_pictures", product), ("bare pool", bare_pool)):
            for some in (photos, photos[: len(CORES)]):
                work, start = _work(), time.perf_counter()
                run(some, folder / f"{name}-{len(some)}-{number}")
                if number:
                    took[name, len(some)].append(Took(time.perf_counter() - start, _work() - work))
    middle = {key: Took(*map(median, zip(*tooks, strict=True))) for key, tooks in took.items()}
    return {name: (middle[name, len(photos)], middle[name, len(CORES)]) for name, _ in middle}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=240, help="JPEGs; a tenth as many HEICs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few and small photos, one round")
    options = parser.parse_args()
    count, rounds = (8, 1) if options.quick else (options.photos, options.rounds)
    size = (1200, 900) if options.quick else PHONE
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_library(folder / "JPEG", count, size, distinct=1 if options.quick else 4)
        heic_library(folder / "HEIC", max(4, count // 10), size)
        print(f"{size[0]} x {size[1]} pixels, {len(CORES)} cores, medians of {rounds} alternating rounds")
        print(
            f"{'':<5}{'photos':>6} {'':<14} {'whole, s':>8} {'start, s':>8} {'ms a photo':>10} {'cpu ms':>7} {'photos/s':>8}"
        )
        for kind in ("JPEG", "HEIC"):
            photos = walk(folder / kind).photos
            out = folder / f"{kind} out"
            out.mkdir()
            took = measure(photos, out, rounds)
            each = {}
            for name, (whole, start) in took.items():
                wall, work = ((a - b) / (len(photos) - len(CORES)) for a, b in zip(whole, start, strict=True))
                each[name] = Took(wall, work)
                print(
                    f"{kind:<5}{len(photos):>6} {name:<14} {whole.wall:>8.2f} {start.wall:>8.2f} {wall * 1e3:>10.2f} "
                    f"{work * 1e3:>7.2f} {1 / wall:>8.1f}"
                )
            ours, bare = each["make_pictures"], each["bare pool"]
            in_all = took["bare pool"][0].wall / took["make_pictures"][0].wall
            files = out / f"make_pictures-{len(photos)}-{rounds}" / FOLDER
            small, large = (
                [p.stat().st_size for p in files.glob(f"{part}/*/*.jpg")]
                for part in ("thumbnails", "previews")
            )
            print(
                f"{kind:<5}photos/s of make_pictures / bare pool: {bare.wall / ours.wall:.3f} by the photo, "
                f"{bare.cpu / ours.cpu:.3f} by its work, {in_all:.3f} whole (goal 0.9); "
                f"{sum(small) / len(small) / 1e3:.1f} kB a thumbnail"
                + (f", {sum(large) / len(large) / 1e3:.0f} a preview" if large else "")
            )


if __name__ == "__main__":
    main()
