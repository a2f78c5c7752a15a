"""Owns vectors by a model: pictures and texts through sentence-transformers. Never decodes a photo, never clusters.

The files are found, or fetched from the Hub, when an embedder is made; torch and the weights are loaded when the first
picture or text comes, so a report whose vectors are all in the cache needs neither.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from fnmatch import fnmatch
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from errors import PackagesError, StopRunError
from report.vectors.embed import Embedder, unit

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
_SMALL = ("*.json", "*.jinja", "*.txt", "*.model")
"""What says how a model is built and fed."""
_WEIGHTS = ("*.safetensors", "*pytorch_model*.bin")
"""In the order of preference. Of a pickle (`.bin`) torch reads numbers only, and can be made to run nothing."""
_AGAIN = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*")
"""The same weights once more, in other forms."""

_log = logging.getLogger("captioner.report")


class ClipEmbedder(Embedder):
    """A model with pictures and texts in one space: CLIP, SigLIP and their like."""

    has_texts: ClassVar[bool] = True
    batch_size = _BATCH

    def __init__(self, model: str = CLIP_MODEL) -> None:
        """Find or fetch the files of `model`, a name on the Hub or a folder.

        Raises:
            StopRunError: they cannot be had, or are not those of a model that takes pictures.
        """
        self._model = _Model(
            model, "--clip-model", "or do without: --embedder pixels, or --cluster-by caption"
        )
        side = _picture_side(self._model.folder)
        if side is None:
            raise StopRunError(
                f"{model} takes no pictures (it has no preprocessor_config.json): choose another --clip-model, such as "
                f"{CLIP_MODEL}."
            )
        # The model wants a square from the middle: of a picture twice as long as high, that is all of its height.
        self.max_side = 2 * side
        self.name = f"{self._model.name} {self.max_side}px"

    def images(self, pictures: list[Image]) -> Floats:
        """Return the vectors of RGB pictures, (n, d).

        The model always gets a whole batch, the last one filled up: how a matrix product rounds depends on its shape,
        and the vectors of a report that was stopped and went on shall be those of one that was not.
        """
        filled = pictures + pictures[-1:] * (-len(pictures) % _BATCH)
        return self._model.vectors(filled)[: len(pictures)]

    def texts(self, texts: list[str]) -> Floats:
        """Return the vectors of texts, (n, d), in the pictures' space."""
        return self._model.vectors(_whole_letters(texts))


class TextEmbedder(Embedder):
    """A model for texts alone, for `--cluster-by caption`."""

    has_texts: ClassVar[bool] = True
    batch_size = _BATCH
    max_side = 0

    def __init__(self, model: str = TEXT_MODEL) -> None:
        """Find or fetch the files of `model`, a name on the Hub or a folder.

        Raises:
            StopRunError: they cannot be had.
        """
        self._model = _Model(model, "--text-model", "or do without: --cluster-by image")
        self.name = self._model.name

    def images(self, pictures: list[Image]) -> Floats:
        raise NotImplementedError(f"{self.name} takes no pictures")

    def texts(self, texts: list[str]) -> Floats:
        """Return the vectors of texts, (n, d)."""
        return self._model.vectors(_whole_letters(texts))


class _Model:
    """A sentence-transformers model: its files at once, its weights when they are needed."""

    def __init__(self, model: str, flag: str, way_out: str) -> None:
        if find_spec("sentence_transformers") is None:
            raise PackagesError(
                f"Vectors by a model need packages that are not installed (sentence-transformers): get them, {way_out}.",
                extra="report",
            )
        self._given, self._flag, self._way_out = model, flag, way_out
        self.folder = Path(model).expanduser()
        if self.folder.is_dir():
            self.name = f"{self.folder.resolve().name} {_fingerprint(self.folder)}"
        elif model.startswith(("/", "~", ".")):
            raise StopRunError(f"{model} is neither a folder nor a model of the Hub: check {flag}.")
        else:
            full_name = model if "/" in model else _OWNER + model
            self.folder = _fetch(full_name, flag, way_out)
            self.name = f"{full_name} {self.folder.name}"  # the commit
        self._loaded: Any = None

    def vectors(self, inputs: Sequence[Image | str]) -> Floats:
        """Return the vectors of pictures or of texts, (n, d), of length 1."""
        if self._loaded is None:
            self._loaded = self._load()
        config = self._loaded.config
        options: dict[str, Any] = {}
        if getattr(config, "model_type", "").startswith("siglip"):
            # It has learned from texts that were all filled up to one length.
            length = config.text_config.max_position_embeddings
            options["processing_kwargs"] = {"text": {"padding": "max_length", "max_length": length}}
        try:
            vectors = self._loaded.encode(
                list(inputs),
                batch_size=_BATCH,
                show_progress_bar=False,
                **options,
            )
        except (RuntimeError, MemoryError) as error:  # torch's own are RuntimeErrors
            raise StopRunError(
                f"{self._given} failed ({_short(error)}): make room in the graphics card, or set CUDA_VISIBLE_DEVICES= to "
                f"do without it, and run the same command again (what was embedded is kept), {self._way_out}."
            ) from error
        return unit(np.asarray(vectors, np.float32))

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
                str(self.folder), local_files_only=True, model_kwargs={"dtype": torch.float32}
            )
        except Exception as error:
            raise StopRunError(
                f"{self._given} cannot be loaded ({_short(error)}): fetch its files anew if they are damaged, choose another "
                f"{self._flag}, {self._way_out}."
            ) from error


def _whole_letters(texts: list[str]) -> list[str]:
    """Replace halves of surrogate pairs, which JSON can hold and no tokenizer takes."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


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


def _fetch(model: str, flag: str, way_out: str) -> Path:
    """Return the folder in the Hub's cache with the model's files, in sub-folders too; what is missing is downloaded.

    What is in the cache is taken as it is, without asking the Hub: the vectors of a library stay those of one version.
    `backends.model_files` has the same for models whose files lie in one folder, as safetensors.

    Raises:
        StopRunError: there is no such model, or no way to its files.
    """
    import httpx2
    from huggingface_hub import constants, errors, snapshot_download

    wanted: dict[str, Any] = {"ignore_patterns": list(_AGAIN)}
    folder = (
        f"give {flag} a folder that holds the model (on a machine with a connection: "
        f"`uvx --from huggingface_hub hf download {model} --local-dir FOLDER`)"
    )
    try:
        with suppress(errors.LocalEntryNotFoundError):
            small_and_best = [*_SMALL, _WEIGHTS[0]]
            cached = Path(
                snapshot_download(model, local_files_only=True, allow_patterns=small_and_best, **wanted)
            )
            if _is_whole(cached):
                return cached
        # The weights come last: where they are, nothing is missing.
        snapshot_download(model, allow_patterns=list(_SMALL), **wanted)
        try:
            files = snapshot_download(model, dry_run=True, allow_patterns=list(_WEIGHTS), **wanted)
        except errors.DryRunError as error:
            raise (error.__cause__ or error) from None
        for pattern in _WEIGHTS:
            if weights := [file for file in files if fnmatch(file.filename, pattern)]:
                missing = sum(file.file_size or 0 for file in weights if file.will_download)
                _log.info(
                    f"Downloading {model}, {missing / 1e9:,.1f} GB, once, to {constants.HF_HUB_CACHE}; "
                    "if it is interrupted, the same command goes on."
                )
                return Path(snapshot_download(model, allow_patterns=[pattern], **wanted))
        raise StopRunError(f"{model} has no weights that can be read here: choose another {flag}, {way_out}.")
    except errors.HFValidationError:
        reason = "it is neither a folder nor the name of a model"
    except errors.GatedRepoError:
        reason = f"it is given only to those who have asked for it at https://huggingface.co/{model}"
    except errors.RepositoryNotFoundError:
        reason = "the Hugging Face Hub has no such model, or does not show it to you"
    except (httpx2.HTTPError, OSError, RuntimeError) as error:  # RuntimeError: all that hf_xet says
        first_line = (str(error) or type(error).__name__).splitlines()[0][:200]
        reason = f"{constants.ENDPOINT} cannot be reached or the download broke off: {first_line}"
    raise StopRunError(
        f"The model {model} is not on this machine and cannot be had ({reason}): check {flag} and the connection and run "
        f"the same command again, {folder}, {way_out}."
    )


def _is_whole(folder: Path) -> bool:
    """Tell whether the weights are all there; another program may have fetched a part."""
    for pattern in _WEIGHTS:
        if any(folder.rglob(pattern)):
            indexes = [
                (path, json.loads(path.read_bytes())) for path in folder.rglob(f"{pattern}.index.json")
            ]
            return all(
                (path.parent / name).exists()
                for path, index in indexes
                for name in index["weight_map"].values()
            )
    return False
