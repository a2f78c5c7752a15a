"""Owns what a caption backend is: its contract and its answer. Never touches a file or a journal.

A backend needs nothing but this file: it hands on the errors too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from errors import (
    APIError,
    CorruptImageError,
    NoRoomError,
    NotReadyError,
    RateLimitError,
    StopRunError,
    TransientAPIError,
    UnavailableImageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from PIL.Image import Image

    from config import Settings


__all__ = [
    "ANSWER_SCHEMA",
    "INSTRUCTION",
    "PLAIN",
    "APIError",
    "Caption",
    "CaptionBackend",
    "CorruptImageError",
    "NoRoomError",
    "NotReadyError",
    "RateLimitError",
    "StopRunError",
    "TransientAPIError",
    "UnavailableImageError",
]

_T = TypeVar("_T")

INSTRUCTION = (
    "Answer with the caption alone: no preamble, no quotation marks around it, no markup, no closing remark."
)
"""The system line that every chat model gets in addition to the user's prompt."""
TAGS_INSTRUCTION = (
    'Answer with one JSON object alone, in this form: {"caption": "...", "tags": ["...", "..."]}. The caption is your answer '
    "to the request, as plain text. The tags are 3 to 12 keywords for what the photo shows, the most important first: each one "
    "to three words in the language of the caption, in the singular, none twice."
)
"""The same where tags are asked for too."""
ANSWER_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"caption": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["caption", "tags"],
    "additionalProperties": False,
}
"""That form as a JSON schema, with what all providers take. The caption comes first, so that a cut answer has it."""
PLAIN = "Answer with what is asked for alone: no preamble, no markup, no closing remark."
"""The same for questions without a picture."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A backend's answer: the text and, where the backend knows it, what it took to make it.

    `finish_reason` is the provider's word for why the answer ended; engines/checks.py knows them all. `only_thoughts`:
    the model has thought and not answered. `answered_by` is the model that answered, if it is not the one asked for.
    `tier` is the service tier that the server says it has answered at; None if it does not say.
    """

    text: str
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None  # US dollars
    only_thoughts: bool = False
    answered_by: str | None = None
    tier: str | None = None


class CaptionBackend(ABC):
    """Makes a caption for a clean picture. It never sees a path, a file or the journal.

    Attributes:
        max_workers: how many calls in flight suit it when the user does not say.
        single_threaded: whether it makes one call at a time whatever the user says, like a model on one card.
        copies: how many of it work side by side: one, unless it stands for models on many cards.
        batch_size: the most pictures that `caption_batch` gets; halved by the engine when they do not fit.
        checked: whether its captions are judged (engines/checks.py) before they count.
        price_provider: the provider's id in the package genai-prices; None when nothing is billed by a price list.
        ends: the days on which the provider switches models off, by how their names begin; None: no such day is known.
        tiers: the cheaper service tiers that the provider sells.
        untiered: how the names of models begin that are known not to have them.
        host: where it sends pixels to, as in `api.openai.com`; None when they stay on this machine.
        prompt: what the model is asked with every picture.
        max_output_tokens: the most that one caption may take, thinking included; 0 where nothing is billed.
        end_date: the day on which the provider switches the model off; None if no such day is known.
        tags: whether it is asked for tags too, in the form of `ANSWER_SCHEMA`.
        tier: the one of `tiers` that is asked for; None: the provider's standard.
        grace: seconds that calls in flight, which are paid for, have to finish when the run stops by itself.
    """

    max_workers: ClassVar[int] = 1
    single_threaded: ClassVar[bool] = False
    checked: ClassVar[bool] = True
    price_provider: ClassVar[str | None] = None
    ends: ClassVar[Mapping[str, date | None]] = {}
    tiers: ClassVar[tuple[str, ...]] = ()
    untiered: ClassVar[tuple[str, ...]] = ()
    copies: int = 1
    batch_size: int = 1
    model: str
    host: str | None = None
    prompt: str = ""
    max_output_tokens: int = 0
    tags: bool = False
    tier: str | None = None
    grace: float = 60.0

    def __init__(self, model: str, settings: Settings, prompt: str, *, tags: bool = False) -> None:
        """Make the client or load the model.

        Raises:
            StopRunError: a key, a package or the model is missing.
        """
        self.model = model
        self.settings = settings
        self.prompt = prompt
        self.tags = tags

    @property
    def instruction(self) -> str:
        """The system line."""
        return TAGS_INSTRUCTION if self.tags else INSTRUCTION

    @classmethod
    def picture_tokens(cls, model: str, width: int, height: int) -> int | None:
        """Return the input tokens of one picture of this size, by the provider's documented rule; None if unknown."""
        del model, width, height
        return None

    @classmethod
    def priced_as(cls, model: str) -> str:
        """Return the model whose price counts: this one, unless the provider has another answer in its place."""
        return model

    @cached_property
    def end_date(self) -> date | None:
        return for_model(self.ends, self.model)

    @abstractmethod
    def caption(self, image: Image) -> Caption | str:
        """Return the caption of an upright RGB image; called from up to `max_workers` threads at once.

        Raises:
            APIError: the request failed for good; a TransientAPIError or RateLimitError is tried again by the engine.
            StopRunError: every further photo would fail in the same way.
        """

    def caption_batch(self, images: Sequence[Image]) -> Sequence[Caption | str]:
        """Return the captions of several images, in their order; only asked for if `batch_size` is above 1.

        A backend that is `single_threaded` is called from two threads: one batch is prepared while another is in the
        model, before which the backend has a lock.

        Raises:
            MemoryError: they do not fit together; the engine tries again with half as many.
            Exception: anything else; the engine then tries the images one by one.
        """
        return [self.caption(image) for image in images]

    def answer(self, text: str) -> Caption | str:
        """Return the answer to a question without a picture; only a backend with a chat model has one.

        Raises:
            APIError: as `caption` does.
            StopRunError: it answers no such question.
        """
        del text
        raise StopRunError(
            f"{self.model} answers no questions without a picture: choose another model for that."
        )

    def recaption(self, image: Image) -> Caption | str:
        """Try again after an unusable answer; a backend that samples does it here with other sampling."""
        return self.caption(image)


def for_model(table: Mapping[str, _T], model: str) -> _T | None:
    """Return the table's entry for a model: the one with the longest name that the model's name begins with."""
    best = max((name for name in table if model.startswith(name)), key=len, default=None)
    return None if best is None else table[best]
