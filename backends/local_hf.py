"""Owns captions by a vision-language model on this machine, with transformers' generic image-text-to-text classes.

images ─► processor (while another batch is in the model) ─► model.generate, in one thread ─► texts
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from backends.attention import pack_vision
from backends.base import PLAIN, Caption, CaptionBackend
from backends.batches import CAPTION_TOKENS, Trial, find_batch, most_in_memory
from backends.compiled import WORTH, compile_vision
from backends.inputs import Inputs
from backends.model_files import check_code, load_processor, model_files
from backends.one_thread import OneThread
from backends.precision import (
    choose_precision,
    default_model,
    find_device,
    suggest,
    weights_of,
    whole_precision,
)
from backends.steps import TRIAL_TOKENS, Steps, Ticks
from errors import StopRunError, in_one_line
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
            model_files(model)  # a wrong name is found before torch takes its time
        _log.info("Starting torch and transformers.")  # half a minute on a slow disk
        import torch
        import transformers
        from safetensors import SafetensorError

        transformers.logging.set_verbosity_error()  # its advice is for programmers
        if not sys.stderr.isatty():
            transformers.logging.disable_progress_bar()
        # On an H100 torch prefers cuDNN for attention, which plans for up to a second at every new shape: each token is one.
        torch.backends.cuda.enable_cudnn_sdp(False)
        self._torch = torch
        self._thread = OneThread()
        self._plain = settings.LOCAL_PLAIN
        self._most_tokens = MAX_NEW_TOKENS * (2 if tags else 1)
        trust = {"trust_remote_code": trust_remote_code}
        try:
            self.device = find_device()
            model = model or default_model(self.device)
            folder = model_files(model)
            # A folder's own name: where it lies on this machine is nothing for a journal that travels.
            is_folder = Path(model).expanduser().is_dir()
            name = folder.resolve().name if is_folder else model
            super().__init__(name, settings, prompt, tags=tags)
            check_code(folder, model, trusted=trust_remote_code)
            self._load(folder, model, quantize, trust)
        except (StopRunError, ImportError):
            raise
        except Exception as error:
            reason = in_one_line(error)
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
        folder = model_files(model, "*.safetensors")
        _log.info(f"Loading {self.model} on {self.device.name} as {chosen}: {reason}.")
        self._prepare_texts(load_processor(folder, trust), config.model_type)
        try:
            self._load_weights(auto_class, folder, model, {**options, **trust})
            self._inputs = Inputs(self._processor, self._text, self._model, on_card=not self._plain)
            self._steps = Steps(self._model, self._most_tokens)
            self.batch_size = self._fitting_batch()
        except (self._torch.OutOfMemoryError, MemoryError):
            raise StopRunError(
                f"{model} as {chosen} does not fit into the memory of {self.device.name} after all; "
                f"{suggest(self.device, weights, chosen)}."
            ) from None
        except self._torch.AcceleratorError as error:
            if self._plain:
                raise
            raise StopRunError(
                f"{self.device.name} failed ({in_one_line(error)}): put LOCAL_PLAIN=1 into config.env, which leaves out "
                "the faster ways, or choose another --model."
            ) from error
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
        return self._generated(self._inputs.of_text(asked), do_sample=False, max_new_tokens=ANSWER_TOKENS)[0]

    def recaption(self, image: Image.Image) -> Caption:
        return self.recaption_batch([image])[0]

    def recaption_batch(self, images: Sequence[Image.Image]) -> list[Caption]:
        """Sample: the same greedy decoding would run into the same loop."""
        return self._generate(
            images, do_sample=True, temperature=0.7, top_p=0.9, top_k=50, repetition_penalty=1.1
        )

    def _generate(self, images: Sequence[Image.Image], **options: Any) -> list[Caption]:
        return self._generated(self._inputs.of(images), **options)

    def _generated(self, inputs: Any, **options: Any) -> list[Caption]:
        taken = inputs["attention_mask"].sum(dim=1).tolist()
        job = partial(
            self._run_model, inputs, {"max_new_tokens": self._most_tokens, "num_beams": 1, **options}
        )
        del inputs
        output = self._thread.call(job)
        del job
        if output is None:
            self._torch.cuda.empty_cache()
            raise MemoryError(f"{len(taken)} photos do not fit into the memory of {self.device.name}")
        return [self._answer(row, tokens) for row, tokens in zip(output, taken, strict=True)]

    def _run_model(self, inputs: Any, options: dict[str, Any]) -> list[list[int]] | None:
        """Return the new tokens of each answer; None if there is not enough memory for it."""
        # An encoder-decoder's output begins with a start token, the others' with the whole prompt.
        start = 1 if self._model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
        try:
            tokens: list[list[int]] = self._steps.generate(inputs, **options)[:, start:].tolist()
        except self._torch.OutOfMemoryError:
            return None  # what was in the card is let go with the error, and not before
        return tokens

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
        """Return how many photos to take at once: what fits on the card, and what pays.

        Raises:
            MemoryError: not even one fits.
        """
        if self.device.kind == "cpu":
            return CPU_BATCH
        # The worst cases: a model with tiles may cut a 4:3 photo into more of them than a square one.
        shapes = [Image.new("RGB", (MAX_SIDE, height), "gray") for height in (MAX_SIDE, MAX_SIDE * 3 // 4)]
        photo = max(shapes, key=lambda shape: self._inputs.of([shape])["pixel_values"].numel())
        inputs = self._inputs.of([photo])
        # Beside the bytes on the card there are those of the input in the machine, if it is made there.
        prepared = 0 if self._inputs.on_card else 2 * inputs["pixel_values"].nbytes
        del inputs
        if not self._plain:
            self._try_faster(photo, shapes)
        size, rate = find_batch(
            lambda count: self._try_batch([photo] * count), self._room, most_in_memory(prepared)
        )
        _log.info(f"{size:,} photos at a time make about {rate:,.1f} a second.")
        return size

    def _try_faster(self, photo: Image.Image, shapes: Sequence[Image.Image]) -> None:
        """Take the ways that turn out to be faster on this card, and right."""
        with suppress(MemoryError):  # no two fit, so that it gains nothing
            inputs = self._inputs.of([photo, photo])
            self._thread.call(partial(pack_vision, self._model, inputs))
        for together in (shapes, [photo]):  # of two one has padding
            with suppress(MemoryError, self._torch.OutOfMemoryError):
                inputs = self._inputs.of(together)
                self._thread.call(partial(self._steps.try_played, inputs))
                break

    def get_ready(self, photos: int) -> None:
        """Compile what pays in a long run; what comes out of the trial holds for all shapes of photos."""
        if self.device.kind == "cpu" or self._plain or photos < WORTH:
            return
        shapes = (
            (MAX_SIDE, MAX_SIDE * 3 // 4),
            (MAX_SIDE * 3 // 4, MAX_SIDE),
            (MAX_SIDE // 2, MAX_SIDE // 2),
        )
        pictures = [Image.new("RGB", shape, "gray") for shape in shapes * 3]
        with suppress(MemoryError):  # a card for fewer photos
            inputs = self._inputs.of(pictures[: self.batch_size])
            self._thread.call(partial(compile_vision, self._model, inputs, photos))

    def _try_batch(self, images: Sequence[Image.Image]) -> Trial:
        """Have the model begin with captions of these; return what it took.

        Raises:
            MemoryError: they do not fit.
        """
        cuda = self._torch.cuda
        before = cuda.memory_allocated()
        cuda.reset_peak_memory_stats()
        inputs = self._inputs.of(images)
        making = cuda.max_memory_allocated() - before  # in a run, while the model has another batch
        del inputs
        ticks = Ticks(self._model.device)
        self._generate(
            images,
            do_sample=False,
            max_new_tokens=TRIAL_TOKENS,
            min_new_tokens=TRIAL_TOKENS,
            stopping_criteria=[ticks],
        )
        first, step = ticks.seconds()
        return Trial(len(images), first + CAPTION_TOKENS * step, cuda.max_memory_allocated() + making)

    def _room(self) -> float:
        """Return the bytes on the card that are free or in this program's hands."""
        cuda = self._torch.cuda
        return float(cuda.mem_get_info()[0] + cuda.memory_reserved())
