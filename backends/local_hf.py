"""Owns captions by a vision-language model on this machine, with transformers' generic image-text-to-text classes.

images ─► processor (CPU, while another batch is in the model) ─► model.generate ─► texts
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from backends.base import PLAIN, Caption, CaptionBackend
from backends.hub import SMALL, snapshot
from backends.precision import (
    choose_precision,
    default_model,
    find_device,
    fitting_batch,
    suggest,
    weights_of,
    whole_precision,
)
from errors import StopRunError
from image_loader import MAX_SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config import Settings

MAX_NEW_TOKENS = 128
"""Two sentences take 30 to 60; in a batch all wait for the longest."""
ANSWER_TOKENS = 300
"""Of an answer to a question without a picture."""
CPU_BATCH = 4

_THOUGHT = re.compile(r"think|thought|reason|channel|message", re.IGNORECASE)
_BEGUN_THOUGHT = re.compile(r"[<\[◁][^\s/]*(?:think|thought|reason)[^\s/]*[>\]▷]\s*$", re.IGNORECASE)
_FLORENCE_TASK = "<DETAILED_CAPTION>"
_NATIVE = {
    "florence2": "florence-community/Florence-2-large",
    "internvl_chat": "OpenGVLab/InternVL3-8B-hf",
    "moondream1": "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
}
"""By the `model_type` of models that bring their own code: one much like it that transformers has the code of."""
_NATIVE_ELSE = "Qwen/Qwen2.5-VL-3B-Instruct"

_log = logging.getLogger("captioner.local")


class LocalHFBackend(CaptionBackend):
    """Captions in batches on one device; its precision and `batch_size` are chosen by what fits."""

    single_threaded: ClassVar[bool] = True

    def __init__(
        self,
        model: str,
        settings: Settings,
        prompt: str,
        *,
        quantize: str | None = None,
        trust_remote_code: bool = False,
        tags: bool = False,
    ) -> None:
        """Load the model, from the Hub if needed; `quantize` is none, int8, int4 or None for what suits the device."""
        if model:
            _files(model)  # a wrong name is found before torch takes its time
        _log.info("Starting torch and transformers.")  # half a minute on a slow disk
        import torch
        import transformers
        from safetensors import SafetensorError

        transformers.logging.set_verbosity_error()  # its advice is for programmers
        if not sys.stderr.isatty():
            transformers.logging.disable_progress_bar()
        self._torch = torch
        self._lock = threading.Lock()
        self._most_tokens = MAX_NEW_TOKENS * (2 if tags else 1)
        trust = {"trust_remote_code": trust_remote_code}
        try:
            self.device = find_device()
            model = model or default_model(self.device)
            folder = _files(model)
            # A folder's own name: where it lies on this machine is nothing for a journal that travels.
            is_folder = Path(model).expanduser().is_dir()
            name = folder.resolve().name if is_folder else model
            super().__init__(name, settings, prompt, tags=tags)
            _check_code(folder, model, trusted=trust_remote_code)
            self._load(folder, model, quantize, trust)
        except (StopRunError, ImportError):
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            damaged = isinstance(error, (OSError, SafetensorError))
            raise StopRunError(
                f"{model or 'A model'} cannot be loaded ({reason}): "
                + ("if its files are damaged or missing, fetch them again, else " if damaged else "")
                + "choose another --model, or report this line."
            ) from error

    def _load(self, folder: Path, model: str, quantize: str | None, trust: dict[str, bool]) -> None:
        """Choose the precision, then fetch and load the weights, then find out how many photos fit beside them."""
        import transformers

        auto_class = transformers.AutoModelForImageTextToText
        config = transformers.AutoConfig.from_pretrained(folder, **trust)
        with self._torch.device("meta"):
            weights = weights_of(auto_class.from_config(config, **trust))
        own = getattr(config, "quantization_config", None)
        if own:
            chosen = str((own if isinstance(own, dict) else vars(own)).get("quant_method", "quantized"))
            reason, options = "its files are so", {"dtype": "auto"}
            if quantize:
                raise StopRunError(f"The files of {model} are {chosen} already: leave out --quantize.")
        else:
            chosen, reason = choose_precision(self.device, weights, quantize)
            options = self._precision_options(chosen)
        folder = _files(model, "*.safetensors")
        _log.info(f"Loading {self.model} on {self.device.name} as {chosen}: {reason}.")
        self._prepare_texts(_processor(folder, trust), config.model_type)
        try:
            self._load_weights(auto_class, folder, model, {**options, **trust})
            self.batch_size = self._fitting_batch()
        except (self._torch.OutOfMemoryError, MemoryError):
            raise StopRunError(
                f"{model} as {chosen} does not fit into the memory of {self.device.name} after all; "
                f"{suggest(self.device, weights, chosen)}."
            ) from None
        except ImportError as error:
            if not own:
                raise
            raise StopRunError(
                f"{model} is quantized in a way that needs more packages than this program has ({error}): "
                "choose another --model, and have it quantized with --quantize."
            ) from error

    def _precision_options(self, precision: str) -> dict[str, Any]:
        """Return the options of `from_pretrained` for weights in this precision."""
        import transformers

        torch = self._torch
        dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16, "float32": torch.float32}
        options: dict[str, Any] = {"dtype": dtypes[whole_precision(self.device)]}
        if precision in {"int4", "int8"}:
            # It speaks at every multiplication, and on some processors when it is imported.
            logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
            import bitsandbytes  # noqa: F401 - if it is missing, say so before the weights are fetched

            options["quantization_config"] = transformers.BitsAndBytesConfig(
                load_in_4bit=precision == "int4",
                load_in_8bit=precision == "int8",
                bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=options["dtype"],
            )
        return options

    def _prepare_texts(self, processor: Any, kind: str) -> None:
        """Make the text that goes to the model, and find out which tokens of its answers are no text."""
        self._processor = processor
        self._text = self._prompt_text(kind)
        # Where a template begins the thought, the answer goes on with it.
        self._thinks = found[0] if (found := _BEGUN_THOUGHT.search(self._text)) else ""
        # Marks of thoughts stay, for the engine to cut the thought off with them.
        added = processor.tokenizer.added_tokens_decoder.items()
        self._special = {number for number, one in added if one.special and not _THOUGHT.search(one.content)}
        bos = processor.tokenizer.bos_token
        self._begun = bool(bos) and self._text.startswith(bos)  # the template has it: not twice

    def _load_weights(self, auto_class: Any, folder: Path, model: str, options: dict[str, Any]) -> None:
        device = self.device.kind
        loaded = auto_class.from_pretrained(folder, output_loading_info=True, device_map=device, **options)
        self._model, info = loaded
        if missing := sorted(info["missing_keys"]):
            raise StopRunError(
                f"The weights of {model} do not fit its architecture ({len(missing):,} are missing, such as "
                f"{missing[0]}), and its captions would be nonsense: choose another --model."
            )
        ends = self._model.generation_config.eos_token_id  # a number or several, by the model
        self._ends = set(ends) if isinstance(ends, list) else {ends}

    def _prompt_text(self, kind: str) -> str:
        """Return what goes to the model with every picture: the chat template around the prompt, where there is one."""
        if kind == "florence2":
            if self.prompt.startswith("<"):
                return self.prompt
            if self.tags:
                raise StopRunError(
                    f"{self.model} can give no tags: choose another --model, or leave out --tags."
                )
            _log.info(f"{self.model} knows tasks, not prompts: its task here is {_FLORENCE_TASK}.")
            return _FLORENCE_TASK
        if not getattr(self._processor, "chat_template", None):
            return f"{self.instruction}\n{self.prompt}" if self.tags else self.prompt
        for system in ([{"type": "text", "text": self.instruction}], self.instruction):
            with suppress(Exception):  # templates of some models know no system role, or only one form of it
                text = self._templated(self.prompt, system)
                if self.instruction in text:
                    return text
        return self._templated(f"{self.instruction}\n{self.prompt}")

    def _templated(self, prompt: str, system: object = None) -> str:
        return self._chat([{"type": "image"}, {"type": "text", "text": prompt}], system)

    def _chat(self, content: list[dict[str, str]], system: object = None) -> str:
        messages: list[dict[str, object]] = [{"role": "user", "content": content}]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        # A model that can think would spend all its tokens on that.
        return str(
            self._processor.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )

    def caption(self, image: Image.Image) -> Caption:
        return self._generate([image], do_sample=False)[0]

    def caption_batch(self, images: Sequence[Image.Image]) -> list[Caption]:
        return self._generate(images, do_sample=False)

    def answer(self, text: str) -> Caption:
        if not getattr(self._processor, "chat_template", None):
            return super().answer(text)  # type: ignore[return-value]  # which raises
        asked = self._chat([{"type": "text", "text": f"{PLAIN}\n{text}"}])
        inputs = self._processor(text=[asked], add_special_tokens=not self._begun, return_tensors="pt")
        return self._generated(inputs, do_sample=False, max_new_tokens=ANSWER_TOKENS)[0]

    def recaption(self, image: Image.Image) -> Caption:
        """Sample: the same greedy decoding would run into the same loop."""
        return self._generate(
            [image], do_sample=True, temperature=0.7, top_p=0.9, top_k=50, repetition_penalty=1.1
        )[0]

    def _inputs(self, images: Sequence[Image.Image]) -> Any:
        """Return the model's input, on the CPU."""
        inputs = self._processor(
            images=[[image] for image in images],
            text=[self._text] * len(images),
            padding=True,
            padding_side="left",  # the answers go on at the right
            add_special_tokens=not self._begun,
            return_tensors="pt",
        )
        return inputs.to(self._model.dtype)  # halves what goes over the bus

    def _generate(self, images: Sequence[Image.Image], **options: Any) -> list[Caption]:
        return self._generated(self._inputs(images), **options)

    def _generated(self, inputs: Any, **options: Any) -> list[Caption]:
        # An encoder-decoder's output begins with a start token, the others' with the whole prompt.
        start = 1 if self._model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
        taken = inputs["attention_mask"].sum(dim=1).tolist()
        limits = {"max_new_tokens": self._most_tokens, "num_beams": 1}
        output = None
        with self._lock:
            try:
                inputs = inputs.to(self._model.device)
                output = self._model.generate(**inputs, **{**limits, **options})[:, start:].tolist()
            except self._torch.OutOfMemoryError:
                pass  # what was in the card is let go with the error, and not before
            del inputs
            if output is None:
                self._torch.cuda.empty_cache()
                raise MemoryError(f"{len(taken)} photos do not fit into the memory of {self.device.name}")
        return [self._answer(row, tokens) for row, tokens in zip(output, taken, strict=True)]

    def _answer(self, tokens: list[int], input_tokens: int) -> Caption:
        end = next((i for i, token in enumerate(tokens) if token in self._ends), None)
        # An encoder-decoder ends with that token at its limit too.
        cut = end is None or (self._model.config.is_encoder_decoder and end + 1 >= self._most_tokens)
        text = self._processor.decode([token for token in tokens[:end] if token not in self._special])
        return Caption(
            (self._thinks + text).strip(),
            "length" if cut else "stop",
            input_tokens,
            len(tokens) if end is None else end + 1,
        )

    def _fitting_batch(self) -> int:
        """Return how many photos fit at once, by what one takes and what a second takes more.

        Raises:
            MemoryError: not even one fits.
        """
        if self.device.kind == "cpu":
            return CPU_BATCH
        cuda = self._torch.cuda
        # The worst cases: a model with tiles may cut a 4:3 photo into more of them than a square one.
        shapes = (Image.new("RGB", (MAX_SIDE, height), "gray") for height in (MAX_SIDE, MAX_SIDE * 3 // 4))
        photo = max(shapes, key=lambda shape: self._inputs([shape])["pixel_values"].numel())
        peaks = []
        for count in (1, 2):
            cuda.reset_peak_memory_stats()
            try:
                self._generate([photo] * count, do_sample=False, max_new_tokens=8)
            except MemoryError:
                if count == 1:
                    raise
                return 1
            peaks.append(cuda.max_memory_allocated())
        return fitting_batch(cuda.mem_get_info()[0] + cuda.memory_reserved(), *peaks)


def _processor(folder: Path, trust: dict[str, bool]) -> Any:
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


def _files(model: str, *weights: str) -> Path:
    """Return the folder with the model's files; only the small ones unless `weights` says in which forms it may be."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    # Some models bring program code of their own, which `_check_code` looks at before it can run.
    return snapshot(model, flag="--model", small=(*SMALL, "*.py"), weights=weights)


def _check_code(folder: Path, model: str, *, trusted: bool) -> None:
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
