"""Real vision-language models in small, made here in a second, and the real `transformers serve` over them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WIDTH = 64
"""What goes into a layer in whole blocks of bitsandbytes' 64: with AVX512-BF16 it packs four-bit weights so, and what
comes out of one by 32. Every layer's two sizes are multiples of those."""
SPREAD = 0.25
"""Of the weights: far from 0, so that the answers differ, and not so far that rounding grows from layer to layer until it
chooses the word. With these weights the second word of any answer in the tests is behind the first by ninety times what
float32 and float64 differ by, or more, so that no processor's way of adding changes it; with 0.5, Florence's was by one."""

_SENTENCES = (
    "A woman in a red coat walks her small brown dog along an empty beach at sunset.",
    "Two children build a tall sand castle while their father reads under a striped umbrella.",
    "An old man wearing glasses repairs a wooden boat beside the quiet harbour.",
    "Several friends share bread, cheese and grapes on a blanket near the river.",
    "Snow covers the roof of a stone church between dark pine trees.",
    "A black cat sleeps on top of some books next to an open window.",
)
# Qwen2.5-VL's own, without the system prompt and the numbering of pictures.
_CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type in ("image", "image_url") -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == "text" -%}
{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


@dataclass(frozen=True)
class _Family:
    parts: Callable[[transformers.PreTrainedTokenizerFast], tuple[Any, Any]]
    """Makes the configuration and the processor."""
    special: tuple[str, ...]
    eos: str = "<|im_end|>"
    pad: str = "<|endoftext|>"
    names: Mapping[str, str] = field(default_factory=dict)
    """Tokens that the processor asks the tokenizer for by name."""
    generation: Mapping[str, Any] = field(default_factory=dict)


def _tokenizer(family: _Family) -> transformers.PreTrainedTokenizerFast:
    """Byte-level BPE that has every word of the sentences as one token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        special_tokens=list(family.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_SENTENCES, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=family.eos,
        pad_token=family.pad,
        padding_side="left",
        **family.names,
    )


def _text(tokenizer: transformers.PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": SPREAD,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


_VISION: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "initializer_range": SPREAD}
_TILES = _VISION | {"num_hidden_layers": 2, "num_attention_heads": 4}


def _qwen(
    tokenizer: transformers.PreTrainedTokenizerFast,
    *,
    family: str,
    video: str,
    patch_size: int,
    text: dict[str, Any],
    vision: dict[str, Any],
) -> tuple[Any, Any]:
    ids = tokenizer.get_vocab()
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}
    config = getattr(transformers, f"{family}Config")(
        text_config=_text(tokenizer) | {"rope_parameters": rope} | text,
        vision_config=_VISION | {"depth": 2, "num_heads": 4, "out_hidden_size": WIDTH} | vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    pixels = {"shortest_edge": (4 * patch_size) ** 2, "longest_edge": (2 * patch_size) ** 2 * 64}
    processor = getattr(transformers, f"{family}Processor")(
        transformers.Qwen2VLImageProcessor(size=pixels, patch_size=patch_size),
        tokenizer,
        getattr(transformers, f"{video}VideoProcessor")(size=pixels),
        chat_template=_CHAT_TEMPLATE,
    )
    return config, processor


def _idefics(tokenizer: transformers.PreTrainedTokenizerFast, *, family: str, video: bool) -> tuple[Any, Any]:
    """Tiles of 32 pixels and four along the longer side, where SmolVLM has four of 512."""
    from transformers.models.smolvlm.processing_smolvlm import (  # noqa: PLC0415 (imports torch)
        DEFAULT_CHAT_TEMPLATE,
    )

    tile, patch_size, scale_factor = 32, 8, 2
    config = getattr(transformers, f"{family}Config")(
        text_config=_text(tokenizer) | {"model_type": "llama"},
        vision_config=_TILES | {"image_size": tile, "patch_size": patch_size},
        scale_factor=scale_factor,
        image_token_id=tokenizer.get_vocab()["<image>"],
        pad_token_id=tokenizer.pad_token_id,
    )
    sizes: dict[str, Any] = {"size": {"longest_edge": 4 * tile}, "max_image_size": {"longest_edge": tile}}
    processor = getattr(transformers, f"{family}Processor")(
        getattr(transformers, f"{family}ImageProcessor")(**sizes),
        tokenizer,
        *([transformers.SmolVLMVideoProcessor(**sizes)] if video else []),
        image_seq_len=(tile // patch_size // scale_factor) ** 2,
        chat_template=DEFAULT_CHAT_TEMPLATE,
    )
    return config, processor


def _internvl(tokenizer: transformers.PreTrainedTokenizerFast) -> tuple[Any, Any]:
    tile, patch_size = 56, 14
    tokens_of_a_tile = (tile // patch_size // 2) ** 2
    config = transformers.InternVLConfig(
        text_config=_text(tokenizer) | {"model_type": "qwen2"},
        vision_config=_TILES | {"image_size": tile, "patch_size": patch_size},
        image_token_id=tokenizer.get_vocab()["<IMG_CONTEXT>"],
        image_seq_length=tokens_of_a_tile,
    )
    size = {"height": tile, "width": tile}
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(size=size, crop_to_patches=True),
        tokenizer,
        transformers.InternVLVideoProcessor(size=size),
        image_seq_length=tokens_of_a_tile,
        chat_template=_CHAT_TEMPLATE.replace(
            "<|vision_start|><|image_pad|><|vision_end|>", '{{ "<IMG_CONTEXT>\\n" }}'
        ),
    )
    return config, processor


def _florence2(tokenizer: transformers.PreTrainedTokenizerFast) -> tuple[Any, Any]:
    """An encoder and a decoder (BART) without a chat template: a prompt is a task's name, <CAPTION> say."""
    config = transformers.Florence2Config(
        text_config={
            "model_type": "bart",
            "vocab_size": len(tokenizer),
            "d_model": WIDTH,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 2 * WIDTH,
            "decoder_ffn_dim": 2 * WIDTH,
            "init_std": SPREAD,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "decoder_start_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": [WIDTH] * 4,
            "num_heads": [1, 1, 2, 4],
            "num_groups": [1, 1, 2, 4],
            "window_size": 4,
            "projection_dim": WIDTH,
            "initializer_range": SPREAD,
        },
        image_token_id=tokenizer.get_vocab()["<image>"],
    )
    processor = transformers.Florence2Processor(
        transformers.CLIPImageProcessor(
            size={"height": 128, "width": 128},
            do_center_crop=False,
            image_seq_length=4 * 4 + 1,  # 128 pixels are 4 places a side, and one token is for all of them
        ),
        tokenizer,
    )
    return config, processor


_QWEN_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
_IDEFICS_TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<end_of_utterance>"),
    *("<image>", "<fake_token_around_image>", "<global-img>"),
    *(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)),
)
_FAMILIES = {
    "qwen2_5_vl": _Family(
        partial(
            _qwen,
            family="Qwen2_5_VL",
            video="Qwen2VL",
            patch_size=14,
            text={},
            vision={"fullatt_block_indexes": [1]},
        ),
        _QWEN_TOKENS,
    ),
    "qwen2_vl": _Family(
        partial(
            _qwen,
            family="Qwen2VL",
            video="Qwen2VL",
            patch_size=14,
            text={},
            vision={"embed_dim": WIDTH, "mlp_ratio": 2},
        ),
        _QWEN_TOKENS,
    ),
    "qwen3_vl": _Family(
        partial(
            _qwen,
            family="Qwen3VL",
            video="Qwen3VL",
            patch_size=16,
            text={"head_dim": 16},
            vision={"num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        ),
        _QWEN_TOKENS,
    ),
    "smolvlm": _Family(
        partial(_idefics, family="SmolVLM", video=True),
        _IDEFICS_TOKENS,
        eos="<end_of_utterance>",
        pad="<|im_end|>",
    ),
    # The first SmolVLM, too, is of this class.
    "idefics3": _Family(
        partial(_idefics, family="Idefics3", video=False),
        _IDEFICS_TOKENS,
        eos="<end_of_utterance>",
        pad="<|im_end|>",
    ),
    "internvl": _Family(
        _internvl,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        names={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    ),
    "florence2": _Family(
        _florence2,
        ("<s>", "<pad>", "</s>", "<image>"),
        eos="</s>",
        pad="<pad>",
        names={"bos_token": "<s>", "image_token": "<image>"},
        # As in the real one: an answer begins with the token that ends it, and ends with it also at the limit.
        generation={"bos_token_id": 0, "decoder_start_token_id": 2, "forced_eos_token_id": 2},
    ),
}


def build(family: str, folder: Path) -> Path:
    """Write a model folder as from the Hub. The weights are random but always the same, and so are the answers.

    An answer is about twelve of the sentences' words, none twice, and depends on the picture and the prompt.
    """
    chosen = _FAMILIES[family]
    tokenizer = _tokenizer(chosen)
    config, processor = chosen.parts(tokenizer)
    transformers.set_seed(3)
    model = transformers.AutoModelForImageTextToText.from_config(config)
    words = {f"Ġ{word.strip('.,')}" for sentence in _SENTENCES for word in sentence.split()}
    model.generation_config = transformers.GenerationConfig(
        do_sample=False,
        repetition_penalty=5.0,
        suppress_tokens=sorted(
            number
            for token, number in tokenizer.get_vocab().items()
            if token not in words and token != chosen.eos
        ),
        # No end before the eighth word, and one soon after: without a limit in the request,
        # `transformers serve` takes 1024 instead of max_new_tokens.
        sequence_bias=[[[tokenizer.eos_token_id], -15.0]],
        exponential_decay_length_penalty=(8, 1.2),
        max_new_tokens=24,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **chosen.generation,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def build_tiny_vlm(folder: Path) -> Path:
    return build("qwen2_5_vl", folder)


_CUSTOM_CODE = '''\
"""Model code as a folder from the Hub may bring it."""

import os
from pathlib import Path

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

if marker := os.environ.get("TINY_MARKER"):
    Path(marker).write_text("the code of the model folder ran")


class CustomConfig(Qwen3VLConfig):
    model_type = "tiny_custom"


class CustomForConditionalGeneration(Qwen3VLForConditionalGeneration):
    config_class = CustomConfig


class CustomProcessor(Qwen3VLProcessor):
    pass
'''


def build_with_custom_code(folder: Path) -> Path:
    """Write a model folder that works only with the Python code in it.

    When that code runs, it writes the file that the environment variable TINY_MARKER names.
    """
    # Not from Qwen2.5-VL: its weights are stored under other names, by a rule for its model_type alone.
    build("qwen3_vl", folder)
    (folder / "custom.py").write_text(_CUSTOM_CODE)
    changes = {
        "config.json": {
            "model_type": "tiny_custom",
            "architectures": ["CustomForConditionalGeneration"],
            "auto_map": {
                "AutoConfig": "custom.CustomConfig",
                "AutoModelForImageTextToText": "custom.CustomForConditionalGeneration",
                "AutoProcessor": "custom.CustomProcessor",
            },
        },
        "processor_config.json": {
            "processor_class": "CustomProcessor",
            "auto_map": {"AutoProcessor": "custom.CustomProcessor"},
        },
        "tokenizer_config.json": {"processor_class": "CustomProcessor"},
    }
    for name, change in changes.items():
        file = folder / name
        file.write_text(json.dumps(json.loads(file.read_text()) | change, indent=2))
    return folder


@contextmanager
def serve(model_folder: Path, seconds: float = 180) -> Iterator[str]:
    """Serve the folder with `transformers serve`; yield the base URL, and end the process afterwards.

    The name of the model in a request is `str(model_folder)`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("transformers")),
                "serve",
                str(model_folder),
                "--device=cpu",
                "--host=127.0.0.1",
                f"--port={port}",
            ],
            env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + seconds
            while not _answers(f"http://127.0.0.1:{port}/health"):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise AssertionError(f"transformers serve does not answer:\n{log.read()}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
