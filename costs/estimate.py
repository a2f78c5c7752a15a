"""Owns the estimate before a run: how many tokens, how much money, how long. Calls nothing and loads no model."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from backends import backend_class
from backends.base import INSTRUCTION, TAGS_INSTRUCTION, for_model
from costs.prices import is_priced, price_of, share_of
from errors import StopRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from library.walk import Photo

SAMPLE = 500
"""Photos whose headers are read; their mean is within a few percent of that of all photos."""
CAPTION_TOKENS = 60
"""Output tokens of one or two sentences."""
TAGS_TOKENS = 60
"""Those of eight tags and of the object around them."""
FRAME_SIZE = (1024, 576)
"""Of most videos' frames as they are sent. Estimates open no video: that needs an extra."""
SECONDS_PER_PHOTO = {"mock": 0.05, "local": 0.7}
SECONDS_PER_CALL = 2.0
"""For a first guess, of 2026-11: typical cloud calls; for `local` the middle of the plan's 1 to 2 photos a second on an
RTX 3070. A journal with captions of the same model gives a better number."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, whichever model does it: how many photos; `sizes` are those of a sample of them."""

    photos: int
    sizes: Sequence[tuple[int, int]]
    prompt: str
    workers: int | None
    base_url: str | None
    tags: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """What captioning `photos` would take.

    Attributes:
        photos: pictures that would be sent; videos and files without a readable header cost nothing.
        tiers: the provider's cheaper service tiers.
        input_tokens, input_cost, output_cost: None where nothing is billed by tokens.
        seconds: from start to end with `workers` calls in flight.
        measured: whether the journal's own pace was the measure.
        end_date: the day on which the provider switches the model off, if it is known.
    """

    backend: str
    model: str
    photos: int
    input_tokens: int | None
    input_cost: Decimal | None
    output_cost: Decimal | None
    seconds: float
    workers: int
    measured: bool
    end_date: date | None = None
    tiers: tuple[str, ...] = ()

    @property
    def cost(self) -> Decimal:
        return (self.input_cost or Decimal(0)) + (self.output_cost or Decimal(0))

    def cost_at(self, tier: str) -> Decimal:
        """Return the dollars at a service tier."""
        return self.cost * share_of(tier)


def sample_sizes(
    photos: Sequence[Photo], size_of: Callable[[str], tuple[int, int] | None]
) -> tuple[int, list[tuple[int, int]]]:
    """Return how many of `photos` would be sent, and the sizes of a fair sample of them."""
    pictures = [photo for photo in photos if not photo.is_video]
    chosen = pictures if len(pictures) <= SAMPLE else random.Random(0).sample(pictures, SAMPLE)  # noqa: S311
    sizes = [size for photo in chosen if (size := size_of(photo.path))]
    return round(len(pictures) * len(sizes) / max(1, len(chosen))), sizes


def text_tokens(text: str, *, tags: bool = False) -> int:
    """Return about how many tokens a prompt has: four characters each, the system line and what wraps them."""
    return (len(TAGS_INSTRUCTION if tags else INSTRUCTION) + len(text)) // 4 + 10


def estimate(backend: str, model: str, work: Work, pace: float | None) -> Estimate:
    """Estimate what the work would take; `pace` is measured, in photos a second.

    Raises:
        StopRunError: the model's price, or what it takes for a picture, is not known.
    """
    kind = backend_class(backend)
    photos = work.photos
    workers = work.workers or kind.max_workers
    seconds = SECONDS_PER_PHOTO.get(backend, SECONDS_PER_CALL / workers)
    tokens = input_cost = output_cost = None
    if is_priced(backend) and not work.base_url:
        price = price_of(backend, model)
        each = [kind.picture_tokens(model, *size) for size in work.sizes]
        if None in each:
            raise StopRunError(
                f"It is not known how many tokens {backend}'s {model} takes for a picture: choose another --model, or "
                "caption a few photos with --limit and look at the tokens used."
            )
        mean = sum(each) / len(each) if each else 0  # type: ignore[arg-type]  # no None is left
        text = text_tokens(work.prompt, tags=work.tags)
        tokens = round(photos * (mean + text))
        # One request's price times their number: tiers count by the request.
        one = price.parts(round(mean) + text, CAPTION_TOKENS + TAGS_TOKENS * work.tags)
        input_cost, output_cost = (part * photos for part in one)
    return Estimate(
        backend=backend,
        model=model or ("" if backend == "mock" else "the model that suits the hardware"),
        photos=photos,
        input_tokens=tokens,
        input_cost=input_cost,
        output_cost=output_cost,
        seconds=max(1.0, photos / pace if pace else photos * seconds) if photos else 0,
        workers=workers,
        measured=pace is not None,
        end_date=None if work.base_url else for_model(kind.ends, model),
        tiers=() if work.base_url or model.startswith(kind.untiered) else kind.tiers,
    )
