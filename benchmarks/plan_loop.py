"""Captions photos as the plan's own loop does: submit 500, wait for all of them, submit the next 500."""

from __future__ import annotations

import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic import SecretStr

from backends import load_backend
from config import Settings
from image_loader import load_image
from library.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from library.walk import Photo

SUBMIT_BATCH = 500


def _batched(photos: Iterable[Photo], size: int) -> Iterator[list[Photo]]:
    iterator = iter(photos)
    while chunk := list(islice(iterator, size)):
        yield chunk


def main() -> None:
    folder, url, workers, journal = sys.argv[1:]
    backend = load_backend("openai", "m", Settings(OPENAI_API_KEY=SecretStr("k")), "Describe.", base_url=url)
    lock = threading.Lock()
    with open(journal, "a", encoding="utf-8") as file, ThreadPoolExecutor(int(workers)) as pool:

        def process_one(photo: Photo) -> None:
            caption = backend.caption(load_image(photo.path))
            with lock:
                file.write(
                    json.dumps({"rel_path": photo.rel_path, "caption": str(caption), "status": "success"})
                    + "\n"
                )
                file.flush()
                os.fsync(file.fileno())

        for batch in _batched(walk(Path(folder)).photos, SUBMIT_BATCH):
            futures = [pool.submit(process_one, photo) for photo in batch]
            for future in as_completed(futures):
                future.result()


if __name__ == "__main__":
    main()
