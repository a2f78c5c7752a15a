"""Compiled vision blocks of real models in small: they say the same, for any shape, or are left as they were."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

from backends import compiled
from backends.attention import distance, use_packed, vision_outputs
from backends.compiled import WORTH, compile_vision
from tests.helpers.local_backend import examples, load, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["models"]  # fixtures


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What is compiled here stays here."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    yield
    torch.compiler.set_stance("default")
    torch.compiler.reset()


def compiled_blocks(model: Any) -> int:
    return sum(block._compiled_call_impl is not None for block in model.model.visual.blocks)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "packed"), [("qwen2_5_vl", True), ("qwen3_vl", False)])
def test_compiled_blocks_say_the_same_for_any_shape(
    family: str,
    packed: bool,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the compiler of a processor; nothing is compiled once the run has begun."""
    backend = load(models(family))
    if packed:
        use_packed(backend._model.model.visual)
    many = backend._inputs.of([*examples(), Image.new("RGB", (300, 77), "red")])
    expected = vision_outputs(backend._model, many)
    monkeypatch.setattr(compiled, "_FASTER", 1000.0)
    with caplog.at_level(logging.INFO, "captioner.local"):
        compile_vision(backend._model, backend._inputs.of(examples()[:3]), WORTH)
    assert "x as fast" in caplog.text
    assert compiled_blocks(backend._model) == 2
    assert os.listdir(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    counters = torch._dynamo.utils.counters["stats"]
    before = counters["unique_graphs"]
    assert distance(expected, vision_outputs(backend._model, many)) < 1e-3
    assert counters["unique_graphs"] == before
    assert all(answer.text for answer in backend.caption_batch(examples()))


@pytest.mark.parametrize("trouble", ["no compiler", "slow", "wrong"])
def test_what_gains_nothing_is_left(
    trouble: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models("qwen2_5_vl"))
    model = backend._model
    expected = [answer.text for answer in backend.caption_batch(examples())]

    def compile_block(block: Any, **options: object) -> None:
        if trouble == "no compiler":
            raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")
        factor = 0.5 if trouble == "wrong" else 1
        block._compiled_call_impl = lambda *args, **more: block._call_impl(*args, **more) * factor

    monkeypatch.setattr(torch.nn.Module, "compile", compile_block)
    monkeypatch.setattr(compiled, "_FASTER", 1000.0 if trouble == "wrong" else 0.0)
    with caplog.at_level(logging.INFO, "captioner.local"):
        compile_vision(model, backend._inputs.of(examples()[:2]), WORTH)
    said = {"no compiler": "Failed to find C compiler", "slow": "no faster", "wrong": "apart"}[trouble]
    assert said in caplog.messages[-1]
    assert compiled_blocks(model) == 0
    assert [answer.text for answer in backend.caption_batch(examples())] == expected


def test_a_short_run_compiles_nothing(
    models: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    backend = load(models("qwen2_5_vl"))
    with caplog.at_level(logging.INFO, "captioner.local"):
        compile_vision(backend._model, backend._inputs.of(examples()[:1]), WORTH - 1)
        backend.get_ready(10**6)  # a processor compiles nothing
    assert not caplog.records
    for family in ("smolvlm", "florence2"):
        other = load(models(family))
        compile_vision(other._model, other._inputs.of(examples()[:1]), WORTH)
        assert other.caption(examples()[0]).text
