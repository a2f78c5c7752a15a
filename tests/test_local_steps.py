"""Steps of an answer that are recorded and played, with real models in small: every word stays as it was, or the old way does."""

from __future__ import annotations

import gc
import inspect
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.cache_utils import StaticLayer

from backends import steps
from backends.steps import Recorder, Steps
from tests.helpers.local_backend import examples, load, models
from tests.helpers.tape import Tapes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from backends.local_hf import LocalHFBackend

__all__ = ["models"]  # fixtures
DECODERS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl")


def taped(backend: LocalHFBackend) -> Tapes:
    """Have its steps played from tapes, as a card would play them."""
    tapes = Tapes()
    backend._steps = Steps(backend._model, backend._most_tokens, tapes)
    backend._steps.played = True
    return tapes


@pytest.mark.parametrize("family", DECODERS)
def test_played_steps_say_the_same(family: str, models: Callable[[str], Path]) -> None:
    """Photos of one shape, of many (with padding), one alone, second tries, and text: each is recorded once."""
    backend = load(models(family))
    ways: list[Callable[[], Any]] = [
        lambda: backend.caption_batch(examples()),
        lambda: backend.caption_batch([examples()[0]] * 3),
        lambda: backend.caption(examples()[1]),
        lambda: (torch.manual_seed(7), backend.recaption_batch(examples()[:3]))[1],
        lambda: backend.answer("Name three birds."),
    ]
    expected = [way() for way in ways]
    tapes = taped(backend)
    assert [way() for way in ways] == expected
    assert len(tapes.tapes) == len(ways)
    assert all(tape.plays > 2 for tape in tapes.tapes)
    assert backend._steps.played


def test_steps_of_four_bits_are_played(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some processors compute them with two bytes a number, so that words may differ where two are close."""
    backend = load(models("qwen2_5_vl"), quantize="int4")
    tapes = Tapes()
    backend._steps = Steps(backend._model, 128, tapes)
    monkeypatch.setattr(steps, "_FASTER", 1000.0)
    tried(backend)
    assert backend._steps.played
    assert tapes.tapes[0].plays > 2
    assert "4bit" in " ".join(str(call) for call, *_ in tapes.tapes[0].calls)


@pytest.mark.parametrize("family", DECODERS)
def test_a_step_of_a_card_stays_on_it(family: str, models: Callable[[str], Path]) -> None:
    """No card: what the installed libraries would have it do. A step that asks the processor cannot be recorded."""

    class Processor(TorchDispatchMode):  # type: ignore[no-untyped-call]
        calls: list[str] = []  # noqa: RUF012 - one use

        def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            output = call(*args, **kwargs or {})
            tensors = [one for one in tree_leaves((args, kwargs, output)) if isinstance(one, torch.Tensor)]
            if any(one.device.type == "cpu" for one in tensors):
                self.calls.append(str(call))
            return output

    config = transformers.AutoConfig.from_pretrained(models(family))
    positions = (4, 3, 1) if family.startswith("qwen") else (3, 1)
    with FakeTensorMode(), torch.no_grad(), torch.device("cuda"):
        model = transformers.AutoModelForImageTextToText.from_config(config)
        mask = torch.ones(3, 1, 1, 64, dtype=torch.bool)
        layered = getattr(config.get_text_config(), "layer_types", None) is not None
        inputs = {
            "input_ids": torch.zeros(3, 1, dtype=torch.long),
            "position_ids": torch.zeros(positions, dtype=torch.long),
            "attention_mask": {"full_attention": mask} if layered else mask,
            "past_key_values": transformers.StaticCache(config, max_cache_len=64),
            "logits_to_keep": 1,
        }
        model(**inputs)
        with Processor() as seen:  # type: ignore[no-untyped-call]
            logits = model(**inputs).logits
    assert logits.is_cuda
    assert seen.calls == []


def stale(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let what is played see the input of this name as it was when it was recorded."""
    real = steps._Batch.__call__

    def call(batch: Any, **inputs: Any) -> Any:
        if batch._play:
            inputs[name] = batch.seen[name]
        batch.seen = inputs
        return real(batch, **inputs)

    monkeypatch.setattr(steps._Batch, "__call__", call)


@pytest.mark.parametrize("name", ["input_ids", "position_ids", "attention_mask"])
@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "smolvlm"])
def test_what_says_something_else_is_left(
    family: str,
    name: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models(family))
    expected = backend.caption_batch(examples())
    backend._steps = Steps(backend._model, 128, Tapes())
    stale(monkeypatch, name)
    with caplog.at_level(logging.INFO, "captioner.local"):
        tried(backend)
    assert (
        "Each step of an answer is started piece by piece, which is slower: ValueError: outputs are"
        in caplog.text
    )
    assert not backend._steps.played
    assert backend.caption_batch(examples()) == expected


def test_what_is_no_number_is_left(models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is neither near nor far, and the prompt's own scores, which come first, are right."""
    backend = load(models("qwen2_5_vl"))

    def record(step: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        play, output = Tapes()(step)
        return lambda: (play(), output.logits.fill_(torch.nan))[0], output

    backend._steps = Steps(backend._model, 128, record)
    monkeypatch.setattr(steps, "_FASTER", 1000.0)
    tried(backend)
    assert not backend._steps.played


def tried(backend: LocalHFBackend) -> None:
    inputs = backend._inputs.of(examples()[:2])
    backend._thread.call(lambda: backend._steps.try_played(inputs))


@pytest.mark.parametrize(("faster", "played"), [(1000.0, True), (0.001, False)])
def test_what_is_faster_is_played(
    faster: float,
    played: bool,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models("qwen2_5_vl"))
    backend._steps = Steps(backend._model, 128, Tapes())
    monkeypatch.setattr(steps, "_FASTER", faster)
    with caplog.at_level(logging.INFO, "captioner.local"):
        tried(backend)
    assert backend._steps.played is played
    assert ("Tokens are made" if played else "it is no faster") in caplog.text


class Troubled:
    """Records on tapes, but what `troubles` says is raised instead, one for each time."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)
        self.tapes = Tapes()

    def __call__(self, step: Callable[[], Any]) -> Any:
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble:
            raise trouble
        return self.tapes(step)


REFUSED = RuntimeError("operation not permitted when stream is capturing")
FULL = torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize(
    ("troubles", "recorded"),
    [
        ([REFUSED], 0),  # in no batch from now on
        ([None, REFUSED], 1),
        ([FULL], 4),  # memory is freed, and the same step recorded
        ([FULL, FULL], 3),  # not in that batch
        ([None, FULL, FULL, FULL], 3),
        ([FULL, REFUSED], 0),
    ],
)
def test_trouble_in_mid_run_costs_no_photo(
    troubles: list[Exception | None],
    recorded: int,
    models: Callable[[str], Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The batch goes on in the old way from the step that could not be recorded; of four batches all say the same."""
    backend = load(models("qwen2_5_vl"))
    expected = backend.caption_batch(examples())
    taped(backend)
    record = Troubled(*troubles)
    backend._steps._record = record
    with caplog.at_level(logging.INFO, "captioner.local"):
        for _ in range(4):
            assert backend.caption_batch(examples()) == expected
    assert len(record.tapes.tapes) == recorded
    assert caplog.text.count("started piece by piece") == (REFUSED in troubles)
    assert backend._steps.played is (REFUSED not in troubles)


@pytest.mark.parametrize(
    "other",
    [{"keep": 2}, {"mask": torch.ones(2, 1, 9)}, {"mask": torch.ones(2, 1, 8).bool()}, {"more": 1}],
)
def test_a_step_unlike_the_recorded_one_is_computed(other: dict[str, Any]) -> None:
    """What is played knows no other numbers, shapes or names than those it was recorded with."""
    computed: list[dict[str, Any]] = []
    played: list[None] = []

    def forward(**inputs: Any) -> str:
        computed.append(inputs)
        return "computed"

    def record(step: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        return lambda: played.append(None), "played"

    batch = steps._Batch(forward, record, lambda error: pytest.fail(str(error)))
    same = {"input_ids": torch.zeros(2, 1), "mask": torch.ones(2, 1, 8), "keep": 1}
    assert [batch(**same) for _ in range(3)] == ["computed", "played", "played"]
    assert batch(**same | other) == "computed"
    assert all(computed[-1][name] is value for name, value in other.items())
    assert batch(**same) == "played"
    assert len(played) == 3


def test_memory_for_the_answers_may_not_be_there(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of an answer's memory is taken with the prompt: what does not fit is said there, and nothing is kept."""
    backend = load(models("qwen2_5_vl"))
    expected = backend.caption_batch(examples()[:2])
    tapes = taped(backend)
    caches: list[weakref.ref[Any]] = []
    lay_out = StaticLayer.lazy_initialization

    def small(layer: StaticLayer, keys: torch.Tensor, values: torch.Tensor) -> None:
        lay_out(layer, keys, values)
        caches.append(weakref.ref(layer.keys))
        if len(keys) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(StaticLayer, "lazy_initialization", small)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    with pytest.raises(MemoryError):
        backend.caption_batch(examples())
    assert caches.pop()() is None
    assert backend._steps.played
    assert backend.caption_batch(examples()[:2]) == expected
    tapes.tapes.clear()  # they hold what they play on
    gc.collect()
    assert {cache() for cache in caches} == {None}
    assert "forward" not in vars(backend._model)


def test_an_answer_has_all_the_room_it_may_take(
    models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial's batches take the memory that a run's take, though their answers are short; in whole blocks."""
    backend = load(models("qwen2_5_vl"), tags=True)
    taped(backend)
    sizes = []
    lay_out = StaticLayer.lazy_initialization

    def noted(layer: StaticLayer, keys: torch.Tensor, values: torch.Tensor) -> None:
        lay_out(layer, keys, values)
        sizes.append(layer.get_max_length())

    monkeypatch.setattr(StaticLayer, "lazy_initialization", noted)
    prompt = backend._inputs.of(examples()[:1])["input_ids"].shape[1]
    backend._generate(examples()[:1], do_sample=False, max_new_tokens=8)
    backend.caption(examples()[0])
    backend.answer("Name three birds.")
    trial, _, run, _, text, _ = sizes  # of two layers each
    assert trial == run
    assert prompt + 256 <= run < prompt + 256 + 8
    assert text > 300
    assert all(size % 8 == 0 for size in sizes)


@pytest.mark.parametrize("kind", ["encoder-decoder", "sliding window", "int8", "old torch", "unknown layers"])
def test_what_cannot_be_recorded_is_not_tried(
    kind: str, models: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load(models("florence2" if kind == "encoder-decoder" else "qwen2_5_vl"))
    text = backend._model.config.get_text_config()
    if kind == "sliding window":  # it counts in the processor
        text.sliding_window = 16
        text.layer_types = ["full_attention", "sliding_attention"]
    if kind == "unknown layers":
        text.layer_types = ["full_attention", "attention_of_its_kind"]
    if kind == "int8":
        backend._model.is_loaded_in_8bit = True
    if kind == "old torch":
        monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.12.1+cu126"))
    never_played(backend._model, backend._inputs.of(examples()[:2]))


def never_played(model: Any, inputs: Any) -> None:
    tapes = Tapes()
    generate = model.generate
    asked: list[set[str]] = []

    def noted(**options: Any) -> Any:
        asked.append(set(options))
        return generate(**options)

    model.generate = noted
    tried = Steps(model, 128, tapes)
    tried.try_played(inputs)
    assert not tried.played
    assert not tapes.tapes
    assert not any("past_key_values" in options for options in asked)  # no memory that lies still


def test_pictures_among_the_memory_of_words() -> None:
    """Llama's vision models keep what layers see there, and BLIP too: longer than the text, on a card it would be a crash."""
    tiny = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "vocab_size": 50,
    }
    ids = torch.tensor([[1, 49, 5, 6, 7]] * 2)
    looking = tiny | {"image_size": 28, "patch_size": 14}
    llama = transformers.MllamaConfig(
        text_config=tiny | {"num_key_value_heads": 2, "cross_attention_layers": [1], "pad_token_id": 0},
        vision_config=looking
        | {"attention_heads": 2, "num_global_layers": 1, "max_num_tiles": 1, "vision_output_dim": 64}
        | {"intermediate_layers_indices": [0], "supported_aspect_ratios": [[1, 1]]},
        image_token_index=49,
    )
    one = torch.ones(2, 1, dtype=torch.long)
    seen = {
        "pixel_values": torch.randn(2, 1, 1, 3, 28, 28),
        "aspect_ratio_ids": one,
        "aspect_ratio_mask": one[..., None],
        "cross_attention_mask": torch.ones(2, 5, 1, 1, dtype=torch.long),
    }
    words = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    never_played(transformers.AutoModelForImageTextToText.from_config(llama), words | seen)
    blip = transformers.BlipConfig(text_config=tiny | {"encoder_hidden_size": 32}, vision_config=looking)
    seen = {"pixel_values": torch.randn(2, 3, 28, 28)}
    never_played(transformers.AutoModelForImageTextToText.from_config(blip), words | seen)


class Graph:
    """Stands for torch's CUDAGraph, which needs a card: keeps what it is told."""

    told: list[Any] = []  # noqa: RUF012 - all of them

    def capture_begin(self, pool: object = None, capture_error_mode: str = "global") -> None:
        self.told.append(("begin", pool, capture_error_mode))

    def capture_end(self) -> None:
        self.told.append("end")

    def pool(self) -> object:
        return (0, id(self))

    def replay(self) -> None:
        self.told.append("play")


def test_a_card_records_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """One memory for all recordings, other threads left alone, and an end to each that began."""
    for name in ("capture_begin", "capture_end", "pool", "replay"):
        inspect.signature(getattr(torch.cuda.CUDAGraph, name))
    inspect.signature(torch.cuda.CUDAGraph.capture_begin).bind(None, None, capture_error_mode="thread_local")
    Graph.told.clear()
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    record = Recorder()
    play, output = record(lambda: "logits")
    assert output == "logits"
    play()
    first = record._last.pool()

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        record(fails)
    record(lambda: "logits")
    assert Graph.told == [
        ("begin", None, "thread_local"),
        "end",
        "play",
        ("begin", first, "thread_local"),
        "end",
        ("begin", first, "thread_local"),
        "end",
    ]
