"""The local backend with real models of transformers' own classes, in small and with random weights."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from engines.answers import unwrapped
from engines.checks import one_line, problem
from errors import StopRunError
from tests.helpers.local_backend import FAMILIES, examples, load, models
from tests.helpers.tiny_model import build

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["models"]  # fixtures


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_says_what_single_pictures_say(family: str, models: Callable[[str], Path]) -> None:
    backend = load(models(family))
    together = backend.caption_batch(examples())
    alone = [backend.caption(image) for image in examples()]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) == len(alone)  # it looked at the pictures
    for answer in together:
        assert answer.text == answer.text.strip() != ""
        assert answer.finish_reason == "stop"
        assert answer.output_tokens
    assert [answer.input_tokens for answer in together] == [answer.input_tokens for answer in alone]


def test_the_prompt_is_heard(models: Callable[[str], Path]) -> None:
    image = examples()[0]
    answers = {load(models("qwen2_5_vl"), prompt).caption(image).text for prompt in ("What?", "Where is it?")}
    assert len(answers) == 2
    tasks = {load(models("florence2"), prompt).caption(image).text for prompt in ("What?", "<CAPTION>")}
    assert len(tasks) == 2


@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantized_models_caption_too(
    quantize: str, models: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    backend = load(models("qwen2_5_vl"), quantize=quantize)
    kinds = {type(module).__name__ for module in backend._model.modules()}
    assert ("Linear4bit" if quantize == "int4" else "Linear8bitLt") in kinds
    assert all(answer.text for answer in backend.caption_batch(examples()))
    assert not [record for record in caplog.records if record.name.startswith("bitsandbytes")]


def test_the_second_try_samples(models: Callable[[str], Path], tmp_path: Path) -> None:
    """Greedy decoding can go round in circles for ever; the same once more would be the same circle."""
    folder = build("qwen2_5_vl", tmp_path / "looping")
    settings = folder / "generation_config.json"
    values = json.loads(settings.read_text())
    values = {key: values[key] for key in ("suppress_tokens", "eos_token_id", "pad_token_id")}
    values["suppress_tokens"].append(values["eos_token_id"])  # it never ends
    # The published Qwen2.5-VL comes with these, which make sampling as good as greedy.
    settings.write_text(json.dumps(values | {"temperature": 1e-06, "top_k": 1, "do_sample": True}))
    backend = load(folder)
    image = examples()[0]
    first = backend.caption(image)
    assert first == backend.caption(image)
    assert problem(first.text, first.finish_reason)
    assert first.finish_reason == "length"
    assert len({backend.recaption(image).text for _ in range(3)}) == 3


def test_thoughts_are_no_caption(models: Callable[[str], Path], tmp_path: Path) -> None:
    """A model whose template opens a thought, and that never comes to its answer, has said nothing."""
    folder = build("qwen2_5_vl", tmp_path / "thinking")
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant\n", "assistant\n<think>\n"))
    answer = load(folder).caption(examples()[0])
    assert (
        problem(unwrapped(answer.text), answer.finish_reason) == "cut off by the token limit while thinking"
    )
    template.write_text(template.read_text().replace("<think>", "{% if enable_thinking %}<think>{% endif %}"))
    assert load(folder).caption(examples()[0]).text


@pytest.mark.parametrize("mark", ["◁{}think▷", "[{}THINK]"])
def test_marks_of_thoughts_that_are_special_tokens_are_no_caption(tmp_path: Path, mark: str) -> None:
    """Kimi's and Magistral's marks are such tokens: a decoder that drops them makes the thought a caption."""
    folder = build("qwen2_5_vl", tmp_path / "special")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    marks = [mark.format(""), mark.format("/")]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.save_pretrained(folder)
    backend = load(folder)
    said = f"{marks[0]}A dog? A cat!{marks[1]}A dog.<|im_end|>"
    answer = backend._answer(backend._processor.tokenizer(said).input_ids, 1)
    assert answer.text.startswith(marks[0])
    assert one_line(unwrapped(answer.text)) == "A dog."


def test_large_tiles_do_not_enlarge_pictures(models: Callable[[str], Path], tmp_path: Path) -> None:
    """SmolVLM has four tiles of 512 along the longer side, and enlarges what is smaller."""
    folder = build("smolvlm", tmp_path / "smolvlm")
    file = folder / "processor_config.json"
    config = json.loads(file.read_text())
    config["image_processor"] |= {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}}
    file.write_text(json.dumps(config))
    processor = load(folder)._processor
    assert processor.image_processor.size["longest_edge"] == 1024
    tiles = processor.image_processor([[Image.new("RGB", (1024, 768))]], return_tensors="pt")
    assert tiles["pixel_values"].shape[1] == 5  # two by two, and the whole


def test_too_little_memory_is_said_before_the_weights_are_read(tmp_path: Path) -> None:
    folder = build("qwen2_5_vl", tmp_path / "huge")
    text = json.loads((folder / "config.json").read_text())["text_config"]
    change(folder / "config.json", {"text_config": text | {"vocab_size": 10**11}})
    (folder / "model.safetensors").unlink()
    with pytest.raises(StopRunError, match=r"Too little memory on .*; try the smaller --model"):
        load(folder)


@pytest.mark.parametrize(
    ("kind", "native"),
    [
        ("moondream1", "SmolVLM2-2.2B-Instruct"),
        ("internvl_chat", "OpenGVLab/InternVL3-8B-hf"),
        ("florence2", "florence-community/Florence-2-large"),
        ("phi3_v", "Qwen/Qwen2.5-VL-3B-Instruct"),
    ],
)
def test_a_native_model_is_named(kind: str, native: str, tmp_path: Path) -> None:
    own = {"model_type": kind, "auto_map": {"AutoModelForCausalLM": "modeling.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(own))
    with pytest.raises(StopRunError, match=native):
        load(tmp_path)


def change(file: Path, values: dict[str, object]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def damage_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return damage


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no model"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": '), "holds no model"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'),
            "does not take pictures: choose another --model",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "gpt9_vl"}'),
            "is not known to transformers: choose another --model",
        ),
        (lambda folder: os.truncate(folder / "model.safetensors", 20_000), "fetch them again"),
        (lambda folder: (folder / "model.safetensors").unlink(), "fetch them again"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded"),
        (
            lambda folder: change(
                folder / "config.json", {"model_type": "llama", "auto_map": {"AutoModel": "a.B"}}
            ),
            "does not take pictures",
        ),
        (
            lambda folder: change(folder / "config.json", {"quantization_config": {"quant_method": "awq"}}),
            "needs more packages",
        ),
        (damage_weights(lambda weights: weights.pop(next(iter(weights)))), "do not fit its architecture"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(
    damage: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    folder = build("qwen2_5_vl", tmp_path / "model")
    damage(folder)
    with pytest.raises(StopRunError) as stop:
        load(folder)
    assert sentence in str(stop.value)
    assert "\n" not in str(stop.value)


def test_a_failed_batch_leaves_nothing_in_the_card(models: Callable[[str], Path]) -> None:
    """Else the half of it would not fit either."""
    backend = load(models("qwen2_5_vl"))
    seen: list[weakref.ref[torch.Tensor]] = []

    def generate(**inputs: torch.Tensor) -> torch.Tensor:
        seen.append(weakref.ref(inputs["pixel_values"]))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    backend._model.generate = generate
    with pytest.raises(MemoryError):
        backend.caption_batch(examples())
    assert seen[0]() is None
