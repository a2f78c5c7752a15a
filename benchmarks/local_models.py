"""Owns models of real sizes with random weights, which take as long as the trained ones; their tokenizer is the tests'."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import transformers
from processes import ROOT

sys.path.insert(0, str(ROOT))
from backends import local_hf
from backends.precision import Device, find_device
from caption import DEFAULT_PROMPT
from config import Settings
from tests.helpers import tiny_clip
from tests.helpers.tiny_model import build

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

NEW_TOKENS = 60
"""Every answer is so long, so that all do the same work; a caption of two sentences is, too."""

_QWEN_3B = transformers.Qwen2_5_VLConfig(
    text_config={
        "hidden_size": 2048,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "intermediate_size": 11008,
        "vocab_size": 151936,
        "max_position_embeddings": 128000,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1000000.0,
            "mrope_section": [16, 24, 24],
        },
        "tie_word_embeddings": True,
    },
    vision_config={
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "out_hidden_size": 2048,
    },
    tie_word_embeddings=True,
)
_SMOLVLM_500M = transformers.SmolVLMConfig(
    text_config={
        "model_type": "llama",
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        "head_dim": 64,
        "vocab_size": 49280,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    },
    vision_config={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 512,
        "patch_size": 16,
    },
    scale_factor=4,
    tie_word_embeddings=False,
)


@dataclass(frozen=True)
class _Size:
    family: str
    config: transformers.PreTrainedConfig | None = None
    """None: the tests' tiny model, with its own weights and processor."""
    weights: int = 0
    tokens: tuple[tuple[str, str], ...] = ()
    """Which of the tokenizer's tokens the configuration has to name."""
    pixels: tuple[tuple[str, dict[str, int]], ...] = ()
    """What the image processor has other than the tests'."""
    image_seq_len: int | None = None


_SIZES = {
    "qwen": _Size(
        "qwen2_5_vl",
        _QWEN_3B,
        3_754_622_976,
        (
            ("image_token_id", "<|image_pad|>"),
            ("video_token_id", "<|video_pad|>"),
            ("vision_start_token_id", "<|vision_start|>"),
            ("vision_end_token_id", "<|vision_end|>"),
        ),
        (("size", {"shortest_edge": 3136, "longest_edge": 12845056}),),
    ),
    "smolvlm": _Size(
        "smolvlm",
        _SMOLVLM_500M,
        507_482_304,
        (("image_token_id", "<image>"), ("pad_token_id", "<|im_end|>")),
        (("size", {"longest_edge": 2048}), ("max_image_size", {"longest_edge": 512})),
        image_seq_len=64,
    ),
    "tiny": _Size("qwen2_5_vl"),
}
MODELS = tuple(_SIZES)


class Call(NamedTuple):
    """One `model.generate`: seconds at which it began and ended, and for how many photos."""

    begin: float
    end: float
    photos: int


class Took(NamedTuple):
    """Seconds for a number of photos, and the share of them in which nothing was in the model."""

    seconds: float
    photos: int
    waiting: float = 0.0


class Backend(local_hf.LocalHFBackend):
    """The product's, but that its captions are not judged (random ones would be asked for twice) and that it keeps `calls`.

    Besides it makes the yardsticks' calls with the same model.
    """

    checked = False

    def __init__(self, folder: Path, held: float = 0, quantization: object = None) -> None:
        """Load it; with `held`, as on a card with that many bytes; with `quantization`, its weights as that says."""
        local_hf.MAX_NEW_TOKENS = NEW_TOKENS
        local_hf.find_device = lambda: _held(find_device(), held)  # type: ignore[attr-defined]
        self._held = held
        self._quantization = quantization
        begin = time.perf_counter()
        super().__init__(str(folder), Settings(), DEFAULT_PROMPT)
        self.seconds = time.perf_counter() - begin
        self.calls: list[Call] = []
        self._bare = self._model.generate
        self._model.generate = self._timed

    def _precision_options(self, precision: str) -> dict[str, Any]:
        options = super()._precision_options(precision)
        return options | {"quantization_config": self._quantization} if self._quantization else options

    def _fitting_batch(self) -> int:
        begin = time.perf_counter()
        size = super()._fitting_batch()
        self.trials = time.perf_counter() - begin
        return size

    def _room(self) -> float:
        return min(super()._room(), self._held or math.inf)

    def prepare(self, images: list[Image.Image]) -> transformers.BatchFeature:
        """Return the model's input, in the processor's memory."""
        inputs: transformers.BatchFeature = self._processor(
            images=[[image] for image in images],
            text=[self._text] * len(images),
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        return inputs.to(self._model.dtype)

    def generate(self, inputs: transformers.BatchFeature) -> None:
        """Have the model answer, as the product asks it to."""
        on_device = {name: value.to(self._model.device) for name, value in inputs.items()}
        self._steps.generate(on_device, max_new_tokens=NEW_TOKENS, num_beams=1, do_sample=False).cpu()

    def _timed(self, input_ids: torch.Tensor, **inputs: object) -> torch.Tensor:
        begin = time.perf_counter()
        output: torch.Tensor = self._bare(input_ids=input_ids, **inputs)
        self.calls.append(Call(begin, time.perf_counter(), len(output)))
        made = output.shape[1] - input_ids.shape[1]
        assert made == NEW_TOKENS, f"{made} new tokens instead of {NEW_TOKENS}"
        return output


def _held(device: Device, most: float) -> Device:
    most = most or math.inf
    return replace(device, free=min(device.free, most), total=min(device.total, most))


def write(name: str, folder: Path) -> Path:
    """Write a model folder as from the Hub, its weights as bfloat16."""
    size = _SIZES[name]
    build(size.family, folder)
    generation = transformers.GenerationConfig.from_pretrained(folder)
    if size.config:
        processor = transformers.AutoProcessor.from_pretrained(folder)
        vocabulary = processor.tokenizer.get_vocab()
        for attribute, token in size.tokens:
            setattr(size.config, attribute, vocabulary[token])
        with torch.device("cuda" if _card_holds(2 * size.weights) else "cpu"):
            model = transformers.AutoModelForImageTextToText.from_config(size.config, dtype=torch.bfloat16)
        weights = sum(parameter.numel() for parameter in model.parameters())
        assert weights == size.weights, f"{name} has {weights:,} weights, not {size.weights:,}"
        _only_words(model.get_output_embeddings().weight, vocabulary)
        model.save_pretrained(folder)
        del model
        torch.cuda.empty_cache()
        for attribute, value in size.pixels:
            setattr(processor.image_processor, attribute, value)
        if size.image_seq_len:
            processor.image_seq_len = size.image_seq_len
        processor.save_pretrained(folder)
        ends = {"eos_token_id": generation.eos_token_id, "pad_token_id": generation.pad_token_id}
        generation = transformers.GenerationConfig(do_sample=False, **ends)
    generation.min_new_tokens = generation.max_new_tokens = NEW_TOKENS
    generation.save_pretrained(folder)
    return folder


def _card_holds(weights: float) -> bool:
    """Tell whether that many bytes of weights can be made on the card; a smaller one has the processor make them."""
    return torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > 1.5 * weights


def _only_words(head: torch.Tensor, vocabulary: dict[str, int]) -> None:
    """Let answers be made of the tokenizer's words: of others nothing would be left in a caption."""
    words = [number for token, number in vocabulary.items() if token.startswith("Ġ") and token[1:].isalpha()]
    kept = torch.zeros(len(head), 1, dtype=head.dtype, device=head.device)
    kept[words] = 1
    with torch.no_grad():
        head.mul_(kept)


def write_clip(folder: Path, *, tiny: bool) -> Path:
    """Write a CLIP of the size of ViT-B/32, with random weights."""
    tiny_clip.build(folder, nested=False)
    if not tiny:
        config = transformers.CLIPConfig()  # its default is ViT-B/32
        small = transformers.AutoConfig.from_pretrained(folder).text_config
        for name in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"):
            setattr(config.text_config, name, getattr(small, name))
        transformers.CLIPModel(config).save_pretrained(folder)
        for file in (folder / "preprocessor_config.json", folder / "processor_config.json"):
            if file.exists():
                text = json.dumps(json.loads(file.read_text()))
                file.write_text(text.replace(f": {tiny_clip.SIDE}", ": 224"))
    return folder
