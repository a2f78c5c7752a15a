"""Pictures of rarer number formats and colours: neither black, white nor noise."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray
from PIL import Image, ImageCms

from image_loader import load_image
from library.colours import to_rgb

HEIGHT, WIDTH = 64, 256
SIGNED, FLOAT = 2, 3


def ramp(low: float, high: float, kind: Any) -> NDArray[Any]:
    """A grey wedge from left to right."""
    return np.tile(np.linspace(low, high, WIDTH), (HEIGHT, 1)).astype(kind)


def tiff(path: Path, values: NDArray[Any], *, white_is_zero: bool = False) -> Path:
    """Write the numbers as they are: one strip, without compression, in their own byte order."""
    order, mark = (">", b"MM") if values.dtype.byteorder == ">" else ("<", b"II")
    sample_format = {"u": 1, "i": SIGNED, "f": FLOAT}[values.dtype.kind]
    body = values.tobytes()
    tags = {
        256: values.shape[1],
        257: values.shape[0],
        258: values.dtype.itemsize * 8,
        259: 1,
        262: int(not white_is_zero),
        273: 8,
        277: 1,
        278: values.shape[0],
        279: len(body),
        339: sample_format,
    }
    directory = struct.pack(f"{order}H", len(tags)) + b"".join(
        struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items()
    )
    header = mark + struct.pack(f"{order}HI", 42, 8 + len(body))
    path.write_bytes(header + body + directory + bytes(4))
    return path


def greys(path: Path) -> NDArray[np.int64]:
    """The grey of each column, top and bottom alike."""
    pixels = np.asarray(load_image(path)).astype(int)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert (pixels == pixels[:1, :, :1]).all()
    return pixels[0, :, 0]


WEDGE = np.arange(256)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tif", ">tif"])
def test_few_bits_in_sixteen(tmp_path: Path, bits: int, kind: str) -> None:
    path = tmp_path / "a"
    values = ramp(0, (1 << bits) - 1, "<u2")
    if kind == "png":
        Image.fromarray(values).save(path, "PNG")
    else:
        tiff(path, values.astype(">u2") if kind == ">tif" else values)
    assert abs(greys(path) - WEDGE).max() <= 1


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 32767, "<i2"),
        (0, 16383, "<i2"),
        (-1024, 3071, "<i2"),
        (-32768, 32767, ">i2"),
        (-2000000, 2000000, "<i4"),
        (0, 65535, "<u4"),
        (0, 4294967295, "<u4"),
        (3000000000, 4000000000, "<u4"),
        (0, 1, "<f4"),
        (0, 255, "<f4"),
        (-3, 3, ">f4"),
        (0, 40000, "<f4"),
    ],
)
def test_every_range_of_numbers_is_seen(tmp_path: Path, low: float, high: float, kind: str) -> None:
    found = greys(tiff(tmp_path / "a.tif", ramp(low, high, kind)))
    assert found[0] <= 1
    assert found[-1] >= 254
    assert (np.diff(found) >= 0).all()
    assert abs(found - WEDGE).max() <= 8, "a few values at either end may be cut off"


def test_white_may_be_zero(tmp_path: Path) -> None:
    for values in (ramp(0, 65535, "<u2"), ramp(0, 1, "<f4")):
        assert abs(greys(tiff(tmp_path / "a.tif", values, white_is_zero=True)) - WEDGE[::-1]).max() <= 1


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf, -3.4e38, 3.4e38])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 200), (-50, 4000)])
def test_numbers_that_are_none(tmp_path: Path, nothing: float, low: float, high: float) -> None:
    """A third of the picture has no value; the rest looks as if all of it had."""
    values = ramp(low, high, "<f4")
    whole = np.asarray(load_image(tiff(tmp_path / "a.tif", values)))
    values[: HEIGHT // 3] = nothing
    found = np.asarray(load_image(tiff(tmp_path / "a.tif", values)))
    assert (found[HEIGHT // 3 :] == whole[HEIGHT // 3 :]).all()
    assert (found[: HEIGHT // 3] == (255 if nothing > 0 else 0)).all()


def test_one_wild_value_does_not_take_all_greys(tmp_path: Path) -> None:
    values = ramp(-100, 100, "<i2")
    values[0, 0] = -32768
    assert np.asarray(load_image(tiff(tmp_path / "a.tif", values))).std() > 60


@settings(max_examples=200, deadline=None)
@given(st_numpy.arrays(st.sampled_from([np.uint16, np.int32, np.float32]), (9, 7)))
def test_any_numbers_make_a_picture(values: NDArray[Any]) -> None:
    image = to_rgb(Image.fromarray(values))
    assert (image.mode, image.size) == ("RGB", (7, 9))


@pytest.mark.parametrize("value", [0, 5, 70000, -5, np.nan, np.inf])
def test_a_picture_of_one_value(tmp_path: Path, value: float) -> None:
    kind = "<i4" if np.isfinite(value) else "<f4"
    found = greys(tiff(tmp_path / "a.tif", np.full((HEIGHT, WIDTH), value, kind)))
    assert found.min() == found.max()


@pytest.mark.parametrize("profile", [b"", b"no profile", bytes(128), b"\xff" * 3000])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "heic", "avif", "cmyk.jpg"])
def test_a_broken_profile_costs_no_picture(tmp_path: Path, kind: str, profile: bytes) -> None:
    image = Image.new("RGB", (96, 64), (200, 100, 50))
    path = tmp_path / f"a.{kind}"
    if kind == "cmyk.jpg":
        image = image.convert("CMYK")
    image.save(path, icc_profile=profile)
    assert load_image(path).getpixel((40, 30)) == pytest.approx((200, 100, 50), abs=4)


def test_a_cut_profile_costs_no_picture(tmp_path: Path) -> None:
    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for length in range(0, len(whole), 97):
        Image.new("CMYK", (64, 64), (0, 0, 0, 0)).save(tmp_path / "a.jpg", icc_profile=whole[:length])
        assert load_image(tmp_path / "a.jpg").size == (64, 64)
