"""Vision attention in one call, with real models in small: it says what transformers' own says, photo by photo."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from transformers.utils.generic import is_flash_attention_requested

from backends import attention
from backends.attention import (
    PACKED,
    distance,
    one_by_one,
    pack_vision,
    packed_attention,
    use_own,
    use_packed,
    vision_outputs,
)
from tests.helpers.local_backend import examples, load, models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["models"]  # fixtures
LOOPED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


@pytest.mark.parametrize("family", LOOPED)
def test_one_call_gives_what_many_give(family: str, models: Callable[[str], Path]) -> None:
    """Photos of very different shapes: in Qwen2.5-VL windows at their edges are smaller than others."""
    backend = load(models(family))
    inputs = backend._inputs.of(examples())
    own = vision_outputs(backend._model, inputs)
    said = [answer.text for answer in backend.caption_batch(examples())]
    calls = count_calls(backend._model.model.visual)
    use_packed(backend._model.model.visual)
    assert is_flash_attention_requested(backend._model.model.visual.config)
    assert not is_flash_attention_requested(backend._model.config)  # the text part keeps its own
    packed = vision_outputs(backend._model, inputs)
    torch.testing.assert_close(packed, own, rtol=1e-4, atol=1e-4)
    assert len(calls) == backend._model.config.vision_config.depth
    for photos in (1, 2, 4):
        use_packed(backend._model.model.visual, photos)
        torch.testing.assert_close(vision_outputs(backend._model, inputs), own, rtol=1e-4, atol=1e-4)
    assert len(calls) == backend._model.config.vision_config.depth * (1 + 5 + 3 + 2)
    assert [answer.text for answer in backend.caption_batch(examples())] == said


def count_calls(tower: torch.nn.Module) -> list[object]:
    calls: list[object] = []
    for name, module in tower.named_modules():
        if name.endswith(".attn"):
            module.register_forward_hook(lambda *_: calls.append(None))
    return calls


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_the_reference_is_attention_within_each_sequence(lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, sum(lengths), 2, 8, generator=generator)
    bounds = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    got = one_by_one(query, key, value, bounds, 8**-0.5)
    begin = 0
    for length in lengths:
        part = slice(begin, begin + length)
        alone = scaled_dot_product_attention(*(x[part].transpose(0, 1) for x in (query, key, value)))
        torch.testing.assert_close(got[part], alone.transpose(0, 1), rtol=1e-4, atol=1e-5)
        begin += length


@pytest.mark.parametrize(("dtype", "near"), [(torch.bfloat16, 0.02), (torch.float16, 0.003)])
def test_half_precision_is_near(dtype: torch.dtype, near: float, models: Callable[[str], Path]) -> None:
    """What a card computes in: the same towers, in the precision of a card, against float32."""
    backend = load(models("qwen2_5_vl"))
    inputs = backend._inputs.of(examples())
    whole = vision_outputs(backend._model, inputs)
    backend._model.to(dtype)
    use_packed(backend._model.model.visual)
    assert distance(whole, vision_outputs(backend._model, inputs)) < near


@pytest.mark.parametrize("scale", [80**-0.5, 0.25])
def test_a_card_gets_what_its_kernel_takes(scale: float) -> None:
    """No card: shapes, types and names as the installed torch checks them, with Qwen2.5-VL's own sizes."""
    with FakeTensorMode(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        # As the tower hands them on: of one layer's output, with steps between the rows.
        parts = torch.empty(3, 16, 4000, 80, dtype=torch.bfloat16, device="cuda").transpose(1, 2).contiguous()
        query, key, value = parts.transpose(1, 2).unsqueeze(1)
        bounds = torch.empty(65, dtype=torch.int32, device="cuda")
        sizes = {
            "max_length_q": 64,
            "max_length_k": 64,
            "cu_seq_lens_k": bounds,
            "is_causal": False,
            "dropout": 0.0,
        }
        out, weights = packed_attention(
            torch.nn.Module(), query, key, value, None, scaling=scale, cu_seq_lens_q=bounds, **sizes
        )
        assert out.shape == (1, 4000, 16, 80)
        assert out.is_cuda
        assert weights is None


class Broken:
    """An attention that fails, or one that is wrong without a word."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def __call__(self, *parts: torch.Tensor) -> torch.Tensor:
        if self.error:
            raise self.error
        return parts[0] * 0


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (RuntimeError("FlashAttention only supports Ampere GPUs or newer."), "only supports Ampere"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out of memory"),
        (None, "apart"),
    ],
)
def test_trouble_leaves_the_tower_as_it_was(
    trouble: Exception | None,
    said: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models("qwen2_5_vl"))
    backend._model.to(torch.bfloat16)
    monkeypatch.setattr(attention, "_card_can", lambda: True)
    inputs = backend._inputs.of(examples())
    tower = backend._model.model.visual
    pack_vision(backend._model, inputs)
    assert tower.config._attn_implementation == PACKED
    use_own(tower)
    monkeypatch.setattr(attention, "one_by_one", Broken(trouble))
    with caplog.at_level(logging.INFO, "captioner.local"):
        pack_vision(backend._model, inputs)
    assert tower.config._attn_implementation == "sdpa"
    assert "forward" not in vars(tower)
    assert said in caplog.text
    assert caplog.text.count("\n") == 1
    assert all(answer.text for answer in backend.caption_batch(examples()))


@pytest.mark.parametrize("family", ["smolvlm", "florence2", "internvl"])
def test_other_models_are_left_alone(
    family: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models(family))
    monkeypatch.setattr(attention, "_card_can", lambda: True)
    backend._model.to(torch.bfloat16)
    with caplog.at_level(logging.INFO, "captioner.local"):
        pack_vision(backend._model, backend._inputs.of(examples()[:1]))
    assert not caplog.records
    assert backend.caption(examples()[0]).text
