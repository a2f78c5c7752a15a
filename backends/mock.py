"""Owns the mock: a backend without a model that answers at once, for trying everything around it."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from backends.base import CaptionBackend
from errors import CorruptImageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from config import Settings


class MockBackend(CaptionBackend):
    """Says `a mock caption for {filename}`, and three tags if asked; can be slow and can fail, to rehearse both."""

    checked = False

    def __init__(
        self,
        model: str,
        settings: Settings,
        prompt: str,
        *,
        error_rate: float = 0.0,
        latency: float = 0.0,
        tags: bool = False,
    ) -> None:
        """Make a mock that refuses `error_rate` (0 to 1) of the photos and takes `latency` seconds for each."""
        super().__init__(model, settings, prompt, tags=tags)
        self.error_rate = error_rate
        self.latency = latency

    def caption(self, image: Image) -> str:
        name: str = getattr(image, "filename", "") or "an image"
        if self.latency:
            time.sleep(self.latency)
        if random.random() < self.error_rate:  # noqa: S311 - no secret depends on it
            raise CorruptImageError(name, "simulated by --mock-error-rate")
        caption = f"a mock caption for {name}"
        if self.tags:
            return json.dumps({"caption": caption, "tags": ["mock", name.partition(".")[0], "photo"]})
        return caption
