"""Camera raw: which of its pictures is taken, that it is upright, and that a damaged one is said to be so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from decoding.decoder import Decoder
from errors import CorruptImageError
from image_loader import load_image, sent_size
from tests.conftest import Product, draw
from tests.helpers.raw_files import BLUE, RED, close, dng, is_upright, packed, scene, stored, thumbnail

SIZE = (400, 300)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1024) as one:
        yield one


def upright(orientation: int) -> Image.Image:
    return scene(SIZE if orientation < 5 else SIZE[::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_large_preview_is_taken_and_turned_once(tmp_path: Path, orientation: int) -> None:
    whole = upright(orientation)
    lying = stored(whole, orientation)
    path = tmp_path / "a.DNG"
    for name, previews in {
        "bare": [thumbnail(lying), packed(lying)],
        "with an orientation of its own": [packed(lying, orientation=orientation)],
        "turned by the camera": [thumbnail(whole), packed(whole)],
        "in JPEG XL": [thumbnail(lying), packed(lying, "JXL")],
    }.items():
        if name == "turned by the camera" and orientation < 5:
            continue  # nothing shows it
        path.write_bytes(dng(lying, *previews, orientation=orientation))
        image = load_image(path)
        assert image.size == whole.size, name
        assert close(image.getpixel((10, 10)), RED), name
        assert close(image.getpixel((image.width - 10, image.height - 10)), BLUE), name
        assert is_upright(image), name
        assert sorted(sent_size(path) or ()) == sorted(SIZE), name


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_without_a_large_preview_the_raw_is_developed(tmp_path: Path, orientation: int) -> None:
    lying = stored(upright(orientation), orientation)
    path = tmp_path / "a.dng"
    for previews in ([], [thumbnail(lying)]):
        path.write_bytes(dng(lying, *previews, orientation=orientation))
        image = load_image(path)
        assert image.size == upright(orientation).size
        assert is_upright(image)
        assert sorted(sent_size(path) or ()) == sorted(SIZE)


def test_a_large_sensor_is_developed_at_half_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.dng").write_bytes(dng(scene((2100, 1400))))
    image = load_image(tmp_path / "a.dng", 2000)
    assert image.size == (1050, 700)
    assert is_upright(image)


@pytest.mark.parametrize(("side", "colour"), [(999, (0, 0, 0)), (1000, RED)])
def test_a_preview_counts_from_a_thousand_pixels_on(
    tmp_path: Path, side: int, colour: tuple[int, int, int]
) -> None:
    """What the sensor saw is black here, which tells the two apart."""
    (tmp_path / "a.dng").write_bytes(dng(Image.new("RGB", (1100, 826)), packed(scene((side, 750)))))
    assert close(load_image(tmp_path / "a.dng").getpixel((10, 10)), colour)


def test_a_thumbnail_counts_only_if_there_is_nothing_else(tmp_path: Path) -> None:
    """Whose sensor's data are packed in a way that LibRaw does not know, as JPEG XL in a ProRAW."""
    lying = stored(scene(SIZE), 3)
    (tmp_path / "a.dng").write_bytes(dng(lying, thumbnail(lying), orientation=3, sensor_compression=52546))
    image = load_image(tmp_path / "a.dng")
    assert image.size == (160, 120)
    assert is_upright(image)


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.tif", "a.NEF", "a.raw"])
def test_a_raw_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    whole = scene(SIZE)
    (tmp_path / name).write_bytes(dng(whole, thumbnail(whole), packed(whole)))
    assert load_image(tmp_path / name).size == SIZE


@pytest.mark.parametrize("percent", [0.1, 10, 50, 90, 99, 99.9])
def test_a_raw_that_is_cut_off(
    tmp_path: Path, decoder: Decoder, percent: float, capfd: pytest.CaptureFixture[str]
) -> None:
    """Although the preview is whole, from ten percent on."""
    whole = scene(SIZE)
    data = dng(whole, thumbnail(whole), packed(whole))
    path = tmp_path / "a.dng"
    path.write_bytes(data[: int(len(data) * percent / 100)])
    with pytest.raises(CorruptImageError) as caught:
        decoder.load(str(path))
    assert "camera raw file" in caught.value.reason
    assert percent < 1 or caught.value.reason.startswith("cut short")
    assert sent_size(path) is None
    assert not capfd.readouterr().err, "LibRaw prints what it meets"


def test_damage_is_never_more_than_an_error(tmp_path: Path, decoder: Decoder) -> None:
    whole = scene((400, 300))
    data = dng(whole, thumbnail(whole))
    path = tmp_path / "a.dng"
    for seed in range(40):
        damaged = bytearray(data)
        for place in range(seed % 7, 600, 1 + seed % 11):
            damaged[place] = (damaged[place] * 7 + seed) % 256
        path.write_bytes(damaged)
        with suppress(CorruptImageError):
            decoder.load(str(path))
    path.write_bytes(data)
    assert decoder.load(str(path)).size == (400, 300)


def test_a_raw_has_a_date(tmp_path: Path, decoder: Decoder) -> None:
    whole = scene(SIZE)
    (tmp_path / "a.dng").write_bytes(dng(whole, thumbnail(whole), packed(whole)))
    picture, moment = decoder.look(str(tmp_path / "a.dng"), 256)
    assert isinstance(picture, Image.Image)
    assert moment
    assert str(moment.at) == "2024-05-06 07:08:09"


def test_without_libraw_a_raw_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Mac with an Intel processor."""
    monkeypatch.setitem(sys.modules, "rawpy", None)
    whole = scene((200, 160))
    (tmp_path / "a.dng").write_bytes(dng(whole, packed(whole)))
    with pytest.raises(CorruptImageError, match="camera raw file: no decoder for it on this machine"):
        load_image(tmp_path / "a.dng")
    assert load_image(draw(tmp_path / "a.jpg")).size == (96, 64)


def test_a_run_captions_raw_files(product: Product) -> None:
    whole = scene(SIZE)
    data = dng(whole, thumbnail(whole), packed(whole))
    (product.photos / "whole.DNG").write_bytes(data)
    (product.photos / "cut.DNG").write_bytes(data[: len(data) // 2])
    product.run()
    records = product.records()
    assert records["whole.DNG"]["status"] == "success"
    assert records["cut.DNG"]["status"] == "error_corrupt"
    assert "cut short" in records["cut.DNG"]["error"]
