"""Measures `load_image` on camera raw files against the JPEG previews in them, in this process and on one core."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from make_photos import write_photo
from PIL import Image
from processes import CORES, ROOT, bind

sys.path.insert(0, str(ROOT))
from image_loader import load_image
from tests.helpers.raw_files import dng, thumbnail

SIZES = ((4032, 3024), (6000, 4000))


def seconds(path: Path) -> float:
    start = time.perf_counter()
    load_image(path)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    bind(CORES[:1])
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            jpeg, raw = Path(folder, "a.jpg"), Path(folder, "a.dng")
            write_photo(jpeg, size, 0)
            image = Image.open(jpeg).convert("RGB")
            raw.write_bytes(dng(image, thumbnail(image), jpeg.read_bytes()))
            load_image(raw)
            pairs = [(seconds(jpeg), seconds(raw)) for _ in range(rounds)]
            alone, inside = (median(side) for side in zip(*pairs, strict=True))
            print(
                f"{size[0]} x {size[1]}: JPEG {1000 * alone:.1f} ms, as the preview in a raw of {raw.stat().st_size / 1e6:.0f} MB "
                f"{1000 * inside:.1f} ms: {inside / alone:.2f} x"
            )


if __name__ == "__main__":
    main()
