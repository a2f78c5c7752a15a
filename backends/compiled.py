"""Owns what torch compiles of a model for a long run: tried before the first photo, kept if it is right and faster.

Of a vision tower it is the blocks: their norms, rotations and gates are many small kernels, and become a few.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.attention import NEAR, PACKED, distance, vision_outputs
from errors import in_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

WORTH = 2_000
"""Photos from which on a minute at the start pays."""
_FASTER = 0.95
"""What is kept takes at most this share of the time."""

_log = logging.getLogger("captioner.local")


def compile_vision(model: Any, inputs: Mapping[str, torch.Tensor], photos: int) -> None:
    """Compile the blocks of the model's vision tower for a run of `photos`; leave them as they are if that gains nothing.

    `inputs` are those of a few photos of different shapes, on the model's device. What it compiles lies beside the
    models, so that the next start is short. Afterwards nothing is compiled any more: another shape runs as before.
    """
    import torch
    from huggingface_hub.constants import HF_HOME

    tower: Any = getattr(getattr(model, "model", None), "visual", None)
    if photos < WORTH or getattr(getattr(tower, "config", None), "_attn_implementation", "") != PACKED:
        return  # of a loop over photos a compiler makes code for that number alone
    blocks = getattr(tower, "blocks", None)
    if blocks is None or getattr(model, "is_loaded_in_8bit", False):
        return  # with int8 each photo is computed in parts of other sizes, and each would be compiled
    folder = os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(HF_HOME) / "torch-compiled"))
    _log.info(f"Compiling a part of the model: a minute the first time, kept in {folder}.")
    torch.compiler.set_stance("default")
    try:
        _timed(model, inputs)
        plain, before = _timed(model, inputs)
        for block in blocks:
            block.compile(dynamic=True)
        _timed(model, inputs)
        seconds, after = _timed(model, inputs)
        if not (apart := distance(before, after)) < NEAR:
            raise ValueError(f"outputs are {apart:.0%} apart")
        if seconds > _FASTER * plain:
            raise ValueError(f"it is no faster, {seconds:.2f} s for {plain:.2f}")
        _log.info(f"Pictures are looked at {plain / seconds:.1f} x as fast.")
    except Exception as error:  # noqa: BLE001 - whatever it is, there is the other way
        for block in blocks:
            block._compiled_call_impl = None  # noqa: SLF001 - torch has no word for it
        _log.info(f"Nothing is compiled, which is slower: {in_one_line(error)}.")
    torch.compiler.set_stance("eager_on_recompile")


def _timed(model: Any, inputs: Mapping[str, torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Return the seconds for the pictures of a batch, and what comes out."""
    begin = time.perf_counter()
    seen = vision_outputs(model, inputs)
    seen.sum().item()  # waits for the card
    return time.perf_counter() - begin, seen
