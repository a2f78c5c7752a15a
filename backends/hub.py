"""Owns how a model's files get to this machine from the Hugging Face Hub. Loads no weight, and imports no SDK or torch."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from fnmatch import filter as matching
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import StopRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = ("*.json", "*.jinja", "*.txt", "*.model")
"""What says how a model is built and fed: a few megabytes at most."""
_AGAIN = ["consolidated*", "onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]
"""The same weights once more, in other forms."""

_log = logging.getLogger("captioner.hub")


def snapshot(
    model: str, *, flag: str, way_out: str = "", small: Sequence[str] = SMALL, weights: Sequence[str] = ()
) -> Path:
    """Return the folder in the Hub's cache with the model's small files and its weights, in the first form it has.

    `weights` are patterns of forms, the preferred one first; without any, only the small files are fetched. What is in
    the cache is used without asking the Hub: a job of days stays with one version. `flag` is the flag that names the
    model and `way_out` what the user can do without it, for messages.

    Raises:
        StopRunError: there is no such model, or no way to its files.
    """
    from huggingface_hub import constants, errors, snapshot_download

    def fetch(patterns: Sequence[str], **options: Any) -> Any:
        return snapshot_download(model, allow_patterns=list(patterns), ignore_patterns=_AGAIN, **options)

    try:
        with suppress(errors.LocalEntryNotFoundError):
            cached = Path(fetch([*small, *weights[:1]], local_files_only=True))
            if _is_whole(cached, weights):
                return cached
        folder = Path(fetch(small))  # the weights come last: where they are, nothing is missing
        for form in weights:
            if files := fetch([form], dry_run=True):
                missing = sum(file.file_size or 0 for file in files if file.will_download)
                _log.info(
                    f"Downloading {model}, {missing / 1e9:,.1f} GB, once, to {constants.HF_HUB_CACHE}; "
                    "if it is interrupted, the same command goes on."
                )
                return Path(fetch([form]))
    except Exception as error:
        cause = error.__cause__ if isinstance(error, errors.DryRunError) else None
        if sentence := _sentence(cause or error, model, flag):
            raise StopRunError(f"{sentence}{way_out and f', {way_out}'}.") from None
        raise
    if weights:
        forms = " or ".join(weights)
        raise StopRunError(
            f"{model} has no weights as {forms}: choose another {flag}{way_out and f', {way_out}'}."
        )
    return folder


def _sentence(error: BaseException, model: str, flag: str) -> str | None:
    """Return what went wrong and what to do, without the full stop; None for what is no trouble of a download."""
    import httpx2
    from huggingface_hub import constants, errors

    first_line = (str(error) or type(error).__name__).splitlines()[0][:200]
    elsewhere = (
        f"on a machine with a connection run `uvx --from huggingface_hub hf download {model} --local-dir FOLDER`, "
        f"and give that folder as {flag}"
    )
    match error:
        case errors.HFValidationError():
            return f"{model} is neither a folder nor the name of a model, as in Qwen/Qwen2.5-VL-3B-Instruct: check {flag}"
        case errors.GatedRepoError():
            return (
                f"{model} is only for people who have accepted its terms: accept them at https://huggingface.co/{model}, "
                f"then log in with `uvx --from huggingface_hub hf auth login`, or choose another {flag}"
            )
        case errors.RepositoryNotFoundError():
            return f"The Hugging Face Hub has no model {model}, or does not show it to you: check {flag}"
        case (
            httpx2.HTTPError() | errors.LocalEntryNotFoundError() | ConnectionError()
        ):  # the Hub's are HTTPErrors
            return (
                f"The files of {model} are not all on this machine, and {constants.ENDPOINT} cannot be reached "
                f"({first_line}): connect and run the same command again, or {elsewhere}"
            )
        case OSError():
            return (
                f"{model} cannot be saved in {constants.HF_HUB_CACHE} ({error.strerror or error}): make room there, "
                "or set HF_HOME to a folder with room, and run the same command again"
            )
        case RuntimeError():  # all that hf_xet, which fetches large files, says of networks and disks
            return (
                f"The download of {model} broke off ({first_line}): check the connection and the room in "
                f"{constants.HF_HUB_CACHE}, and run the same command again to go on, or {elsewhere}"
            )
    return None


def _is_whole(folder: Path, weights: Sequence[str]) -> bool:
    """Tell whether nothing is missing in a folder of the cache; another program may have fetched a part."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    if not weights:
        return "config.json" in names and any(name.endswith("processor_config.json") for name in names)
    names = [name for name in names if not any(fnmatch(name, again) for again in _AGAIN)]
    for form in weights:
        if matching(names, form):
            indexes = [folder / name for name in matching(names, f"{form}.index.json")]
            parts = {index: json.loads(index.read_bytes())["weight_map"].values() for index in indexes}
            return all((index.parent / part).exists() for index in indexes for part in parts[index])
    return False
