"""Owns how an answer grows on a card: a step is recorded once for a batch, then played for every token (a CUDA graph).

A step is a thousand small kernels, and to start them one by one takes a processor longer than the card computes. Memory
for a batch's keys and values lies still for that, as long as the longest answer. The first step after the prompt is
computed as ever, the second one recorded; what is recorded goes with the batch, so that any shape may come next.
"""

from __future__ import annotations

import functools
import logging
import statistics
import time
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from backends.attention import NEAR, distance
from errors import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

    Play = Callable[[], None]
    Record = Callable[[Callable[[], Any]], tuple[Play, Any]]

TRIAL_TOKENS = 8
"""How many a trial makes to find out how long one takes."""
_FASTER = 0.95
"""What is kept takes at most this share of the time."""
_ALIGNED = 8
"""Tokens to which a batch's memory is rounded up: the kernels of attention take masks in such blocks."""

_log = logging.getLogger("captioner.local")


class Ticks:
    """Says never to stop, as one of `generate`'s criteria, and notes when each token was there."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._times = [time.perf_counter()]

    def __call__(self, tokens: torch.Tensor, scores: Any) -> torch.Tensor:
        import torch

        del scores
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self._times.append(time.perf_counter())
        return torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)

    def seconds(self) -> tuple[float, float]:
        """Return how long the first token took, and each further one."""
        begin, first, *later = self._times
        steps = [after - before for before, after in pairwise([first, *later])]
        return first - begin, statistics.median(steps)


class Steps:
    """Has a model answer, with steps played where that was tried and is right and faster."""

    def __init__(self, model: Any, most_tokens: int, record: Record | None = None) -> None:
        """`most_tokens` is how long answers may be; `record` is what records a step, by default the card."""
        self._model = model
        self._most = most_tokens
        self._record = record or Recorder()
        self.played = False
        """Whether steps are played."""

    def generate(self, inputs: Mapping[str, torch.Tensor], **options: Any) -> Any:
        """Return what the model's `generate` returns."""
        if not self.played:
            return self._model.generate(**inputs, **options)
        import transformers

        tokens = inputs["input_ids"].shape[1] + max(self._most, options["max_new_tokens"])
        cache = transformers.StaticCache(self._model.config, max_cache_len=-(-tokens // _ALIGNED) * _ALIGNED)
        with self._playing():
            return self._model.generate(**inputs, **options, past_key_values=cache, disable_compile=True)

    def try_played(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Play steps from now on, if that gives the same for `inputs` and is faster; if not, say why.

        Raises:
            torch.OutOfMemoryError: there is no room for those inputs.
        """
        import torch

        try:
            if reason := self._hindrance():
                raise ValueError(reason)
            self._tokens(inputs)  # the first time takes longer
            plain, made = self._tokens(inputs)
            if not _grows_alone(made):
                raise ValueError("this model keeps pictures among its words")
            self.played = True
            seconds, again = self._tokens(inputs, made.sequences.tolist())
            if not self.played:
                return  # it was said why
            before, after = (torch.cat(one.logits) for one in (made, again))
            rows = [distance(*row) for row in zip(before, after, strict=True)]
            apart = torch.tensor(rows).max().item()  # NaN, if one is
            if not apart < NEAR:
                raise ValueError(f"outputs are {apart:.0%} apart")
            if seconds > _FASTER * plain:
                raise ValueError(f"it is no faster, {1000 * seconds:.0f} ms a token for {1000 * plain:.0f}")
            _log.info(
                f"Tokens are made {plain / seconds:.1f} x as fast, with roundings that differ by {apart:.1%}."
            )
        except torch.OutOfMemoryError:
            self.played = False
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, there is the other way
            self._leave(error)

    def _hindrance(self) -> str:
        """Return why steps cannot be played: what changes from one to the next must lie in the memory of the card."""
        import torch
        import transformers
        from transformers.cache_utils import StaticLayer
        from transformers.integrations import sdpa_attention

        if torch.__version__ < (2, 13):  # type: ignore[operator]  # it knows tuples
            return "torch is older than 2.13"  # which is damaged by what fails to be recorded
        if not hasattr(sdpa_attention, "pack_gqa"):
            return "transformers is too old"  # it would copy all keys and values at each step
        if self._model.config.is_encoder_decoder:
            return "this model is an encoder and a decoder"
        if getattr(self._model, "is_loaded_in_8bit", False):
            return "with int8 each step asks the card which numbers are large"
        layers = transformers.StaticCache(self._model.config, max_cache_len=_ALIGNED).layers
        if not all(type(layer) is StaticLayer for layer in layers):
            return "the layers of this model count in the processor"
        return ""

    def _leave(self, error: Exception) -> None:
        self.played = False
        _log.info(f"Each step of an answer is started piece by piece, which is slower: {in_one_line(error)}.")

    def _tokens(
        self, inputs: Mapping[str, torch.Tensor], tokens: list[list[int]] | None = None
    ) -> tuple[float, Any]:
        """Return the seconds a token takes, and what `generate` gives, with what was thought of all words at each.

        `tokens` are those to make, prompts included: the model's own may go another way where two words are close.
        """
        ticks = Ticks(self._model.device)
        options: dict[str, Any] = {}
        if tokens:
            options["prefix_allowed_tokens_fn"] = lambda photo, made: [tokens[photo][len(made)]]
        made = self.generate(
            inputs,
            do_sample=False,
            max_new_tokens=TRIAL_TOKENS,
            min_new_tokens=TRIAL_TOKENS,
            return_dict_in_generate=True,
            output_logits=True,
            stopping_criteria=[ticks],
            **options,
        )
        return ticks.seconds()[1], made

    @contextmanager
    def _playing(self) -> Iterator[None]:
        """Have the model's steps of one batch recorded and played."""
        own = vars(self._model).get("forward")
        self._model.forward = _Batch(self._model.forward, self._record, self._leave)
        try:
            yield
        finally:
            del self._model.forward  # and what was recorded
            if own:
                self._model.forward = own


def _grows_alone(made: Any) -> bool:
    """Tell whether the memory that a model has of an answer is its tokens: some keep what they see of the picture there too."""
    import transformers

    if type(made.past_key_values) is not transformers.DynamicCache:
        return False
    layers: list[Any] = made.past_key_values.layers
    return all(layer.keys.shape[2] == made.sequences.shape[1] - 1 for layer in layers)


class _Batch:
    """A model's `forward` for one batch: the prompt and the first step as ever, then what is recorded of the second."""

    def __init__(
        self, forward: Callable[..., Any], record: Record, leave: Callable[[Exception], None]
    ) -> None:
        functools.update_wrapper(self, forward)  # `generate` looks which inputs it takes
        self._forward = forward
        self._record: Record | None = record
        self._leave = leave
        self._steps = 0
        self._play: Play | None = None
        self._inputs: list[Any] = []
        self._form: Any = None
        self._output: Any = None

    def __call__(self, **inputs: Any) -> Any:
        from torch import Tensor
        from torch.utils import _pytree as tree  # transformers uses it too

        ids = inputs.get("input_ids")
        self._steps += ids is not None and ids.shape[1] == 1
        if self._steps < 2 or not self._record:
            return self._forward(**inputs)  # in the first step kernels are loaded, which cannot be recorded
        values, form = tree.tree_flatten(inputs)  # masks lie in a dictionary, by kinds of layers
        if not self._play:
            self._inputs = [value.clone() if isinstance(value, Tensor) else value for value in values]
            self._form = form
            still = tree.tree_unflatten(self._inputs, form)
            self._play, self._output = self._recorded(lambda: self._forward(**still))
        if not self._play or form != self._form or not all(map(_alike, self._inputs, values)):
            return self._forward(**inputs)
        for value, new in zip(self._inputs, values, strict=True):
            if isinstance(value, Tensor):
                value.copy_(new)
        self._play()
        return self._output

    def _recorded(self, step: Callable[[], Any]) -> tuple[Play | None, Any]:
        """Return what `record` does; if it fails, this batch goes on as ever, since nothing has been computed yet."""
        import torch

        for _ in range(2):
            try:
                return self._record(step)  # type: ignore[misc]  # it is there until here
            except torch.OutOfMemoryError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, there is the other way
                self._leave(error)
                break
            torch.cuda.empty_cache()  # while it records, torch does not look for memory that it could free
        self._record = None
        return None, None


def _alike(one: Any, other: Any) -> bool:
    """Tell whether one can take the place of the other: the same thing, or a tensor of the same kind."""
    shape = getattr(one, "shape", None)
    if shape is None:
        return bool(one is other or one == other)
    return bool(shape == getattr(other, "shape", None) and one.dtype == other.dtype)


class Recorder:
    """Records what a step has the card do, without doing it (a CUDA graph)."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._last: Any = None

    def __call__(self, step: Callable[[], Any]) -> tuple[Play, Any]:
        """Return what does it, as often as it is called, and the output of `step`, which it fills each time."""
        import torch

        self._stream = self._stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            # Other threads may prepare inputs meanwhile. The last one's memory is taken again, which lives as long as it does.
            graph.capture_begin(self._last and self._last.pool(), capture_error_mode="thread_local")
            try:
                output = step()
            except BaseException:
                with suppress(Exception):
                    graph.capture_end()
                raise
            graph.capture_end()
        self._last = graph
        return graph.replay, output
