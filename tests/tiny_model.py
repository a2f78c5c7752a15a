"""A real Qwen2.5-VL in small, made here in a second, and the real `transformers serve` over it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

_SENTENCES = (
    "A woman in a red coat walks her small brown dog along an empty beach at sunset.",
    "Two children build a tall sand castle while their father reads under a striped umbrella.",
    "An old man wearing glasses repairs a wooden boat beside the quiet harbour.",
    "Several friends share bread, cheese and grapes on a blanket near the river.",
    "Snow covers the roof of a stone church between dark pine trees.",
    "A black cat sleeps on top of some books next to an open window.",
)
_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
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


def _tokenizer() -> transformers.PreTrainedTokenizerFast:
    """Byte-level BPE that has every word of the sentences as one token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_SENTENCES, trainer)
    return transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )


def build_tiny_vlm(folder: Path) -> Path:
    """Write a model folder as from the Hub. The weights are random but always the same, and so are the answers.

    An answer is about twelve of the sentences' words, none twice, and depends on the picture and the prompt.
    """
    tokenizer = _tokenizer()
    ids = tokenizer.get_vocab()
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]},
            "initializer_range": 0.5,  # far from 0, so that the answers differ
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 4,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "initializer_range": 0.5,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    transformers.set_seed(0)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    words = {f"Ġ{word.strip('.,')}" for sentence in _SENTENCES for word in sentence.split()}
    model.generation_config = transformers.GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        repetition_penalty=5.0,
        suppress_tokens=sorted(
            number for token, number in ids.items() if token not in words and token != "<|im_end|>"
        ),
        # No end before the eighth word, and one soon after: without a limit in the request,
        # `transformers serve` takes 1024 instead of max_new_tokens.
        sequence_bias=[[[ids["<|im_end|>"]], -15.0]],
        exponential_decay_length_penalty=(8, 1.2),
        max_new_tokens=24,
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<|endoftext|>"],
    )
    model.save_pretrained(folder)
    pixels = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 64}
    transformers.Qwen2_5_VLProcessor(  # type: ignore[no-untyped-call]
        transformers.Qwen2VLImageProcessor(size=pixels),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=pixels),
        chat_template=_CHAT_TEMPLATE,
    ).save_pretrained(folder)
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
