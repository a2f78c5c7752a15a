"""The cache of vectors that is never trusted: damage, kills, full disks."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from report.vectors.cache import CHUNK, EmbeddingCache, Key
from tests.helpers.embedding import python


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
