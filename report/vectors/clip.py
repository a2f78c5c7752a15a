"""Owns vectors by a model: pictures and texts through sentence-transformers. Never decodes a photo, never clusters.

The files are found, or fetched from the Hub, when an embedder is made; torch and the weights are loaded when the first
picture or text comes, so a report whose vectors are all in the cache needs neither.
"""

from __future__ import annotations

import ctypes
import json
import logging
import sys
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.hub import snapshot
from errors import PackagesError, StopRunError, in_one_line
from report.vectors.base import Embedder
from report.vectors.embed import unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from report.vectors.embed import Floats

CLIP_MODEL = "clip-ViT-B-32"
TEXT_MODEL = "all-MiniLM-L6-v2"

_OWNER = "sentence-transformers/"
"""Whose models may be named without their owner."""
_BATCH = 32
_USUAL_SIDE = 224
"""Pixels a side that a model takes when its files do not say."""
_MAJOR = 75
"""The driver's number for the first half of what a card is capable of."""
_WEIGHTS = ("*.safetensors", "*pytorch_model*.bin")
"""In the order of preference. Of a pickle (`.bin`) torch reads numbers only, and can be made to run nothing."""

_log = logging.getLogger("captioner.report")


class TextEmbedder(Embedder):
    """A model for texts alone, for `--cluster-by caption`: its files at once, its weights when they are needed."""

    has_texts: ClassVar[bool] = True
    batch_size = _BATCH
    max_side = 0
    half = False
    """Whether the model computes with two bytes a number."""

    def __init__(
        self,
        model: str = TEXT_MODEL,
        flag: str = "--text-model",
        way_out: str = "or do without: --cluster-by image",
    ) -> None:
        """Find or fetch the files of `model`, a name on the Hub or a folder, which `flag` has named.

        Raises:
            StopRunError: they cannot be had.
        """
        if find_spec("sentence_transformers") is None:
            raise PackagesError(
                f"Vectors by a model need packages that are not installed (sentence-transformers): get them, {way_out}.",
                extra="report",
            )
        self._given, self._flag, self._way_out = model, flag, way_out
        self.says = f"captions ({model})"
        self._folder = Path(model).expanduser()
        if self._folder.is_dir():
            self.name = f"{self._folder.resolve().name} {_fingerprint(self._folder)}"
        elif model.startswith(("/", "~", ".")):
            raise StopRunError(f"{model} is neither a folder nor a model of the Hub: check {flag}.")
        else:
            full_name = model if "/" in model else _OWNER + model
            self._folder = snapshot(full_name, flag=flag, way_out=way_out, weights=_WEIGHTS)
            self.name = f"{full_name} {self._folder.name}"  # the commit
        self._loaded: Any = None

    def images(self, pictures: list[Image]) -> Floats:
        raise NotImplementedError(f"{self.name} takes no pictures")

    def texts(self, texts: list[str]) -> Floats:
        # Halves of surrogate pairs, which JSON can hold and no tokenizer takes, are replaced.
        return self._vectors([text.encode("utf-8", "replace").decode() for text in texts])

    def _vectors(self, inputs: Sequence[Image | str]) -> Floats:
        if self._loaded is None:
            self._loaded = self._load()
        config = self._loaded.config
        options: dict[str, Any] = {}
        if getattr(config, "model_type", "").startswith("siglip"):
            # It has learned from texts that were all filled up to one length.
            length = config.text_config.max_position_embeddings
            options["processing_kwargs"] = {"text": {"padding": "max_length", "max_length": length}}
        try:
            vectors = self._encode(inputs, options)
            if self.half and not np.isfinite(vectors).all():  # its numbers may be too large for two bytes
                self._loaded = self._loaded.float()
                vectors = self._encode(inputs, options)
        except (RuntimeError, MemoryError) as error:  # torch's own are RuntimeErrors
            raise StopRunError(
                f"{self._given} failed ({in_one_line(error)}): make room in the graphics card, or set CUDA_VISIBLE_DEVICES= to "
                f"do without it, and run the same command again (what was embedded is kept), {self._way_out}."
            ) from error
        return unit(vectors)

    def _encode(self, inputs: Sequence[Image | str], options: dict[str, Any]) -> Floats:
        vectors = self._loaded.encode(list(inputs), batch_size=_BATCH, show_progress_bar=False, **options)
        return np.asarray(vectors, np.float32)

    def _load(self) -> object:
        _log.info("Starting torch and sentence-transformers.")  # half a minute on a slow disk
        import torch
        import transformers
        from sentence_transformers import SentenceTransformer

        transformers.logging.set_verbosity_error()  # its advice is for programmers
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        if not sys.stderr.isatty():
            transformers.logging.disable_progress_bar()
        try:
            return SentenceTransformer(
                str(self._folder),
                local_files_only=True,
                model_kwargs={"dtype": torch.float16 if self.half else torch.float32},
            )
        except Exception as error:
            raise StopRunError(
                f"{self._given} cannot be loaded ({in_one_line(error)}): fetch its files again if they are damaged, choose another "
                f"{self._flag}, {self._way_out}."
            ) from error


class ClipEmbedder(TextEmbedder):
    """A model with pictures and texts in one space: CLIP, SigLIP and their like."""

    def __init__(self, model: str = CLIP_MODEL) -> None:
        """Find or fetch the files; StopRunError also for those of a model that takes no pictures."""
        super().__init__(model, "--clip-model", "or do without: --embedder pixels, or --cluster-by caption")
        side = _picture_side(self._folder)
        if side is None:
            raise StopRunError(
                f"{model} takes no pictures (it has no preprocessor_config.json): choose another --clip-model, such as "
                f"{CLIP_MODEL}."
            )
        # The model wants a square from the middle: of a picture twice as long as high, that is all of its height.
        self.max_side = 2 * side
        self.half = _fast_card()
        self.name += f" {self.max_side}px" + " float16" * self.half
        self.says = f"pictures ({model})"

    def images(self, pictures: list[Image]) -> Floats:
        """Return the vectors of RGB pictures, (n, d).

        The model always gets a whole batch, the last one filled up: how a matrix product rounds depends on its shape,
        and the vectors of a report that was stopped and went on shall be those of one that was not.
        """
        filled = pictures + pictures[-1:] * (-len(pictures) % _BATCH)
        return self._vectors(filled)[: len(pictures)]


def _fast_card() -> bool:
    """Tell whether torch will find a card that is faster with two bytes a number (NVIDIA, since 2018).

    It asks the driver: torch takes half a minute to start, and is not needed if all vectors are in the cache.
    """
    count, card, major = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL("libcuda.so.1")
        asked = (
            driver.cuInit(0)
            or driver.cuDeviceGetCount(ctypes.byref(count))
            or driver.cuDeviceGet(ctypes.byref(card), 0)
            or driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, card)
        )
        return not asked and major.value >= 7 and "cpu" not in version("torch")
    return False


def _picture_side(folder: Path) -> int | None:
    """Return how many pixels a side the model takes; None if it takes no pictures. Torch is not needed to know it."""
    for path in sorted([*folder.rglob("preprocessor_config.json"), *folder.rglob("processor_config.json")]):
        with suppress(OSError, ValueError):
            config = json.loads(path.read_bytes())
            size = config.get("image_processor", config).get("size")
            sides = [size] if isinstance(size, int) else [*size.values()] if isinstance(size, dict) else []
            return min((side for side in sides if isinstance(side, int)), default=_USUAL_SIDE)
    return None


def _fingerprint(folder: Path) -> str:
    """Return what changes when a file of the folder does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    state = [
        (path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files
    ]
    return sha256(json.dumps(state).encode()).hexdigest()[:16]
