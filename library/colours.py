"""Owns colours: a picture of any mode in, the same in RGB out. Never scales a picture, never opens a file."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GREYS = frozenset({"I;16", "I;16L", "I;16B", "I", "F"})
"""Modes of one channel with more than 8 bits."""
_PHOTOMETRIC, _SAMPLE_FORMAT = 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2
_NO_VALUE = 1e30
"""Floats from here on, and those that are no number, say that there is no value: maps are filled up with them."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: transparency over white, 16 bits and floats scaled to 8, CMYK by its profile."""
    if image.mode in _GREYS:
        image = _eight_bit(image)
    elif image.mode == "CMYK" and image.info.get("icc_profile"):
        image = _by_profile(image)
    if image.format == "BMP" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")  # an alpha channel that was never filled
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale a grey picture of 16 or 32 bits to 8; `convert` alone would clip it to white."""
    import numpy as np  # noqa: PLC0415 - few pictures need it, and `estimate` none

    tags: Any = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if values.dtype == np.int32 and _SIGNED not in tags.get(_SAMPLE_FORMAT, ()):
        values = values.view(np.uint32)
    low, high = _black_and_white(values)
    grey = values.astype(np.float32)
    np.nan_to_num(grey, copy=False, nan=low)
    with np.errstate(over="ignore"):
        grey -= low
        grey /= np.float32(high - low) or 1
        grey *= 255
    np.rint(np.clip(grey, 0, 255, out=grey), out=grey)
    eight_bit = Image.fromarray(grey.astype(np.uint8))
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # which Pillow turns round in 8 bits only
        return eight_bit.point(lambda value: 255 - value)
    return eight_bit


def _black_and_white(values: NDArray[Any]) -> tuple[float, float]:
    """Return the values that shall become black and white."""
    import numpy as np  # noqa: PLC0415

    if values.dtype.kind == "f":
        values = values[np.abs(values) < _NO_VALUE]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if values.dtype.kind != "f" and low >= 0 and high < 1 << 16:
        # Cameras and scanners store 8, 10, 12 or 14 bits in 16: read as 16 bits, such a picture would be dark or black.
        bits = max(8, int(high).bit_length())
        if bits == 13 or (bits == 15 and values.dtype.kind == "u"):  # no device has that; signed numbers have 15
            bits += 1
        return 0, (1 << bits) - 1
    if values.dtype.kind == "f" and low >= 0 and high <= 255:
        return 0, 1 if high <= 16 else 255
    # No usual range: that of nearly all values, so that a few (a hole in a map, a hot pixel) do not take all the greys.
    inner_low, inner_high = (float(value) for value in np.percentile(values, (2, 98)))
    return (inner_low, inner_high) if inner_low < inner_high else (low, high)


def _by_profile(image: Image.Image) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"]))
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted or image
