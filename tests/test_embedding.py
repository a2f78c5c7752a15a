"""The way from photos to rows of vectors: one for each photo, made once, and a reason for the rest."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import StopRunError, UnavailableImageError
from image_loader import load_image
from library.walk import Photo, walk
from report.photos import STREAK
from report.vectors.cache import CHUNK, EmbeddingCache
from report.vectors.embed import Floats, embed_photos, unit
from report.vectors.pixels import PixelsEmbedder
from tests.conftest import ROOT, draw
from tests.helpers.embedding import KILLED, Counting, cache_folder, embed, python

__all__ = ["cache_folder"]  # fixtures


def test_a_row_for_each_photo_and_a_reason_for_the_rest(photos: Path, cache_folder: Path) -> None:
    library = walk(photos).photos
    (photos / "cover.bmp").unlink()
    embedder = Counting()
    steps: list[int] = []
    cache = EmbeddingCache(cache_folder, embedder.name)
    result = embed_photos(library, embedder, cache, progress=steps.append)
    names = [photo.rel_path for photo in library]
    assert [names[place] for place in result.places] == [
        *(f"2023/IMG_{number:04}.JPG" for number in range(7)),
        "2024/IMG_0008.webp",
        "2024/Screenshot 1.png",
    ]
    reasons = {names[place]: missing for place, missing in result.missing.items()}
    assert set(reasons) == {"2024/IMG_0009.JPG", "2024/IMG_0010.MOV", "cover.bmp"}
    assert reasons["2024/IMG_0009.JPG"].reason.startswith("cut short")
    assert not isinstance(reasons["2024/IMG_0009.JPG"], UnavailableImageError)
    assert reasons["2024/IMG_0010.MOV"].reason == "video"
    assert isinstance(reasons["cover.bmp"], UnavailableImageError)
    assert result.new == 9
    assert sum(embedder.calls) == 9
    assert steps[0] == 1, "the video"
    assert sum(steps) == len(library)
    assert np.allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-6)
    alone = unit(embedder.images([load_image(photos / "2023/IMG_0003.JPG", embedder.max_side)]))
    assert np.allclose(result.vectors[3], alone, atol=1e-3)


def test_the_second_run_embeds_only_what_is_new(photos: Path, cache_folder: Path) -> None:
    first = embed(walk(photos).photos, cache_folder)
    again = Counting()
    second = embed(walk(photos).photos, cache_folder, again)
    assert not again.calls
    assert second.new == 0
    assert second.vectors.tobytes() == first.vectors.tobytes()
    draw(photos / "2023" / "IMG_0002.JPG", shade=200)
    draw(photos / "2022" / "new.jpg", shade=201)
    os.utime(photos / "2023" / "IMG_0004.JPG", ns=(1, 1))
    third = embed(walk(photos).photos, cache_folder, again)
    assert sum(again.calls) == third.new == 3
    assert len(third.vectors) == len(first.vectors) + 1
    for file in cache_folder.glob("*/*"):
        file.write_bytes(file.read_bytes()[:-1])
    rebuilt = embed(walk(photos).photos, cache_folder)
    assert rebuilt.new == len(rebuilt.vectors)
    assert rebuilt.vectors.tobytes() == third.vectors.tobytes()


def test_a_vector_depends_on_its_photo_alone(photos: Path, tmp_path: Path) -> None:
    library = walk(photos).photos
    whole = embed(library, tmp_path / "a")
    for part, batch in ((library[::-1], 1), (library[3:5], 2), (library * 2, 7)):
        result = embed(part, tmp_path / f"b{batch}", Counting(batch))
        for row, place in enumerate(result.places):
            at = library.index(part[place])
            assert result.vectors[row].tobytes() == whole.vectors[list(whole.places).index(at)].tobytes()


def test_no_photo_no_rows(photos: Path, cache_folder: Path) -> None:
    assert embed([], cache_folder).vectors.shape[0] == 0
    videos = [photo for photo in walk(photos).photos if photo.is_video]
    result = embed(videos, cache_folder)
    assert len(result.vectors) == 0
    assert result.missing[0].reason == "video"


def test_a_lost_disk_stops_the_report(photos: Path, cache_folder: Path) -> None:
    there = walk(photos).photos[:3]
    gone = [Photo(f"lost/{number}.jpg", f"/no/such/{number}.jpg") for number in range(STREAK)]
    with pytest.raises(
        StopRunError, match=r"20 photos in a row could not be read .* what was made so far is kept"
    ):
        embed([*there, *gone], cache_folder)
    again = Counting()
    assert len(embed([*there, *gone[1:]], cache_folder, again).vectors) == 3
    assert sum(again.calls) in {0, 3}


def test_a_stop_keeps_what_was_embedded(tmp_path: Path, cache_folder: Path) -> None:
    library = [
        Photo(f"{number:03}.png", str(draw(tmp_path / "p" / f"{number:03}.png", shade=number)))
        for number in range(60)
    ]
    stop = threading.Event()
    embedder = Counting()
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        if done >= 20:
            stop.set()

    cache = EmbeddingCache(cache_folder, embedder.name)
    result = embed_photos(library, embedder, cache, stop=stop, progress=progress)
    assert 20 <= len(result.vectors) < 30
    assert result.missing[59].reason == "the run was stopped before it"
    rest = embed(library, cache_folder)
    assert rest.new == 60 - len(result.vectors)
    assert not rest.missing


class Numberless(PixelsEmbedder):
    def images(self, pictures: list[Image.Image]) -> Floats:
        vectors = super().images(pictures)
        vectors[0] = np.nan
        return vectors


def test_what_is_no_number_never_gets_on(photos: Path, cache_folder: Path) -> None:
    result = embed(walk(photos).photos, cache_folder, Numberless())
    assert np.isfinite(result.vectors).all()
    assert "not a vector of numbers" in result.missing[0].reason
    assert embed(walk(photos).photos, cache_folder).new > 0, "and is not in the cache"


@pytest.mark.slow
def test_kill_9_loses_a_chunk_at_most(tmp_path: Path, cache_folder: Path) -> None:
    total = 2 * CHUNK + 200
    file = draw(tmp_path / "one.png", size=(16, 16)).read_bytes()
    (tmp_path / "photos").mkdir()
    for number in range(total):
        (tmp_path / "photos" / f"{number:04}.png").write_bytes(file)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "photos", cache_folder], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        done = 0
        while done < CHUNK + 300:
            done = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split()
    assert process.returncode == -signal.SIGKILL
    done = max(done, *map(int, lines), 0) if lines else done
    result = embed(walk(tmp_path / "photos").photos, cache_folder)
    assert len(result.vectors) == total
    cached = total - result.new
    assert CHUNK <= cached < total
    assert cached > done - CHUNK


def test_pixels_import_no_torch(photos: Path, tmp_path: Path) -> None:
    script = (
        KILLED
        + "\nassert not {'torch', 'transformers', 'sentence_transformers', 'umap', 'numba'} & set(sys.modules)"
    )
    assert python(script, photos, tmp_path / "cache").stdout.split()[-1] == "12"


def test_pixels_tell_photos_apart(corpora: Path, cache_folder: Path) -> None:
    """The nearest five photos are of the same kind far more often than chance has it."""
    with open(corpora / "photos" / "labels.csv", newline="") as file:
        labels = {row["file"]: row for row in csv.DictReader(file)}
    library = walk(corpora / "photos").photos
    result = embed(library, cache_folder)
    assert len(result.vectors) == len(library) == len(labels) == 410
    rows = [labels[photo.rel_path] for photo in library]
    kinds = np.array([row["class"] for row in rows])
    twins = np.array([row["near_dup_group"] or str(number) for number, row in enumerate(rows)])
    likeness = result.vectors @ result.vectors.T
    likeness[twins[:, None] == twins] = -1
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :5]
    purity = float((kinds[nearest] == kinds[:, None]).mean())
    chance = float((kinds[:, None] == kinds).mean())
    print(f"purity {purity:.3f}, chance {chance:.3f}")
    assert purity > 5 * chance
