"""Which photos are most like each: what "More like this" shows."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from journal import CaptionRecord
from report.groups.clustering import ALIKE, cluster
from tests.conftest import Product, draw
from tests.helpers.pixel_reports import report


@pytest.mark.parametrize("count", [1, 5, 60, pytest.param(300, marks=pytest.mark.slow)])
def test_the_nearest_by_all_distances(count: int) -> None:
    rows = np.random.default_rng(1).normal(size=(count, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.vstack([rows, np.zeros((1, 16), np.float32)])  # a photo that shows nothing is like no other
    near = cluster(rows, say=lambda _: None).near
    assert near is not None
    assert near.shape == (count + 1, min(ALIKE, count - 1))
    closeness = rows[:-1] @ rows[:-1].T
    np.fill_diagonal(closeness, -2)
    for row, found in enumerate(near[:-1]):
        assert sorted(found) == sorted(np.argsort(-closeness[row])[: near.shape[1]])
        assert (np.diff(closeness[row][found]) <= 1e-6).all()
    assert (near[-1] == count).all()


def test_copies_share_their_neighbours() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    near = cluster(rows, say=lambda _: None).near
    assert near is not None
    assert near[0].tolist() == near[1].tolist() == [2, 3]


def test_the_page_of_a_report(product: Product) -> None:
    """As the program writes it: who is alike, why a caption failed, and no folder of this disk."""
    paths = [draw(product.photos / f"{number}.jpg", shade=number * 40) for number in range(5)]
    failed = CaptionRecord(
        rel_path="3.jpg", caption=None, status="error_model", model="m", error=f"no answer, see '{paths[3]}'"
    )
    product.journal.write_text(failed.model_dump_json() + "\n")
    assert report(product).returncode == 0
    text = (product.folder / "cluster_report.html").read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert list(data["errors"].values()) == ["no answer, see 3.jpg"]
    files, alike = len(data["photos"]["name"]), data["alike"]
    near = np.frombuffer(base64.b64decode(alike["near"]), "<u2").reshape(files, alike["count"])
    assert near.max() < files
    assert all(len(set(near[photo]) - {photo}) == alike["count"] for photo in range(5))
    assert str(product.folder) not in text
    assert str(product.photos) not in text
