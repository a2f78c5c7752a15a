"""Ways to embed photos, here and in a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from library.walk import Photo
from report.vectors.base import Embedder
from report.vectors.cache import EmbeddingCache
from report.vectors.embed import Embedded, Floats, embed_photos
from report.vectors.pixels import PixelsEmbedder
from tests.conftest import ROOT


def python(script: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done


class Counting(PixelsEmbedder):
    """Remembers how many pictures came in each call."""

    def __init__(self, batch_size: int = 4) -> None:
        self.calls: list[int] = []
        self.batch_size = batch_size

    def images(self, pictures: list[Image.Image]) -> Floats:
        self.calls.append(len(pictures))
        return super().images(pictures)


@pytest.fixture
def cache_folder(tmp_path: Path) -> Path:
    return tmp_path / ".cluster_cache"


def embed(photos: list[Photo], folder: Path, embedder: Embedder | None = None) -> Embedded:
    embedder = embedder or PixelsEmbedder()
    return embed_photos(photos, embedder, EmbeddingCache(folder, embedder.name))


KILLED = """
import sys
from pathlib import Path
from library.walk import walk
from report.vectors.cache import EmbeddingCache
from report.vectors.embed import embed_photos
from report.vectors.pixels import PixelsEmbedder
embedder, done = PixelsEmbedder(), 0
def progress(count):
    global done
    done += count
    print(done, flush=True)
embed_photos(walk(Path(sys.argv[1])).photos, embedder, EmbeddingCache(Path(sys.argv[2]), embedder.name), progress=progress)
"""
