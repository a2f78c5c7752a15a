"""Owns in which precision a model runs on which device: what fits, and what to take instead. Never loads a model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import StopRunError
from library.memory import available_memory, total_memory

if TYPE_CHECKING:
    import torch

WORKING_MEMORY = 1.2e9
"""Bytes that one photo takes on top of the weights while it is captioned: activations, cache, the allocator's slack."""

_BYTES = {"float32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0, "int4": 0.5 + 4 / 64}
"""Bytes a weight; 4-bit weights share one 4-byte scale by 64 (bitsandbytes' default)."""

_MODELS = (
    ("Qwen/Qwen2.5-VL-3B-Instruct", 3.75e9),
    ("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 2.25e9),
    ("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", 0.51e9),
    ("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", 0.26e9),
)
"""What to suggest, best first, with the number of weights (the model cards', November 2026)."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model can run; `free` and `total` are bytes."""

    kind: str
    name: str
    free: float
    total: float
    bf16: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """How many weights a model has: in layers that can be quantized, and in others."""

    quantizable: int
    other: int

    def bytes(self, precision: str, whole: str) -> float:
        """Return what they take; what cannot be quantized stays in the precision `whole`."""
        return self.quantizable * _BYTES.get(precision, _BYTES["int4"]) + self.other * _BYTES[whole]


def find_device() -> Device:
    """Return the graphics card that torch can use, else the processor."""
    import torch

    note = "torch finds no graphics card"
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        major, minor = torch.cuda.get_device_capability()
        built_for = [int(arch[3:]) for arch in torch.cuda.get_arch_list() if re.fullmatch(r"sm_\d+", arch)]
        if not built_for or 10 * major + minor >= min(built_for):
            free, total = torch.cuda.mem_get_info()
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
            return Device("cuda", name, free, total, bf16)
        note = f"{name} is too old for torch {torch.__version__}"
    elif Path("/dev/nvidia0").exists():
        note = f"there is an NVIDIA card, but torch {torch.__version__} cannot use it: update its driver"
    return Device("cpu", "the processor", available_memory(), total_memory(), note=note)


def default_model(device: Device) -> str:
    """Return the default model: 3B on a card with 6 GB or more, else a small one."""
    return _MODELS[0][0] if device.kind == "cuda" and device.total >= 5.5e9 else _MODELS[2][0]


def whole_precision(device: Device) -> str:
    """Return the precision that needs no quantization: two bytes a weight on a card, four on the processor."""
    if device.kind == "cpu":
        return "float32"  # half precision is slow or missing on most
    return "bf16" if device.bf16 else "fp16"


def weights_of(model: torch.nn.Module) -> Weights:
    """Count the weights of a model, which may be without any (on torch's `meta` device)."""
    import torch

    head = getattr(model, "get_output_embeddings", lambda: None)()
    linear = {
        parameter
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
        for parameter in module.parameters()
    }
    everything = sum(parameter.numel() for parameter in model.parameters())
    quantizable = sum(parameter.numel() for parameter in linear)
    return Weights(quantizable, everything - quantizable)


def choose_precision(device: Device, weights: Weights, wanted: str | None) -> tuple[str, str]:
    """Return the precision and why; `wanted` is the user's `--quantize`: none, int8, int4 or None.

    Four bits are for fitting, not for speed: they are slower than sixteen (bitsandbytes #611, vllm #9535).

    Raises:
        StopRunError: the device has too little memory for it.
    """
    whole = whole_precision(device)
    if wanted in {"int8", "int4"}:
        order = [wanted]
    else:
        order = [whole] if wanted == "none" or device.kind == "cpu" else [whole, "int4"]
    fits = [name for name in order if weights.bytes(name, whole) + WORKING_MEMORY <= device.free]
    if not fits:
        least = order[-1]
        raise StopRunError(
            f"Too little memory on {device.name}: as {least} the model's weights take "
            f"{_gb(weights.bytes(least, whole))} and a photo {_gb(WORKING_MEMORY)} more, of {_gb(device.free)} that are "
            f"free; {suggest(device, weights, least)}."
        )
    chosen = fits[0]
    takes = f"the weights take {_gb(weights.bytes(chosen, whole))} of {_gb(device.free)} free memory"
    if wanted:
        return chosen, f"--quantize {wanted}; {takes}"
    if chosen != whole:
        return chosen, f"{whole} would take {_gb(weights.bytes(whole, whole))}; {takes}"
    return chosen, f"{device.note}; {takes}" if device.note else takes


def suggest(device: Device, weights: Weights, precision: str) -> str:
    """Return what to do when a model does not fit as `precision`: a smaller one, fewer bits, or more room."""
    count = weights.quantizable + weights.other
    whole = whole_precision(device)
    few_bits = "int4" if device.kind == "cuda" else "float32"
    smaller = (
        name
        for name, number in _MODELS
        if number < 0.9 * count and number * _BYTES[few_bits] * 1.2 + WORKING_MEMORY <= device.free
    )
    ways = [f"try the smaller --model {name}" for name in smaller][:1]
    fits = weights.bytes("int4", whole) + WORKING_MEMORY <= device.free
    if fits and precision in _BYTES and precision != "int4":
        ways.append("--quantize int4")
    return " or ".join([*ways, "close what else uses the memory"])


def _gb(number: float) -> str:
    return f"{number / 1e9:,.1f} GB"
