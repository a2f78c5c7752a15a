"""
Owns what a caption backend is: its contract, its answer and its errors. Never touches a file or a journal.

Errors, from the photo's own fault to the whole run's, told apart by type and nowhere by message:

    CorruptImageError           the photo cannot be decoded             -> error_corrupt
     └─ UnavailableImageError   it could not be read now (disk, memory) -> no record, stays open
    APIError                    a request failed for good               -> error_api
    any other exception         the model failed                        -> error_model
    StopRunError                set-up, account, disk                   -> the run stops with exit 1
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from decimal import Decimal
    from os import PathLike

    from PIL.Image import Image

    from config import Settings


MAX_SIDE = 1024
"""Longer side in pixels of the pictures that backends get; 768 to 1024 is the field's consensus for short captions."""


class CorruptImageError(Exception):
    """The picture at `path` cannot be decoded; `reason` is a short text for people."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnavailableImageError(CorruptImageError):
    """
    The picture could not be read this time, which says nothing about the picture itself.

    `gone` is true when there is no such file any more.
    """

    def __init__(self, path: str | PathLike[str], reason: str, *, gone: bool = False) -> None:
        super().__init__(path, reason)
        self.gone = gone


class APIError(Exception):
    """A request for one photo failed for good; the text is the reason that goes into the record."""


class StopRunError(Exception):
    """The run cannot go on. The text is one sentence for people that ends with the next action."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A backend's answer: the text and, where the backend knows it, what it took to make it."""

    text: str
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None  # US dollars


class CaptionBackend(ABC):
    """
    Makes a caption for a clean picture. It never sees a path, a file or the journal.

    `max_workers` is how many calls in flight suit the backend when the user does not say.
    """

    max_workers: ClassVar[int] = 1

    def __init__(self, model: str, settings: Settings, prompt: str) -> None:
        """
        Make the client or load the model.

        Raises:
            StopRunError: a key, a package or the model is missing.
        """
        self.model = model
        self.settings = settings
        self.prompt = prompt

    @abstractmethod
    def caption(self, image: Image) -> Caption | str:
        """
        Return the caption of an upright RGB image; called from up to `max_workers` threads at once.

        Raises:
            APIError: the request failed for good.
            StopRunError: every further photo would fail in the same way.
        """

    def recaption(self, image: Image) -> Caption | str:
        """Second try after an unusable answer; a backend that samples does it here with other sampling."""
        return self.caption(image)
