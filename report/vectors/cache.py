"""Owns vectors on disk, so that no photo is embedded twice. Disposable: never needed for a right answer, never trusted.

    FOLDER/clip-ViT-B-32-4f1d2a90c3be/0512-<SHA-256 of the file's content>.chunk

A chunk is one line of JSON (the embedder's name, the length of a vector, the keys in order), then the vectors as
little-endian float16, row by row. It is written aside and renamed, and its name holds its checksum: a chunk that is
cut short or changed on disk no longer bears its own name. For that reason nothing is ever synced.

Half precision, because it halves what a million photos take (1 GB), and moves a cosine by less than 1e-4.
"""

from __future__ import annotations

import json
import logging
import os
import re
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

Key = tuple[str, int, int]
"""What a vector was made of: a photo's rel_path, its size in bytes and its mtime in ns."""
Vectors = NDArray[np.float16]

CHUNK = 512
"""Rows of a full chunk: the most that a kill can cost."""
_SMALL_CHUNKS = 16
"""How many chunks may stay smaller than that; a report a day would leave hundreds."""
_SUFFIX = ".chunk"

_log = logging.getLogger("captioner.report")


def embedders_in(folder: Path) -> list[str]:
    """Return the names of the embedders whose vectors are in a cache, that of the newest first."""
    found = {}
    with suppress(OSError):
        for path in folder.glob(f"*/*{_SUFFIX}"):
            if path.parent not in found:
                with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
                    found[path.parent] = str(json.loads(file.readline())["embedder"])
    return [found[one] for one in sorted(found, key=lambda one: one.stat().st_mtime, reverse=True)]


class EmbeddingCache:
    """The vectors of one embedder, whose `name` changes whenever its vectors would. Used by one thread at a time.

    Trouble with the disk costs the cache, never the run: it is said once, and the vectors are computed again next time.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Open the cache that lies, or will lie, in `folder`; nothing is read or written yet."""
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:40]
        self._folder = folder / f"{plain}-{sha256(name.encode()).hexdigest()[:12]}"
        self._name = name
        self._keys: list[Key] = []
        self._vectors: list[Vectors] = []
        self._writable = True
        self._warned = False

    def get(self, wanted: Container[Key]) -> Iterator[tuple[Key, Vectors]]:
        """Yield every key of `wanted` that is on disk with its vector, in no useful order; one chunk is in memory.

        `wanted` is asked row by row, so a key can be taken out of it once it has come.
        """
        for keys, vectors in self.chunks():
            for key, vector in zip(keys, vectors, strict=True):
                if key in wanted:
                    yield key, vector

    def chunks(self) -> Iterator[tuple[list[Key], Vectors]]:
        """Yield all that is on disk, some keys with their vectors, (n, d), at a time."""
        for path in self._chunks():
            keys, vectors = self._read(path)
            if keys:
                yield keys, vectors

    def state(self) -> str:
        """Return what changes when other vectors are on disk; empty if there are none."""
        names = "".join(path.name for path in self._chunks())
        return sha256(names.encode()).hexdigest() if names else ""

    def put(self, keys: Sequence[Key], vectors: Vectors) -> None:
        """Keep `vectors`, (n, d), a row a key. Every `CHUNK` of them are written at once, the rest by `flush`."""
        if not self._writable:
            return
        self._keys += keys
        self._vectors += [row.copy() for row in vectors]  # a view would hold the whole batch
        while len(self._keys) >= CHUNK:
            self._write_out(CHUNK)

    def flush(self) -> None:
        """Write what is in hand; small chunks of many runs become one."""
        if self._keys:
            self._write_out(len(self._keys))
        small = [path for path in self._chunks() if not path.name.startswith(f"{CHUNK:04}-")]
        if self._writable and len(small) > _SMALL_CHUNKS:
            self._merge(small)

    def _write_out(self, count: int) -> None:
        try:
            if self._writable:
                self._write(self._keys[:count], self._vectors[:count])
        except OSError as error:
            self._give_up(error)
        del self._keys[:count], self._vectors[:count]

    def _merge(self, paths: list[Path]) -> None:
        """Replace the chunks by as few as hold their rows. They go last: a kill leaves rows twice, which harms nothing."""
        rows = {
            key: vector for path in paths for key, vector in zip(*self._read(path), strict=True)
        }  # by key: what two runs or a kill left twice becomes one
        keys = sorted(rows)
        try:
            written = {
                self._write(keys[i : i + CHUNK], [rows[key] for key in keys[i : i + CHUNK]])
                for i in range(0, len(keys), CHUNK)
            }
            for path in set(paths) - written:
                path.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)

    def _write(self, keys: Sequence[Key], vectors: Sequence[Vectors]) -> Path:
        head = {"embedder": self._name, "dimensions": len(vectors[0]), "keys": keys}
        body = np.stack(vectors).astype("<f2", copy=False).tobytes()
        data = json.dumps(head).encode() + b"\n" + body
        path = self._folder / f"{len(keys):04}-{sha256(data).hexdigest()}{_SUFFIX}"
        aside = self._folder / "part"  # one name for all, so that kills leave one such file at most
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_bytes(data)
            os.replace(aside, path)
        except OSError:
            with suppress(OSError):
                aside.unlink()
            raise
        return path

    def _read(self, path: Path) -> tuple[list[Key], Vectors]:
        """Return a chunk's keys and vectors, (n, d); none if it is damaged, and then it is thrown away."""
        nothing: tuple[list[Key], Vectors] = [], np.empty((0, 0), np.float16)
        try:
            data = path.read_bytes()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._warn(f"{path} cannot be read ({error.strerror}): its photos are embedded again.")
            return nothing
        try:
            if path.stem.partition("-")[2] != sha256(data).hexdigest():
                raise ValueError("not what was written")
            end = data.index(b"\n")
            head = json.loads(data[:end])
            if head["embedder"] != self._name:
                raise ValueError("another embedder's")
            keys = [(str(name), int(size), int(time)) for name, size, time in head["keys"]]
            vectors = np.frombuffer(data, "<f2", offset=end + 1).reshape(len(keys), head["dimensions"])
        except (ValueError, KeyError, TypeError):
            self._warn(f"A part of the cache {self._folder} is damaged: its photos are embedded again.")
            with suppress(OSError):
                path.unlink()
            return nothing
        return keys, vectors.astype(np.float16, copy=False)

    def _chunks(self) -> list[Path]:
        with suppress(OSError):
            return sorted(self._folder.glob(f"*{_SUFFIX}"))
        return []

    def _give_up(self, error: OSError) -> None:
        self._writable = False
        self._warn(
            f"The cache {self._folder} cannot be written ({error.strerror}): this report does without, the next one "
            "embeds these photos again. Make room there, or give another --out-dir."
        )

    def _warn(self, text: str) -> None:
        if not self._warned:
            _log.warning(text)
        self._warned = True
