"""Owns how a decoded picture is turned and cropped as its container or its EXIF says."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pillow_heif
from PIL import ExifTags, Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _transforms(data: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the irot, imir and clap boxes of a HEIF or AVIF container's primary picture, and its info."""
    container = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    primary = container[container.primary_index]
    return primary._c_image.transformations, primary.info  # noqa: SLF001 - the only place that has them


def turn_of(image: Image.Image, data: bytes) -> Image.Transpose | None:
    """Return how to turn the decoded picture upright; damaged metadata never costs the picture."""
    try:
        orientation: object = 1
        if image.format == "TIFF":
            return None  # Pillow has turned it
        if image.format in {"HEIF", "AVIF"}:
            boxes, info = _transforms(data)
            in_container = any(box[0] in {"irot", "imir"} for box in boxes)
            if image.format == "HEIF":
                # libheif has applied the container's boxes; EXIF counts only if there are none.
                orientation = 1 if in_container else image.info.get("original_orientation")
            elif in_container:
                orientation = image.getexif().get(ExifTags.Base.Orientation)  # set by Pillow from the boxes
            else:
                exif = Image.Exif()
                exif.load(info.get("exif") or b"")
                image.info["exif"] = info.get("exif") or b""
                tag = ExifTags.Base.Orientation
                orientation = exif.get(tag) or image.getexif().get(tag)
        else:
            orientation = image.getexif().get(ExifTags.Base.Orientation)
        return _TURNS.get(orientation)  # type: ignore[arg-type]  # whatever type the file gave it
    except Exception:  # noqa: BLE001 - any type can come out of damaged metadata
        return None


def cropped(image: Image.Image, data: bytes) -> Image.Image:
    """Apply an AVIF's clap box, which Pillow ignores (libheif applies that of a HEIC)."""
    if image.format != "AVIF":
        return image
    try:
        for name, *numbers in _transforms(data)[0]:
            if name == "clap":
                left, top, right, bottom = numbers[:4]
                return image.crop((left, top, image.width - right, image.height - bottom))
    except Exception:  # noqa: BLE001 - a container that libheif does not understand is shown whole
        return image
    return image
