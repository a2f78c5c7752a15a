"""Owns the table of embedders and what an embedder is; imports one only when it is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

if TYPE_CHECKING:
    from PIL.Image import Image

    from report.vectors.embed import Floats


class Embedder(ABC):
    """Turns pictures, and with `has_texts` texts, into vectors of one space.

    A vector depends on its picture or text alone; what else is in the call may move its last bits. Rows have length 1.

    Attributes:
        name: what the cache is keyed by: the model, and whatever else changes its vectors.
        max_side: pixels on the longer side that it gains from; pictures come no larger.
        batch_size: how many pictures it takes best at once.
        says: what photos are grouped by with it, in words, for people.
    """

    name: str
    max_side: int
    batch_size: int
    says: str
    has_texts: ClassVar[bool] = False

    @abstractmethod
    def images(self, pictures: list[Image]) -> Floats:
        """Return the vectors of upright RGB pictures, (n, d)."""

    def texts(self, texts: list[str]) -> Floats:
        """Return the vectors of texts, (n, d), in the pictures' space."""
        raise NotImplementedError(f"{self.name} has no texts")


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """Where an embedder of pictures lives, whether it is made with the name of a model, what `--help` says of it, and the packages it needs."""

    module: str
    class_name: str
    takes_model: bool
    about: str
    extra: str


EMBEDDERS = {
    "clip": EmbedderInfo(
        "report.vectors.clip", "ClipEmbedder", True, "a model that knows what is on a picture", "report"
    ),
    "pixels": EmbedderInfo(
        "report.vectors.pixels",
        "PixelsEmbedder",
        False,
        "colours and edges, no model and no download",
        "report-core",
    ),
}
"""The first one is taken where none is asked for."""


def load_embedder(name: str, model: str) -> Embedder:
    """Import and make the embedder called `name`, with `model` if it takes one.

    Raises:
        StopRunError: its packages or its model are missing.
    """
    info = EMBEDDERS[name]
    made = getattr(import_module(info.module), info.class_name)
    return cast("Embedder", made(model) if info.takes_model else made())
