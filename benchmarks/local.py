"""
Measures captions by a local model: one by one, in batches by a bare loop, and by the product; on a card if there is one.

The models have real sizes and random weights, and every answer has 60 tokens. The bare loops have the pictures in memory;
the product gets 12-megapixel files. Its first call takes the photos that are ready when nothing is in the model yet, often
one, so it is counted from the beginning of its second call of `model.generate` to the end of its last.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

# Else OpenMP's threads wait by spinning, in the bare loops alone (the product has more threads than cores, and there they
# sleep): on a machine that does anything besides, those would take six times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from make_photos import make_library
from memory import peaks
from processes import ROOT, caption_command, start

sys.path.insert(0, str(ROOT))
from local_models import MODELS, NEW_TOKENS, Backend, Call, Took, write

from engines.captioning import Captioner
from engines.driver import drive, record
from engines.threads import caption_photos, local_decoders
from image_loader import MAX_SIDE, load_image
from journal import CaptionJournal
from library.walk import walk
from tests.helpers.tiny_model import build_tiny_vlm

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.outcome import Outcome

_PARTS = ("speed", "memory", "batches", "card")
_ONE, _PREPARED, _LOOP, _PRODUCT = (
    "one by one",
    "bare loop, inputs prepared beforehand",
    "bare loop, inputs prepared in it",
    "the product, over files",
)


class Load(NamedTuple):
    """How often each part does its work in a round."""

    rounds: int
    singles: int
    batches: int
    product_batches: int


def timed(photos: int, work: Callable[[], object]) -> Took:
    """Time `work`, which captions so many photos."""
    begin = time.perf_counter()
    work()
    return Took(time.perf_counter() - begin, photos)


def product(backend: Backend, library: Path) -> Took:
    """Caption the library as `caption.py run` does; the calls are in `backend.calls`."""
    backend.calls.clear()
    stop = threading.Event()
    path = library.with_name("captions.jsonl")
    path.unlink(missing_ok=True)
    journal = CaptionJournal(path)
    photos = walk(library).photos
    captioner = Captioner(backend, "local/random", stop=stop)

    def keep(outcomes: list[Outcome]) -> int:
        journal.write_many([record(outcome) for outcome in outcomes])
        return 0

    with journal.lock():
        result = drive(
            caption_photos(photos, captioner, local_decoders(MAX_SIDE), workers=1),
            keep,
            stop=stop,
            photos_dir=library,
            redone=frozenset(),
            seen=lambda _: None,
        )
    assert result.statuses == {"success": len(photos)}, result
    return counted(backend.calls)


def counted(calls: list[Call]) -> Took:
    """Return what the calls after the first took together."""
    steady = calls[1:] or calls
    seconds = steady[-1].end - steady[0].begin
    busy = sum(call.end - call.begin for call in steady)
    return Took(seconds, sum(call.photos for call in steady), 1 - busy / seconds)


def speed(backend: Backend, root: Path, load: Load) -> None:
    """Print photos a second of each way, in interleaved rounds, and how they compare."""
    batch, library = backend.batch_size, root / "library"
    paths = make_library(library, 1 + load.product_batches * batch, folders=4)
    images = [load_image(path) for path in paths[:4]]
    together = list(islice(cycle(images), batch))
    inputs = backend.prepare(together)
    print(
        f"{batch} photos at a time, {images[0].width} x {images[0].height} pixels, "
        f"{inputs['input_ids'].shape[1]} tokens of input and {NEW_TOKENS} of output",
        flush=True,
    )

    def one_by_one() -> None:
        for image in islice(cycle(images), load.singles):
            backend.generate(backend.prepare([image]))

    def prepared() -> None:
        for _ in range(load.batches):
            backend.generate(inputs)

    def in_the_loop() -> None:
        for _ in range(load.batches):
            backend.generate(backend.prepare(together))

    ways: dict[str, Callable[[], Took]] = {
        _ONE: lambda: timed(load.singles, one_by_one),
        _PREPARED: lambda: timed(load.batches * batch, prepared),
        _LOOP: lambda: timed(load.batches * batch, in_the_loop),
        _PRODUCT: lambda: product(backend, library),
    }
    preparing = timed(batch, lambda: backend.prepare(together)).seconds
    took: dict[str, list[Took]] = defaultdict(list)
    memory: Counter[str] = Counter()
    for number in range(load.rounds):
        for name, way in ways.items():
            if backend.device.kind == "cuda":
                torch.cuda.reset_peak_memory_stats()
            took[name].append(way())
            if backend.device.kind == "cuda":
                memory[name] = max(memory[name], torch.cuda.max_memory_allocated())
        rates = ", ".join(f"{took[name][-1].photos / took[name][-1].seconds:.3f}" for name in ways)
        sizes = ", ".join(f"{n} x {size}" for size, n in Counter(c.photos for c in backend.calls).items())
        print(f"round {number + 1}, photos/s: {rates}; the product's calls: {sizes} photos", flush=True)
    each = {name: median(one.seconds / one.photos for one in values) for name, values in took.items()}
    print(f"{'':<40}{'photos/s':>9}{'tokens/s':>9}{'of one by one':>14}{'on the card, GB':>16}")
    for name, seconds in each.items():
        used = f"{memory[name] / 1e9:.1f}" if memory[name] else "-"
        rate = 1 / seconds
        print(f"{name:<40}{rate:>9.3f}{NEW_TOKENS * rate:>9.1f}{each[_ONE] / seconds:>12.2f} x{used:>16}")
    waiting = median(one.waiting for one in took[_PRODUCT])
    print(
        f"the product against one by one: {each[_ONE] / each[_PRODUCT]:.2f} x (goal on a large card: 6)\n"
        f"its time a photo, of the bare loop's: {each[_PRODUCT] / each[_PREPARED]:.3f} with inputs prepared "
        f"beforehand (goal 1.15), {each[_PRODUCT] / each[_LOOP]:.3f} in it\n"
        f"nothing in the model: {waiting:.1%} of the product's time (goal under 10 %)\n"
        f"preparing a batch: {preparing:.2f} s"
    )


def batches(backend: Backend, root: Path, load: Load) -> None:
    """Print photos a second by the number of photos in a call, inputs prepared beforehand."""
    images = [load_image(path) for path in make_library(root / "four", 4)]
    sizes = (1, 2, 4, 8) if backend.device.kind == "cpu" else (1, 8, 32, 64, 128, 256)
    inputs = {size: backend.prepare(list(islice(cycle(images), size))) for size in sizes}
    took: dict[int, list[float]] = defaultdict(list)
    for _ in range(load.rounds):
        for size in sizes:
            took[size].append(timed(size, lambda n=size: backend.generate(inputs[n])).seconds)  # type: ignore[misc]
    for size, seconds in took.items():
        print(f"{size:>3} at a time: {size / median(seconds):.4f} photos/s", flush=True)


def memory(root: Path, counts: tuple[int, int]) -> None:
    """Print the peak of the product's process, with the tests' tiny model, over few photos and over many."""
    folder = build_tiny_vlm(root / "tiny-model")
    print(f"{'small photos':>15} {'parent, MB':>11}")
    seen = []
    for count in counts:
        library = root / f"small{count}"
        make_library(library, count, (640, 480), folders=10)
        command = caption_command(library, root / f"{count}.jsonl")
        command[command.index("mock")] = "local"
        seen.append(peaks(start([*command, "--model", str(folder)]))[0])
        print(f"{count:>15,} {seen[-1]:>11.0f}", flush=True)
    print(f"{'ratio':>15} {seen[1] / seen[0]:>11.2f} (target 1.2)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(_PARTS)}; the first two unless given")
    parser.add_argument("--model", choices=MODELS, help="qwen on a card, else smolvlm")
    parser.add_argument("--quick", action="store_true", help="the tiny model, few photos, one round")
    options = parser.parse_args()
    card = torch.cuda.is_available()
    model = "tiny" if options.quick else options.model or ("qwen" if card else "smolvlm")
    load = Load(rounds=3, singles=8, batches=3, product_batches=8)
    if options.quick:
        load = Load(rounds=1, singles=4, batches=2, product_batches=4)
    elif not card and model != "tiny":  # a photo takes half a minute
        load = Load(rounds=1, singles=2, batches=1, product_batches=2)
    parts = options.parts or _PARTS[:2]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if {"speed", "batches"} & set(parts):
            begin = time.perf_counter()
            files = write(model, root / model)
            written = time.perf_counter() - begin
            backend = Backend(files)
            print(
                f"{model} on {backend.device.name}: written in {written:.0f} s, loaded in {backend.seconds:.1f} s"
            )
            if "speed" in parts:
                speed(backend, root, load)
            if "batches" in parts:
                batches(backend, root, load)
            del backend
            torch.cuda.empty_cache()
        if "card" in parts:
            from local_card import measure  # noqa: PLC0415 - it needs what is above

            measure(model, root / "card", product, quick=options.quick)
        if "memory" in parts:
            memory(root, (8, 24) if options.quick else (200, 2_000))


if __name__ == "__main__":
    main()
