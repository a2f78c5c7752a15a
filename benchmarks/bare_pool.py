"""The yardstick of whole runs: `bare_pool.py FOLDER` decodes every file there on all cores, and does nothing else."""

from __future__ import annotations

import multiprocessing
import os
import sys

from processes import CORES, ROOT

sys.path.insert(0, str(ROOT))
from image_loader import load_image


def load_and_drop(path: str) -> None:
    load_image(path)


def main() -> None:
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names)
    with multiprocessing.Pool(len(CORES)) as pool:
        for _ in pool.imap_unordered(load_and_drop, paths):
            pass


if __name__ == "__main__":
    main()
