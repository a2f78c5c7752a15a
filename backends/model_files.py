"""Owns the files of a local model: which folder they are in, whether their code may run, and the processor made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from backends.hub import SMALL, snapshot
from errors import StopRunError
from image_loader import MAX_SIDE

_NATIVE = {
    "florence2": "florence-community/Florence-2-large",
    "internvl_chat": "OpenGVLab/InternVL3-8B-hf",
    "moondream1": "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
}
"""By the `model_type` of models that bring their own code: one much like it that transformers has the code of."""
_NATIVE_ELSE = "Qwen/Qwen2.5-VL-3B-Instruct"


def load_processor(folder: Path, trust: dict[str, bool]) -> Any:
    """Return what makes a model's input of pictures and text, set to batches and to pictures of `MAX_SIDE`."""
    import transformers

    processor = transformers.AutoProcessor.from_pretrained(folder, **trust)
    processor.tokenizer.pad_token = processor.tokenizer.pad_token or processor.tokenizer.eos_token
    # Models that cut a picture into tiles enlarge it first, which shows them nothing more and takes up to thrice as long.
    images = processor.image_processor
    if isinstance(largest := getattr(images, "max_image_size", None), Mapping):  # SmolVLM, Idefics3
        tile = largest["longest_edge"]
        images.size = {"longest_edge": min(images.size["longest_edge"], ceil(MAX_SIDE / tile) * tile)}
    elif getattr(images, "crop_to_patches", False):  # InternVL
        tile = images.size["height"]
        images.max_patches = min(images.max_patches, ceil(MAX_SIDE**2 / tile**2))
    return processor


def model_files(model: str, *weights: str) -> Path:
    """Return the folder with the model's files; only the small ones unless `weights` says in which forms it may be."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    # Some models bring program code of their own, which `check_code` looks at before it can run.
    return snapshot(model, flag="--model", small=(*SMALL, "*.py"), weights=weights)


def check_code(folder: Path, model: str, *, trusted: bool) -> None:
    """Check that the model takes pictures, and that transformers has its code or the user trusts the model's own."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StopRunError(
            f"{folder} holds no model (no config.json that says its model_type): check --model."
        ) from None
    own_code = bool(config.get("auto_map"))
    # A model can bring its own code although transformers has some by the same name: Microsoft's Florence-2 does,
    # and its weights do not fit transformers' Florence-2.
    if own_code and not trusted and (kind in _NATIVE or kind not in CONFIG_MAPPING):
        raise StopRunError(
            f"{model} needs its own program code, which could do anything on this machine"
            + (
                f" and is not known to work with today's transformers: choose --model {_NATIVE[kind]}."
                if kind in _NATIVE
                else f": choose --model {_NATIVE_ELSE}, whose code is part of transformers, or add --trust-remote-code."
            )
        )
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES and not (own_code and trusted):
        known = "does not take pictures" if kind in CONFIG_MAPPING else "is not known to transformers"
        raise StopRunError(
            f"{model} is of the kind {kind}, which {known}: choose another --model, such as {_NATIVE_ELSE}."
        )
