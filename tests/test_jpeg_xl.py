"""JPEG XL: every kind of pixels, upright, its size from the header, and nothing of a damaged one."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from decoding.decoder import Decoder
from errors import CorruptImageError
from image_loader import load_image, sent_size
from library.jpeg_xl import open_jpeg_xl
from tests.conftest import Product
from tests.helpers.raw_files import RED, close, is_upright, packed, scene, stored


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1024) as one:
        yield one


def saved(path: Path, image: Image.Image, **more: object) -> Path:
    image.save(path, "JXL", **more)
    return path


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (scene((160, 120)), RED),
        (scene((160, 120)).convert("L"), (96, 96, 96)),
        (Image.new("RGBA", (160, 120), (*RED, 0)), (255, 255, 255)),
        (Image.new("RGBA", (160, 120), (*RED, 255)), RED),
        (Image.new("LA", (160, 120), (90, 255)), (90, 90, 90)),
        (Image.new("I;16", (160, 120), 128 << 8), (128, 128, 128)),
        (Image.new("F", (160, 120), 0.5), (127, 127, 127)),
    ],
)
@pytest.mark.parametrize("use_container", [False, True])
def test_kinds_of_pixels(
    tmp_path: Path, image: Image.Image, colour: tuple[int, int, int], use_container: bool
) -> None:
    path = saved(tmp_path / "a.jxl", image, use_container=use_container)
    loaded = load_image(path)
    assert (loaded.mode, loaded.size) == ("RGB", (160, 120))
    assert close(loaded.getpixel((10, 10)), colour, 4)
    assert sent_size(path) == (160, 120)


def test_a_large_one_is_made_smaller(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jxl", scene((2400, 1600)), effort=1)
    assert load_image(path).size == sent_size(path) == (1024, 683)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(tmp_path: Path, orientation: int) -> None:
    """A JPEG that was packed without loss keeps its pixels and its EXIF; else the header has what the EXIF had."""
    lying = stored(scene((160, 120) if orientation < 5 else (120, 160)), orientation)
    jpeg = tmp_path / "a.jpg"
    jpeg.write_bytes(packed(lying, orientation=orientation))
    path = saved(tmp_path / "jpeg.jxl", Image.open(jpeg), lossless_jpeg=True)
    files = {"packed jpeg": path.read_bytes(), "only exif": packed(lying, "JXL", orientation)}
    # Without what brings the JPEG back, the pixels are decoded, and libjxl turns them itself.
    files["header"] = without_box(files["packed jpeg"], b"jbrd")
    for name, data in files.items():
        path.write_bytes(data)
        image = load_image(path)
        assert image.size == ((160, 120) if orientation < 5 else (120, 160)), name
        assert is_upright(image), name


def without_box(data: bytes, name: bytes) -> bytes:
    kept, place = b"", 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 4]) or len(data) - place
        if data[place + 4 : place + 8] != name:
            kept += data[place : place + length]
        place += length
    assert len(kept) < len(data)
    return kept


@given(
    st.tuples(st.integers(1, 700), st.integers(1, 700)),
    st.sampled_from([None, (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1)]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=40)
def test_the_size_is_in_the_header(
    size: tuple[int, int], ratio: tuple[int, int] | None, eights: bool, box: bool
) -> None:
    width, height = (side // 8 * 8 or 8 for side in size) if eights else size
    if ratio:
        width = max(1, height * ratio[0] // ratio[1])
    out = BytesIO()
    Image.new("L", (width, height)).save(out, "JXL", use_container=box, effort=1)
    assert open_jpeg_xl(out.getvalue()).size == (width, height)


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 90, 99, 99.9])
def test_one_that_is_cut_off(tmp_path: Path, decoder: Decoder, percent: float) -> None:
    data = saved(tmp_path / "whole.jxl", scene((320, 240)).effect_spread(40)).read_bytes()
    path = tmp_path / "a.jxl"
    path.write_bytes(data[: int(len(data) * percent / 100)])
    with pytest.raises(CorruptImageError) as caught:
        decoder.load(str(path))
    assert "build" not in caught.value.reason


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """Sides of a million pixels each."""
    side = 0b11 | (999_999 << 2)  # 30 bits behind the selector
    bits = 0 | side << 1 | 0 << 33 | side << 36
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a" + bits.to_bytes(32, "little"))
    with pytest.raises(CorruptImageError, match="too large: 1,000,000 x 1,000,000 pixels"):
        load_image(tmp_path / "a.jxl")


def test_a_run_captions_them(product: Product) -> None:
    saved(product.photos / "a.jxl", scene((160, 120)))
    saved(product.photos / "named.jpg", scene((160, 120)))
    product.run()
    assert [product.records()[name]["status"] for name in ("a.jxl", "named.jpg")] == ["success"] * 2


def test_the_real_one(corpora: Path) -> None:
    assert close(load_image(corpora / "formats" / "other" / "fixture.jxl").getpixel((0, 0)), (190,) * 3)
