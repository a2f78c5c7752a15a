"""`find` in pictures: by the vectors that a real report has left, by a model that is there or not, joined with captions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from journal import CaptionJournal
from report.vectors.cache import EmbeddingCache, embedders_in
from report.vectors.embed import unit
from search.captions import condition
from search.index import Index
from search.kept import with_index
from search.pictures import Pictures, open_pictures
from search.query import terms_of
from tests.conftest import ROOT, Product
from tests.helpers.reports import EXAMPLES, Report, clip, report, said
from tests.helpers.warm import WarmProcess

__all__ = ["clip", "report"]  # fixtures


def warm(report: Report, *flags: str) -> list[dict[str, object]]:
    """Return what `find` prints, from a process that need not import torch."""
    command = [str(ROOT / "caption.py"), "find", *flags, "--json"]
    process = WarmProcess(command, cwd=report.folder, env=report.env, folder=report.folder.parent)
    out, errors = process.communicate(300)
    assert process.returncode == 0, errors
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.slow
def test_a_report_with_a_model_lets_pictures_be_found(report: Report, clip: Path, tmp_path: Path) -> None:
    report.with_model("--photos-dir", str(EXAMPLES), "--clip-model", str(clip))
    report.write(
        said("2023/mountains/IMG_0412.JPG", "A lighthouse"), said("gone.jpg", "A lighthouse of sand")
    )
    flags = ("a", "lighthouse", "--clip-model", str(clip), "--limit", "30")
    pictures = warm(report, *flags, "--by", "image")
    nearest = [float(str(one["picture"])) for one in pictures]
    assert len(pictures) == 11
    assert nearest == sorted(nearest, reverse=True)
    assert {one["rel_path"] for one in pictures if one["caption"]} == {"2023/mountains/IMG_0412.JPG"}

    # The vector of the words is kept: once more without torch, and now captions count too.
    command = [sys.executable, "-X", "importtime", str(ROOT / "caption.py"), "find", *flags, "--json"]
    done = subprocess.run(
        command, cwd=report.folder, env=report.env, capture_output=True, text=True, check=True
    )
    assert not {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()} & {
        "torch",
        "sentence_transformers",
    }
    both = [json.loads(line) for line in done.stdout.splitlines()]
    assert both[0]["rel_path"] == "2023/mountains/IMG_0412.JPG"
    assert {one["rel_path"] for one in both} == {one["rel_path"] for one in pictures} | {"gone.jpg"}

    product = Product(report.folder, EXAMPLES)
    for more, why in (
        ((), "those of a model in a folder (tiny-clip): give that folder as --clip-model."),
        (("--clip-model", "nowhere/nothing"), "nowhere/nothing, is not on this machine: make the report here"),
    ):
        said_so = " ".join(product.call("find", "lighthouse", *more).stderr.split())
        assert said_so.startswith("Only captions are searched.")
        assert why in said_so
        assert why in " ".join(
            product.call("find", "lighthouse", *more, "--by", "image", code=1).stderr.split()
        )
    assert product.call("find", "lighthouse", "--by", "caption").stderr == ""


def vectors(folder: Path, rows: dict[str, list[float]], mtime: int = 1) -> EmbeddingCache:
    cache = EmbeddingCache(folder / ".cluster_cache", "made 448px")
    cache.put([(path, 1, mtime) for path in rows], np.array(list(rows.values()), np.float16))
    cache.flush()
    return cache


def near(journal: CaptionJournal, text: list[float], query: str = "") -> list[tuple[str, float]]:
    folder = journal.path.parent
    cache = EmbeddingCache(folder / ".cluster_cache", "made 448px")

    def use(index: Index, own: Path | None) -> list[tuple[str, float]]:
        index.catch_up(journal, folder / "cluster_export.csv")
        pictures = open_pictures(index, own, cache)
        assert pictures
        must = condition(terms_of(query, with_dates=True) or [], None)
        found = pictures.ranked(index, unit(np.array([text], np.float32))[0], must, 10)
        paths = [one.path for one in index.shown([number for number, _ in found])]
        return list(zip(paths, (cosine for _, cosine in found), strict=True))

    return with_index(journal, use, pytest.fail)


def test_vectors_are_those_of_the_photos_that_there_are_now(path: Path) -> None:
    journal = CaptionJournal(path)
    for name in "abc":
        journal.write(f"{name}.jpg", f"a photo {name}", "success")
    journal.close()
    vectors(path.parent, {"a.jpg": [1, 0], "b.jpg": [3, 4], "gone.jpg": [1, 0]})
    assert [name for name, _ in near(journal, [1, 0])] == ["a.jpg", "b.jpg"]
    ((name, cosine),) = near(journal, [1, 0], '"photo b"')
    assert (name, round(cosine, 2)) == ("b.jpg", 0.6)
    vectors(path.parent, {"a.jpg": [0, 1], "c.jpg": [1, 0]}, mtime=2)
    assert [name for name, _ in near(journal, [1, 0])] == ["c.jpg", "b.jpg", "a.jpg"]
    kept = path.parent / "captions.jsonl.find" / "pictures.i8"
    kept.write_bytes(kept.read_bytes()[:3])
    assert [name for name, _ in near(journal, [1, 0])] == ["c.jpg", "b.jpg", "a.jpg"]
    assert embedders_in(path.parent / ".cluster_cache") == ["made 448px"]


def test_bytes_are_as_good_as_floats(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = unit(
        rng.standard_normal((2000, 64), np.float32) * (1 + 20 * (np.arange(64) == 3)).astype(np.float32)
    )
    vectors(tmp_path, {f"{number}.jpg": row for number, row in enumerate(rows.tolist())})
    index = Index(None)
    (tmp_path / "captions.jsonl").touch()
    pictures = open_pictures(index, None, EmbeddingCache(tmp_path / ".cluster_cache", "made 448px"))
    assert isinstance(pictures, Pictures)
    order = [int(path[:-4]) for (path,) in index.database.execute("SELECT path FROM pictures ORDER BY row")]
    assert np.abs(pictures._cosines(rows[7]) - rows[order] @ rows[7]).max() < 0.01
    index.close()


def test_joined_finds_more_than_either_alone(corpora: Path) -> None:
    """With vectors made from the labels and noise: CLIP's own weights are not here."""
    command = [sys.executable, str(ROOT / "benchmarks" / "find.py"), "--recall", str(corpora / "photos")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    share = {
        part: float(number) for part, number in re.findall(r"^(\w+) +(\d\.\d+)", done.stdout, re.MULTILINE)
    }
    assert share["joined"] > max(share["captions"], share["pictures"])
