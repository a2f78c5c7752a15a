"""Compiled vision blocks of real models in small: they say the same, for any shape, or are left as they were."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from backends import attention, compiled
from backends.attention import distance, one_by_one, packed_attention, use_packed, vision_outputs
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


@torch.library.custom_op("tests::packed", mutates_args=())
def opaque(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, scale: float
) -> torch.Tensor:
    """The reference, closed to the compiler, as the kernel of a card is."""
    return one_by_one(query, key, value, bounds, scale)


opaque.register_fake(lambda query, *_: torch.empty_like(query))


def packed(model: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attention, "one_by_one", opaque)
    use_packed(model.model.visual)


@pytest.mark.parametrize(
    ("family", "compiler"),
    [
        ("qwen3_vl", "eager"),
        pytest.param("qwen2_5_vl", "inductor", marks=pytest.mark.slow),
    ],
)
def test_compiled_blocks_say_the_same_for_any_shape(
    family: str,
    compiler: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is compiled once the run has begun; `eager` is what the compiler is given, run as it is."""
    backend = load(models(family))
    packed(backend._model, monkeypatch)
    make = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda block, **options: make(block, backend=compiler, **options)
    )
    many = backend._inputs.of([*examples(), Image.new("RGB", (300, 77), "red")])
    expected = vision_outputs(backend._model, many)
    monkeypatch.setattr(compiled, "_FASTER", 1000.0)
    with caplog.at_level(logging.INFO, "captioner.local"):
        inputs = backend._inputs.of(examples()[:3])
        backend._thread.call(lambda: compile_vision(backend._model, inputs, WORTH))
    assert "x as fast" in caplog.text
    assert compiled_blocks(backend._model) == 2
    assert compiler == "eager" or os.listdir(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    torch.compiler.set_stance("fail_on_recompile")
    seen = backend._thread.call(lambda: vision_outputs(backend._model, many))
    assert distance(expected, seen) < 1e-3
    for count in (1, 2, 5):
        assert all(answer.text for answer in backend.caption_batch(examples()[:count]))


def test_the_kernel_of_a_card_can_be_compiled() -> None:
    """No card: the compiler follows the call down to the kernel, whole, for any length."""
    calls = []

    class Layer(torch.nn.Module):
        def forward(self, query: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
            options = {"cu_seq_lens_q": bounds, "max_length_q": longest, "scaling": 80**-0.5}
            return packed_attention(self, query, query, query, None, **options)[0]

    def compiler(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., Any]:
        calls.append([str(node.target) for node in graph.graph.nodes])
        return graph.forward

    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        query = torch.empty(1, 16, 4000, 80, dtype=torch.bfloat16, device="cuda")
        bounds = torch.empty(65, dtype=torch.int32, device="cuda")
        layer = torch.compile(Layer(), backend=compiler, dynamic=True, fullgraph=True)
        assert layer(query, bounds, 64).shape == (1, 4000, 16, 80)
        assert layer(query, bounds, 3888).shape == (1, 4000, 16, 80)
    assert all("torch_attn._varlen_attn" in names for names in calls)


@pytest.mark.parametrize("trouble", ["no compiler", "slow", "wrong"])
def test_what_gains_nothing_is_left(
    trouble: str,
    models: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = load(models("qwen2_5_vl"))
    model = backend._model
    packed(model, monkeypatch)
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
        compile_vision(backend._model, backend._inputs.of(examples()[:1]), WORTH)  # a loop over photos
        use_packed(backend._model.model.visual)
        compile_vision(backend._model, backend._inputs.of(examples()[:1]), WORTH - 1)
        backend.get_ready(10**6)  # a processor compiles nothing
    assert not caplog.records
    for family in ("smolvlm", "florence2"):
        other = load(models(family))
        compile_vision(other._model, other._inputs.of(examples()[:1]), WORTH)
        assert other.caption(examples()[0]).text
