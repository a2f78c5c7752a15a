"""Owns pictures that are decoded only when they are loaded, for formats without a decoder in Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL._imaging import PixelAccess


class LateImage(Image.Image):
    """A picture of a known size, so that its need of memory can be judged before `load` calls `decode`."""

    def __init__(self, kind: str, size: tuple[int, int], decode: Callable[[], Image.Image]) -> None:
        super().__init__()
        self.format = kind
        self._size = size
        self._mode = "RGB"
        self._decode: Callable[[], Image.Image] | None = decode

    def load(self) -> PixelAccess | None:
        """Decode the picture, once. Then its size can be another.

        Raises:
            Exception: of any type, as decoders do.
        """
        if self._decode is not None:
            decode, self._decode = self._decode, None
            picture = decode()
            picture.load()
            self.im = picture.im
            self._size, self._mode = picture.size, picture.mode
            self.info = picture.info
            self._exif = self._exif or picture.getexif()  # what was set before counts
        return super().load()
