"""Which precision a model gets on which card. The numbers of weights are those of the real models."""

from __future__ import annotations

import pytest
import torch
import transformers

from backends.precision import (
    Device,
    Weights,
    choose_precision,
    default_model,
    weights_of,
)
from errors import StopRunError

GB = 1e9
RTX_3070 = Device("cuda", "RTX 3070", free=7.4 * GB, total=8.2 * GB, bf16=True)
RTX_4090 = Device("cuda", "RTX 4090", free=24.8 * GB, total=25.3 * GB, bf16=True)
GTX_1650 = Device("cuda", "GTX 1650", free=3.7 * GB, total=4.1 * GB)
LAPTOP = Device("cpu", "the processor", free=12 * GB, total=16 * GB, note="torch finds no graphics card")
QWEN_3B = Weights(3_752_361_984 - 311_164_928, 313_427_968)
QWEN_7B = Weights(7_200_000_000, 1_092_000_000)
SMOL_500M = Weights(410_000_000, 97_000_000)


@pytest.mark.parametrize(
    ("device", "weights", "quantize", "precision"),
    [
        (RTX_3070, QWEN_3B, None, "int4"),  # the plan's own choice
        (RTX_3070, SMOL_500M, None, "bf16"),
        (RTX_4090, QWEN_3B, None, "bf16"),
        (RTX_4090, QWEN_7B, None, "bf16"),  # the plan's own choice
        (RTX_4090, QWEN_7B, "int4", "int4"),
        (RTX_4090, QWEN_7B, "int8", "int8"),
        (RTX_3070, SMOL_500M, "none", "bf16"),
        (GTX_1650, SMOL_500M, None, "fp16"),  # a card without bf16
        (LAPTOP, SMOL_500M, None, "float32"),
        (LAPTOP, QWEN_3B, "int4", "int4"),
    ],
)
def test_the_precision_is_what_fits(
    device: Device, weights: Weights, quantize: str | None, precision: str
) -> None:
    chosen, reason = choose_precision(device, weights, quantize)
    assert chosen == precision
    assert reason


def test_the_reason_says_what_did_not_fit() -> None:
    _, reason = choose_precision(RTX_3070, QWEN_3B, None)
    assert reason == "bf16 would take 7.5 GB; the weights take 2.6 GB of 7.4 GB free memory"


@pytest.mark.parametrize(
    ("device", "weights", "quantize", "advice"),
    [
        (RTX_3070, QWEN_7B, None, "--model Qwen/Qwen2.5-VL-3B-Instruct"),
        (RTX_3070, QWEN_3B, "none", "--quantize int4"),
        (GTX_1650, QWEN_7B, None, "--model HuggingFaceTB/SmolVLM2-2.2B-Instruct"),
        (LAPTOP, QWEN_7B, None, "--model HuggingFaceTB/SmolVLM2-2.2B-Instruct"),
        (Device("cpu", "the processor", 1 * GB, 2 * GB), SMOL_500M, None, "close what else uses the memory"),
    ],
)
def test_too_little_memory_says_what_to_do(
    device: Device, weights: Weights, quantize: str | None, advice: str
) -> None:
    with pytest.raises(StopRunError) as stop:
        choose_precision(device, weights, quantize)
    assert advice in str(stop.value)
    assert str(stop.value).endswith(".")


@pytest.mark.parametrize(
    ("device", "model"),
    [
        (RTX_3070, "Qwen/Qwen2.5-VL-3B-Instruct"),
        (Device("cuda", "6 GB", 5 * GB, 6 * 2**30 * 0.95), "Qwen/Qwen2.5-VL-3B-Instruct"),
        (GTX_1650, "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"),
        (LAPTOP, "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"),
    ],
)
def test_the_default_model_goes_by_the_hardware(device: Device, model: str) -> None:
    assert default_model(device) == model


def test_weights_are_counted_without_loading_any() -> None:
    """The real Qwen2.5-VL-3B: its model card says 3.75 B."""
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 2048,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "intermediate_size": 11008,
            "vocab_size": 151936,
        },
        vision_config={"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 2048},
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        weights = weights_of(transformers.AutoModelForImageTextToText.from_config(config))
    assert weights.quantizable + weights.other == 3_754_622_976
    assert weights.other == pytest.approx(151936 * 2048, rel=0.01)  # the embeddings, which are the head too
