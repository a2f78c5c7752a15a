"""Owns a local model's files: a folder, the Hub's cache, or a download into it. Never loads a weight."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from errors import StopRunError

_log = logging.getLogger("captioner.local")

_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
"""What says how a model is built and fed: read before the weights are, and a few megabytes at most."""
_WEIGHTS = "*.safetensors"
"""No pickles (`*.bin`), which can run anything when they are opened."""
_AGAIN = ("consolidated*", "onnx/*")
"""The same weights once more, in other forms."""

_NATIVE = {
    "florence2": "florence-community/Florence-2-large",
    "internvl_chat": "OpenGVLab/InternVL3-8B-hf",
    "moondream1": "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
}
"""By the `model_type` of models that bring their own code: one much like it that transformers has the code of."""
_NATIVE_ELSE = "Qwen/Qwen2.5-VL-3B-Instruct"


def fetch(model: str, *, weights: bool = False) -> Path:
    """Return the folder with the model's files, those with its `weights` or only the small ones before.

    What lies in the Hub's cache is taken as it is, without asking the Hub: a job of days stays with one version. What
    is missing is downloaded, with a bar.

    Raises:
        StopRunError: there is no such model, or no way to its files.
    """
    if (folder := Path(model).expanduser()).is_dir():
        return folder
    import httpx2
    from huggingface_hub import constants, errors, snapshot_download

    patterns = [*_SMALL, _WEIGHTS] if weights else list(_SMALL)
    wanted: dict[str, Any] = {"allow_patterns": patterns, "ignore_patterns": list(_AGAIN)}
    elsewhere = (
        f"on a machine with a connection run `uvx --from huggingface_hub hf download {model} --local-dir FOLDER`, "
        "and give that folder as --model"
    )
    try:
        with suppress(errors.LocalEntryNotFoundError):
            cached = Path(snapshot_download(model, local_files_only=True, **wanted))
            if _is_whole(cached, weights=weights):
                return cached
        if weights:
            try:
                files = snapshot_download(model, dry_run=True, **wanted)
            except errors.DryRunError as error:
                raise (error.__cause__ or error) from None
            if not any(file.filename.endswith(".safetensors") for file in files):
                raise StopRunError(f"{model} has no weights as safetensors: choose another --model.")
            missing = sum(file.file_size or 0 for file in files if file.will_download)
            _log.info(
                f"Downloading {model}, {missing / 1e9:,.1f} GB, once, to {constants.HF_HUB_CACHE}; "
                "if it is interrupted, the same command goes on."
            )
        return Path(snapshot_download(model, **wanted))
    except errors.HFValidationError:
        raise StopRunError(
            f"{model} is neither a folder nor the name of a model as in Qwen/Qwen2.5-VL-3B-Instruct: check --model."
        ) from None
    except errors.GatedRepoError:
        raise StopRunError(
            f"{model} is given only to those who have asked for it: accept its terms at https://huggingface.co/{model}, "
            "then log in with `uvx --from huggingface_hub hf auth login`, or choose another --model."
        ) from None
    except errors.RepositoryNotFoundError:
        raise StopRunError(
            f"The Hugging Face Hub has no model {model}, or does not show it to you: check --model."
        ) from None
    except (
        httpx2.HTTPError,
        errors.HfHubHTTPError,
        errors.LocalEntryNotFoundError,
        ConnectionError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StopRunError(
            f"The files of {model} are not all on this machine, and {constants.ENDPOINT} cannot be reached ({reason}): "
            f"connect and run the same command again, or {elsewhere}."
        ) from None
    except OSError as error:
        raise StopRunError(
            f"{model} cannot be kept in {constants.HF_HUB_CACHE} ({error.strerror or error}): make room there, "
            "or set HF_HOME to a folder with room, and run the same command again."
        ) from None
    except RuntimeError as error:  # all that hf_xet, which fetches large files, says of networks and disks
        raise StopRunError(
            f"The download of {model} broke off ({' '.join(str(error).split())[:200]}): see to the connection and to the "
            f"room in {constants.HF_HUB_CACHE}, and run the same command again; it goes on. Else {elsewhere}."
        ) from None


def _is_whole(folder: Path, *, weights: bool) -> bool:
    """Tell whether nothing is missing in a folder of the cache, which another program may have filled in part."""
    if not weights:
        return (folder / "config.json").exists() and any(folder.glob("*processor_config.json"))
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_bytes())
    except FileNotFoundError:
        return any(folder.glob(_WEIGHTS))
    return all((folder / name).exists() for name in index["weight_map"].values())


def check_code(folder: Path, model: str, *, trusted: bool) -> None:
    """See to it that transformers has the code of this model, or that the user trusts the model's own.

    Raises:
        StopRunError: it is no model that takes pictures, or it would run code of its own.
    """
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
            f"{model} needs program code of its own, which could do anything on this machine"
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
