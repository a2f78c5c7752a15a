"""Owns a model's input: pictures and one text through its processor, on the card where that can be, beside the model's work."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from errors import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

_log = logging.getLogger("captioner.local")


class Inputs:
    """Makes the input for some pictures, all with the same text. Safe from several threads.

    On a card it has a queue (a stream) next to the model's: what it does there, and copies, wait for no caption.
    """

    def __init__(self, processor: Any, text: str, model: Any, *, on_card: bool = True) -> None:
        """`text` is the prompt as the model's template has it; `model` says where inputs go, and in which precision."""
        import torch

        self._torch = torch
        self._processor = processor
        self._text = text
        bos = processor.tokenizer.bos_token
        self._begun = bool(bos) and text.startswith(bos)  # the template has it: not twice
        self._device, self._dtype = model.device, model.dtype
        self.on_card = on_card and self._device.type == "cuda"
        """Whether pictures are resized and cut up there, if it is a card."""
        self._beside: Any = torch.cuda.Stream() if self.on_card else None  # type: ignore[no-untyped-call]

    def of(self, images: Sequence[Image]) -> Any:
        """Return the input for these pictures, on the model's device.

        Raises:
            MemoryError: there is no room on the card.
            Exception: the processor cannot take one of them.
        """
        try:
            if self.on_card:
                try:
                    return self._made(images, device=self._device.type)
                except self._torch.OutOfMemoryError:
                    raise
                except Exception as error:  # noqa: BLE001 - the processor may not know how, or a picture may be at fault
                    inputs = self._made(images)  # raises again if it is the picture
                    self.on_card = False
                    _log.info(f"Pictures are prepared on the processor: {in_one_line(error)}.")
                    return inputs
            return self._made(images)
        except self._torch.OutOfMemoryError:
            pass  # what was on the card is let go with the error, and not before
        self._torch.cuda.empty_cache()
        raise MemoryError(f"{len(images)} photos do not fit into the memory of the card")

    def of_text(self, text: str) -> Any:
        """Return the input for a text without a picture, on the model's device."""
        inputs = self._processor(text=[text], add_special_tokens=not self._begun, return_tensors="pt")
        return inputs.to(self._device)

    def _made(self, images: Sequence[Image], **where: str) -> Any:
        with self._queue():
            inputs = self._processor(
                images=[[image] for image in images],
                text=[self._text] * len(images),
                padding=True,
                padding_side="left",  # the answers go on at the right
                add_special_tokens=not self._begun,
                return_tensors="pt",
                **where,
            )
            return inputs.to(self._dtype).to(self._device)  # the type first: it halves what goes over the bus

    @contextmanager
    def _queue(self) -> Iterator[None]:
        if self._beside is None:
            yield
            return
        with self._torch.cuda.stream(self._beside):
            yield
            self._beside.synchronize()  # else the model could begin before its input is there
