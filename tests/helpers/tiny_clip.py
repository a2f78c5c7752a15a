"""A CLIP in small, made here in a second: the real classes, random weights that are always the same."""

from __future__ import annotations

import json
from pathlib import Path

import transformers
from tokenizers.pre_tokenizers import ByteLevel

SIDE = 32
DIMENSIONS = 16


def build(folder: Path, *, nested: bool = True) -> Path:
    """Write a model folder that `SentenceTransformer(folder)` loads, for pictures and texts.

    `nested` as clip-ViT-B-32 has it on the Hub, with the model in a sub-folder; else flat, as SigLIP's folders are.
    """
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = transformers.CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=77
    )
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.CLIPConfig(
        text_config=shape
        | {
            "vocab_size": len(tokens),
            "projection_dim": DIMENSIONS,
            "bos_token_id": len(tokens) - 2,
            "eos_token_id": len(tokens) - 1,
            "pad_token_id": len(tokens) - 1,
            "initializer_range": 0.5,
        },
        vision_config=shape
        | {"image_size": SIDE, "patch_size": 8, "projection_dim": DIMENSIONS, "initializer_range": 0.5},
        projection_dim=DIMENSIONS,
        initializer_factor=5.0,  # far from 0, so that the answers differ
    )
    transformers.set_seed(0)
    model = transformers.CLIPModel(config)
    images = transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    inner = folder / "0_CLIPModel" if nested else folder
    model.save_pretrained(inner)
    transformers.CLIPProcessor(images, tokenizer).save_pretrained(inner)
    if nested:
        module = {"idx": 0, "name": "0", "path": inner.name, "type": "sentence_transformers.models.CLIPModel"}
        (folder / "modules.json").write_text(json.dumps([module]))
    return folder


def build_siglip(folder: Path) -> Path:
    """Write a SigLIP as the Hub has them: flat, without a word of sentence-transformers, its texts at one length."""
    build(folder, nested=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = transformers.SiglipConfig(
        text_config=shape
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 16, "projection_size": 32},
        vision_config=shape | {"image_size": SIDE, "patch_size": 8},
    )
    transformers.set_seed(0)
    transformers.SiglipModel(config).save_pretrained(folder)
    images = transformers.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    transformers.SiglipProcessor(images, tokenizer).save_pretrained(folder)
    return folder
