"""
Measures on a card what each step of a local model brings, from version 0.1.0's way to the product, and CLIP: `local.py card`.

A row is photos a second, the memory of the card, and for the product the share of time in which nothing was in the model.
It is made for five minutes on an H100, where it was not timed yet, and asserts that outputs agree. Without a card it runs all the same, with small
numbers that mean nothing.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from local_models import Backend, write, write_clip
from make_photos import make_library
from transformers import TorchAoConfig

from backends.attention import NEAR, PACKED, distance, use_own, use_packed, vision_outputs
from errors import in_one_line
from image_loader import load_image
from library.walk import walk
from report.vectors import clip
from report.vectors.cache import EmbeddingCache
from report.vectors.embed import embed_photos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local_models import Took
    from PIL import Image

_OLD_BATCH = 32
"""The largest of version 0.1.0."""
_SMALL = 7.4e9
"""What a card of 8 GB has free."""
_OLD = "as version 0.1.0 did"
_PRODUCT = "the product, over files"
_CARD = torch.cuda.is_available()


class Way(NamedTuple):
    """A way to caption: how many at once, and which steps it takes."""

    name: str
    batch: int
    packed: bool = False
    on_card: bool = False
    played: bool = False


def measure(model: str, root: Path, product: Callable[[Backend, Path], Took], *, quick: bool) -> None:
    """Print the tables for a model: with all of the card, with 8 GB of it, and CLIP. What fails says why, and the rest goes on.

    Raises:
        SystemExit: something failed.
    """
    begin = time.perf_counter()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    logging.getLogger("captioner.local").setLevel(logging.INFO)  # it says why it takes a slower way
    if _CARD:
        torch.cuda.set_device(0)
    card = torch.cuda.get_device_name() if _CARD else "the processor"
    print(f"{model} on {card}, torch {torch.__version__}")
    files = write(model, root / "model")
    paths = make_library(root / "library", 12 if quick else 640, folders=2 if quick else 8)
    fewer = root / "library" / "000"
    images = [load_image(path) for path in paths[:4]]
    print(f"written in {time.perf_counter() - begin:.0f} s")
    failed: list[str] = []
    with _tried("all of the card", failed):
        captions(files, images, root / "library", product, failed, held=0)
    _let_go()
    total = torch.cuda.get_device_properties(0).total_memory if _CARD else 4 * _SMALL
    if total > 2 * _SMALL:  # else that is what was measured
        if _CARD:
            torch.cuda.set_per_process_memory_fraction(_SMALL / total)
        with _tried(f"held to {_SMALL / 1e9:.1f} GB", failed):
            captions(files, images, fewer, product, failed, held=_SMALL)
        _let_go()
        with _tried("weights for 8 GB", failed):
            quantizations(files, images, failed)
        if _CARD:
            torch.cuda.set_per_process_memory_fraction(1.0)
    with _tried("CLIP", failed):
        vectors(root, fewer, images, tiny=quick)
    print(f"all of it: {time.perf_counter() - begin:.0f} s")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


@contextmanager
def _tried(name: str, failed: list[str]) -> Iterator[None]:
    """Say why a step fails, and go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - time on a card is short: one run shows all that fails
        print(f"{name:<34} failed: {in_one_line(error)}", flush=True)
        failed.append(name)


def _let_go() -> None:
    """Free what is on the card of a model that is no longer used: what was compiled of it too."""
    torch.compiler.reset()
    gc.collect()
    if _CARD:
        torch.cuda.empty_cache()


def captions(
    files: Path,
    images: list[Image.Image],
    library: Path,
    product: Callable[[Backend, Path], Took],
    failed: list[str],
    *,
    held: float,
) -> None:
    """Print a table: what each step brings, one after the other; the last row is the product over files.

    With memory held back it leaves out the steps between 0.1.0's way and the last one: there are five minutes for all.
    """
    backend = Backend(files, held)
    last = _chosen(backend, "+ steps recorded and played")
    can_pack = last.packed or not _CARD
    old = min(_OLD_BATCH, backend.batch_size)
    with _tried("all ways are taken", failed):
        assert not _CARD or all(last[2:]), last
    with _tried("outputs agree", failed):
        _agree(backend, images, can_pack=can_pack)
    with _tried("0.1.0's batch", failed):
        old = _old_batch(backend, images) if _CARD else backend.batch_size
    ways = [
        Way("one by one", 1),
        Way(_OLD, old),
        Way("+ vision in one call", old, can_pack),
        Way("+ inputs made on the card", old, can_pack, last.on_card),
        Way("+ the batch that pays", last.batch, can_pack, last.on_card),
        last._replace(packed=can_pack),
    ]
    head = f"held to {held / 1e9:.1f} GB" if held else "all of the card"
    print(f"{head:<34}{'batch':>6}{'photos/s':>10}{'of 0.1.0':>10}{'GB':>7}{'nothing in it':>15}")
    rates: dict[str, float] = {}
    for way in (ways[1], ways[-1]) if held and _CARD else ways:
        with _tried(way.name, failed):
            _row(way.name, way.batch, _bare(backend, images, way), rates)
    _switch(backend, packed=can_pack, played=last.played)
    if not (held and _CARD):
        with _tried("+ compiled", failed):
            first = _ready(backend)
            _row("+ compiled", backend.batch_size, _bare(backend, images, ways[-1]), rates)
            torch.compiler.reset()
            for block in _tower(backend).blocks:
                block._compiled_call_impl = None  # noqa: SLF001 - as after a restart
            print(
                f"{'':<34}compiled in {first:.1f} s, from what is kept on the disk in {_ready(backend):.1f}"
            )
    _switch(backend, packed=last.packed, played=last.played)
    with _tried(_PRODUCT, failed):
        _reset_peak()
        took = product(backend, library)
        rate = took.photos / took.seconds
        _row(_PRODUCT, backend.batch_size, (rate, _peak()), rates, f"{took.waiting:.1%}")
    print(f"loaded in {backend.seconds:.1f} s, of which trials {backend.trials:.1f}", flush=True)


def _ready(backend: Backend) -> float:
    """Return the seconds that it takes to get ready for a long run."""
    begin = time.perf_counter()
    backend.get_ready(1_000_000)
    return time.perf_counter() - begin


def _chosen(backend: Backend, name: str) -> Way:
    """Return the way that the backend has chosen for itself."""
    packed = _tower(backend).config._attn_implementation == PACKED  # noqa: SLF001
    return Way(name, backend.batch_size, packed, backend._inputs.on_card, backend._steps.played)  # noqa: SLF001


def quantizations(files: Path, images: list[Image.Image], failed: list[str]) -> None:
    """Print a table: how weights may be made small enough for 8 GB. NF4 is the product's; torchao is measured if it is there."""
    ways: dict[str, object] = {"NF4 (bitsandbytes)": None}
    if find_spec("torchao"):
        from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig  # noqa: PLC0415 - optional

        ways["int8, weights only (torchao)"] = TorchAoConfig(Int8WeightOnlyConfig())
        if _CARD:  # its kernel is a card's
            tiled = Int4WeightOnlyConfig(group_size=128, int4_packing_format="tile_packed_to_4d")
            ways["int4, weights only (torchao)"] = TorchAoConfig(tiled)
    print(f"{'weights for 8 GB':<34}{'batch':>6}{'photos/s':>10}{'of NF4':>10}{'GB':>7}")
    rates: list[float] = []
    for name, quantization in ways.items():
        with _tried(name, failed):
            _quantized(name, files, images, quantization, rates)
        _let_go()


def _quantized(
    name: str, files: Path, images: list[Image.Image], quantization: object, rates: list[float]
) -> None:
    """Print the row of one way. The model goes with this call, also if it fails."""
    backend = Backend(files, _SMALL, quantization)
    way = _chosen(backend, name)
    rate, peak = _bare(backend, images, way)
    rates.append(rate)
    print(f"{name:<34}{way.batch:>6}{rate:>10.3f}{rate / rates[0]:>8.2f} x{peak:>7.1f}", flush=True)


def _row(
    name: str, batch: int, measured: tuple[float, float], rates: dict[str, float], waiting: str = "-"
) -> None:
    rate, peak = measured
    rates[name] = rate
    against = f"{rate / rates[_OLD]:.2f} x" if _OLD in rates else "-"
    used = f"{peak:.1f}" if peak else "-"
    print(f"{name:<34}{batch:>6}{rate:>10.3f}{against:>10}{used:>7}{waiting:>15}", flush=True)


def _bare(backend: Backend, images: list[Image.Image], way: Way) -> tuple[float, float]:
    """Return photos a second of a loop without files, input by input, and the peak in GB; of two rounds the second."""
    _switch(backend, packed=way.packed, played=way.played)
    together = list(islice(cycle(images), way.batch))
    make = backend._inputs.of if way.on_card else backend.prepare  # noqa: SLF001
    rate = 0.0
    for _ in range(1 if way.batch > 2 * _OLD_BATCH else 2):  # large ones take long, and come after others
        _reset_peak()
        begin = time.perf_counter()
        backend.generate(make(together))
        rate = way.batch / (time.perf_counter() - begin)
    return rate, _peak()


def _reset_peak() -> None:
    if _CARD:
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float:
    """Return the most gigabytes that were in use on the card since."""
    return torch.cuda.max_memory_allocated() / 1e9 if _CARD else 0.0


def _tower(backend: Backend) -> Any:  # noqa: ANN401 - torch knows modules, not their parts
    return backend._model.model.visual  # noqa: SLF001


def _switch(backend: Backend, *, packed: bool, played: bool = False) -> None:
    backend._steps.played = played  # noqa: SLF001
    tower = _tower(backend)
    if packed:
        use_packed(tower)
    else:
        use_own(tower)


def _old_batch(backend: Backend, images: list[Image.Image]) -> int:
    """Return how many photos version 0.1.0 took: by the memory of one and of two."""
    _switch(backend, packed=False)
    peaks = []
    for count in (1, 2):
        torch.cuda.reset_peak_memory_stats()
        backend.generate(backend.prepare(images[:count]))
        peaks.append(torch.cuda.max_memory_allocated())
    more = (0.9 * backend._room() - peaks[0]) / max(peaks[1] - peaks[0], 1)  # noqa: SLF001
    return max(1, min(_OLD_BATCH, 1 + int(more)))


def _agree(backend: Backend, images: list[Image.Image], *, can_pack: bool) -> None:
    """Assert that inputs and what is seen in them stay the same from step to step."""
    of_processor = backend.prepare(images)
    of_card = backend._inputs.of(images)  # noqa: SLF001
    where = of_card["pixel_values"].device
    inputs = distance(of_processor["pixel_values"].to(where), of_card["pixel_values"])
    seen = []
    for packed in (False, can_pack):
        _switch(backend, packed=packed)
        seen.append(vision_outputs(backend._model, of_card))  # noqa: SLF001
    apart = distance(*seen)
    print(f"apart, as a share of their length: inputs {inputs:.4f}, vision {apart:.4f}", flush=True)
    assert inputs < NEAR, "the inputs differ"
    assert apart < NEAR, "what is seen differs"


def vectors(root: Path, library: Path, images: list[Image.Image], *, tiny: bool) -> None:
    """Print pictures a second of CLIP, of four and two bytes a number, from memory and over files; assert they agree."""
    folder = write_clip(root / "clip", tiny=tiny)
    pictures = [image.resize((448, 336)) for image in images]
    many = list(islice(cycle(pictures), 64 if tiny else 1024))
    photos = walk(library).photos
    print(f"{'CLIP':<34}{'pictures/s':>16}{'over files':>14}")
    found = []
    for half in (False, True):
        clip._fast_card = partial(bool, half)  # noqa: SLF001
        embedder = clip.ClipEmbedder(str(folder))
        found.append(embedder.images(pictures))
        begin = time.perf_counter()
        for start in range(0, len(many), embedder.batch_size):
            embedder.images(many[start : start + embedder.batch_size])
        rate = len(many) / (time.perf_counter() - begin)
        begin = time.perf_counter()
        done = embed_photos(photos, embedder, EmbeddingCache(root / f"cache{half}", embedder.name))
        files = len(photos) / (time.perf_counter() - begin)
        assert done.new == len(photos)
        print(
            f"{'two bytes' if half else 'four bytes'} a number{'':<15}{rate:>16.1f}{files:>14.1f}", flush=True
        )
    apart = float(np.abs(found[0] - found[1]).max())
    print(f"vectors are {apart:.4f} apart at most (goal 0.01)")
    assert apart < 1e-2
