"""How many photos go to a local model at once, what happens when they do not fit after all, and that like go with like."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends import batches, local_hf, steps
from backends.base import Caption, CaptionBackend
from backends.batches import GAIN, LARGEST, Trial, best_batch, find_batch, most_in_memory
from backends.local_hf import LocalHFBackend
from backends.one_thread import OneThread
from backends.precision import Device
from backends.steps import Steps
from config import Settings
from engines.captioning import Captioner
from engines.threads import alike
from errors import StopRunError
from image_loader import MAX_SIDE
from tests.helpers.local_backend import examples, load, models
from tests.helpers.tape import Tapes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


__all__ = ["models"]  # fixtures
GB = 1e9


def trials(shared: float, a_photo: float, upto: int = 8, gb: float = 0.1) -> list[Trial]:
    """Trials on a card on which a batch takes `shared` seconds and `a_photo` more for each photo, and `gb` of memory."""
    sizes = [2**power for power in range(upto.bit_length())]
    return [Trial(size, shared + size * a_photo, 4 * GB + size * gb * GB) for size in sizes]


@pytest.mark.parametrize(
    ("tried", "room", "largest", "batch"),
    [
        (trials(1.6, 0.049, 32), 80 * GB, LARGEST, 256),  # an H100 with one call for vision: 256 still gain
        (trials(1.6, 0.049, 32), 80 * GB, 100, 100),  # the machine holds no more pictures
        (trials(0.2, 0.14, 32), 80 * GB, LARGEST, 16),  # each photo takes long: twice as many bring under 5 %
        (trials(1.6, 0.5, 4, gb=0.4), 8 * GB, LARGEST, 8),  # 7.2 of 8 GB are used, 4 and 0.4 a photo
        (trials(1.6, 0.5, 1), 8 * GB, LARGEST, 1),  # two did not fit
        (trials(1.6, 0.5, 2, gb=3.0), 8 * GB, LARGEST, 1),  # two fit, and leave no tenth free
        (trials(1.6, 0.0, 8, gb=0.0), 8 * GB, LARGEST, 256),  # neither time nor memory
    ],
)
def test_the_batch_is_what_fits_and_pays(tried: list[Trial], room: float, largest: int, batch: int) -> None:
    assert best_batch(tried, room, largest)[0] == batch


@given(
    shared=st.floats(0, 10),
    a_photo=st.floats(0.001, 2),
    upto=st.sampled_from([1, 2, 4, 8, 16, 32]),
    gb=st.floats(0, 1),
    room=st.floats(1, 100),
    largest=st.integers(1, LARGEST),
)
def test_no_batch_is_too_large(
    shared: float, a_photo: float, upto: int, gb: float, room: float, largest: int
) -> None:
    """It fits by what was tried, and so does what it is the double of; the last doubling has paid."""
    tried = trials(shared, a_photo, upto, gb)
    batch, rate = best_batch(tried, room * GB, largest)
    assert 1 <= batch <= max(1, largest)
    assert rate > 0
    if batch > 1:
        assert 4 * GB + batch * gb * GB <= 0.9 * room * GB + 1e4  # what a division rounds
        half = 2 ** ((batch - 1).bit_length() - 1)
        gain = (shared / half + a_photo) / (shared / (2 * half) + a_photo)
        assert gain >= GAIN * 0.999


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")])
def test_the_trials_stop_where_photos_do_not_fit(trouble: Exception) -> None:
    asked: list[int] = []

    def attempt(count: int) -> Trial:
        asked.append(count)
        if count > 11:
            raise trouble
        return Trial(count, 2 + 0.01 * count, count * GB)

    assert find_batch(attempt, lambda: 11 * GB / 0.9, LARGEST)[0] == 11
    assert asked == [1, 1, 2, 4, 8, 16]


def test_a_trial_does_not_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow card with much memory: a restart must not try for minutes what can be calculated."""
    monkeypatch.setattr(batches, "LONGEST_TRIAL", 0.1)
    asked: list[int] = []

    def attempt(count: int) -> Trial:
        asked.append(count)
        time.sleep(0.06 if count > 2 else 0)
        return Trial(count, 2 + 0.01 * count, count * GB)

    assert find_batch(attempt, lambda: 500 * GB, LARGEST)[0] == LARGEST
    assert asked == [1, 1, 2, 4]


def test_pictures_leave_room_in_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "available_memory", lambda: 4 * GB)
    assert most_in_memory(0) == int(1 * GB / (12 * MAX_SIDE**2))
    assert most_in_memory(20e6) < most_in_memory(0)
    monkeypatch.setattr(batches, "available_memory", lambda: 400 * GB)
    assert most_in_memory(20e6) == LARGEST
    monkeypatch.setattr(batches, "available_memory", lambda: 0.0)
    assert most_in_memory(0) == 1


class Card:
    """There is no card here: its figures are given, the probe and the model are real. `fits` photos go into it at once."""

    def __init__(self, backend: LocalHFBackend, patch: pytest.MonkeyPatch, fits: int) -> None:
        self.fits = fits
        self.sizes: list[int] = []
        self.peak = 0.0
        generate = backend._model.generate

        def bounded(**inputs: Any) -> torch.Tensor:
            self.sizes.append(len(inputs["input_ids"]))
            if self.sizes[-1] > self.fits:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            self.peak = 4 * GB + self.sizes[-1] * 0.4 * GB
            answer: torch.Tensor = generate(**inputs)
            return answer

        backend._model.generate = bounded
        backend.device = Device("cuda", "a card", 3 * GB, 8 * GB)
        for name, value in {
            "synchronize": None,
            "empty_cache": None,
            "memory_allocated": 4 * GB,
            "mem_get_info": ((4.01 + fits * 0.4) / 0.9 * GB - 5 * GB, 99 * GB),
            "memory_reserved": 5 * GB,
        }.items():
            patch.setattr(torch.cuda, name, lambda value=value: value)
        patch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: setattr(self, "peak", 0.0))
        patch.setattr(local_hf, "MAX_SIDE", 224)
        patch.setattr(torch.cuda, "max_memory_allocated", lambda: self.peak or 4 * GB)
        patch.setattr(local_hf, "most_in_memory", lambda _: LARGEST)


@pytest.mark.parametrize("fits", [9, 5, 1])
def test_the_batch_for_a_card_is_probed(
    fits: int,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models("qwen2_5_vl"))
    card = Card(backend, monkeypatch, fits)
    monkeypatch.setattr(batches, "LONGEST_TRIAL", 600.0)
    monkeypatch.setattr(batches, "GAIN", 0.0)  # this processor gains little from a batch
    monkeypatch.setattr(Steps, "try_played", lambda *_: None)
    with caplog.at_level(logging.INFO, "captioner.local"):
        assert backend._fitting_batch() == fits
    assert f"{fits} photos at a time make about" in caplog.text
    assert card.sizes[:2] == [1, 1]
    assert max(card.sizes) <= 2 * fits


def test_a_card_for_one_photo_plays_its_steps(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(models("qwen2_5_vl"))
    card = Card(backend, monkeypatch, 1)
    tapes = Tapes()
    backend._steps = Steps(backend._model, 128, tapes)
    monkeypatch.setattr(steps, "_FASTER", 1000.0)
    assert backend._fitting_batch() == 1
    assert backend._steps.played
    assert card.sizes[:4] == [2, 1, 1, 1]
    assert tapes.tapes[-1].plays > 2


def test_the_faster_ways_can_be_left_out(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card on which one of them fails so that nothing works any more would caption no photo."""
    settings = Settings(LOCAL_PLAIN=True)
    backend = LocalHFBackend(str(models("qwen2_5_vl")), settings, "Describe this photo.")
    Card(backend, monkeypatch, 4)
    for name in ("pack_vision", "compile_vision"):
        monkeypatch.setattr(local_hf, name, None)
    monkeypatch.setattr(Steps, "try_played", None)
    assert backend._fitting_batch() in {1, 2, 3, 4}
    backend.get_ready(10**6)
    assert len(backend.caption_batch(examples()[:3])) == 3


def test_a_card_that_fails_at_the_start_is_said(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: LocalHFBackend) -> int:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with ...")

    monkeypatch.setattr(LocalHFBackend, "_fitting_batch", fails)
    for plain, words in ((False, "put LOCAL_PLAIN=1 into config.env"), (True, "choose another --model")):
        with pytest.raises(StopRunError) as stop:
            LocalHFBackend(str(models("qwen2_5_vl")), Settings(LOCAL_PLAIN=plain), "Describe this photo.")
        assert words in str(stop.value)
        assert "device-side assert" in str(stop.value)
        assert "\n" not in str(stop.value)
    assert "LOCAL_PLAIN" not in str(stop.value)


def test_a_card_too_small_for_one_is_said(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(models("qwen2_5_vl"))
    Card(backend, monkeypatch, 0)
    with pytest.raises(MemoryError):
        backend._fitting_batch()


@pytest.mark.parametrize("again", [False, True])
def test_what_is_made_on_the_card_may_not_fit(
    again: bool, models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory while the input is made, for captions or for second tries: smaller batches, and nothing is kept."""
    backend = load(models("qwen2_5_vl"))
    processor = backend._processor
    seen: list[weakref.ref[torch.Tensor]] = []

    def small(**options: Any) -> Any:
        made = processor(**options)
        seen.append(weakref.ref(made["pixel_values"]))
        if len(options["images"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return made

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    backend._inputs._processor = small
    call = backend.recaption_batch if again else backend.caption_batch
    with pytest.raises(MemoryError):
        call(examples())
    assert seen[0]() is None
    assert len(call(examples()[:2])) == 2


def test_a_processor_that_knows_no_card_prepares_as_before(
    models: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    backend = load(models("qwen2_5_vl"))
    processor, inputs = backend._processor, backend._inputs

    def strange(**options: Any) -> Any:
        if "device" in options:
            raise TypeError("unexpected option: device")
        return processor(**options)

    expected = [answer.text for answer in backend.caption_batch(examples())]
    inputs._processor = strange
    inputs.on_card = True
    with pytest.raises(ValueError, match="aspect ratio"):  # the picture's fault: the way stays
        inputs.of([Image.new("RGB", (2000, 5))])
    assert inputs.on_card
    with caplog.at_level(logging.INFO, "captioner.local"):
        assert [answer.text for answer in backend.caption_batch(examples())] == expected
        backend.caption_batch(examples())
    assert (
        caplog.text.count("Pictures are prepared on the processor: TypeError: unexpected option: device.")
        == 1
    )
    assert not inputs.on_card


@pytest.mark.parametrize(
    "family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl", "florence2"]
)
def test_every_processor_takes_the_name_of_a_device(family: str, models: Callable[[str], Path]) -> None:
    backend = load(models(family))
    backend._inputs.on_card = True
    expected = backend._inputs._made(examples())
    got = backend._inputs.of(examples())
    assert backend._inputs.on_card
    for name, value in expected.items():
        assert torch.equal(torch.as_tensor(got[name]), torch.as_tensor(value)), name


def test_one_thread_does_all_and_says_what_went_wrong() -> None:
    one = OneThread()
    places = {one.call(threading.get_ident) for _ in range(3)}
    assert len(places) == 1
    assert threading.get_ident() not in places
    with pytest.raises(ZeroDivisionError):
        one.call(lambda: 1 / 0)
    assert one.call(lambda: 5) == 5


SHAPES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=30)


@given(shapes=SHAPES, size=st.integers(1, 12))
def test_like_pictures_go_together(shapes: list[tuple[int, int]], size: int) -> None:
    pictures: Any = [(None, Image.new("RGB", shape)) for shape in shapes]
    chosen = alike(pictures, size)
    assert chosen[0] == 0  # the one that has waited longest
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(size, len(shapes))

    def unlike(number: int) -> int:
        return abs(shapes[number][0] * shapes[number][1] - shapes[0][0] * shapes[0][1])

    left = [number for number in range(len(shapes)) if number not in chosen]
    if left:
        assert max(map(unlike, chosen)) <= min(map(unlike, left))


class Unsure(CaptionBackend):
    """Every third first answer is no caption; it notes how many second tries come together."""

    single_threaded = True
    batch_size = 9
    model = "unsure"

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.together: list[int] = []

    def caption(self, image: Image.Image) -> Caption:
        return Caption("" if image.width % 3 == 0 else f"A plain wall of width {image.width}.", "stop")

    def recaption(self, image: Image.Image) -> Caption:
        return Caption(f"A second look at a wall of width {image.width}.", "stop")

    def recaption_batch(self, images: Sequence[Image.Image]) -> Sequence[Caption | str]:
        self.together.append(len(images))
        if self.trouble:
            raise self.trouble
        return super().recaption_batch(images)


@pytest.mark.parametrize("trouble", [None, MemoryError("not enough"), RuntimeError("a bug")])
def test_second_tries_go_together(trouble: Exception | None) -> None:
    backend = Unsure(trouble)
    captioner = Captioner(backend, "unsure/unsure", stop=threading.Event())
    batch: Any = [(number, Image.new("RGB", (number, 1))) for number in range(1, 10)]
    made = {outcome.photo: outcome for outcome in captioner.caption_batch(batch) if outcome}
    assert backend.together == [3]
    assert {outcome.status for outcome in made.values()} == {"success"}
    for number, outcome in made.items():
        assert ("second look" in str(outcome.caption)) == (number % 3 == 0)  # type: ignore[operator]
        assert str(outcome.caption).endswith(f"width {number}.")
    assert captioner.batch_size == 9
