"""What a model gets of thin and tiny pictures: nothing that it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from decoding.decoder import Decoder
from image_loader import MAX_SIDE, load_image, sent_size
from library.shapes import MAX_RATIO, MIN_SIDE

GREY, RED = (128, 128, 128), (250, 10, 10)


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        ((20000, 400), (1024, 64)),
        ((400, 20000), (64, 1024)),
        ((1025, 10), (1024, 64)),
        ((16, 16), (64, 64)),
        ((1, 1), (64, 64)),
        ((1, 3000), (64, 1024)),
        ((3000, 3), (1024, 64)),
        ((27, 332), (64, 787)),
        ((100, 10), (640, 64)),
        ((64, 64), (64, 64)),
        ((63, 65), (64, 66)),
        ((1024, 64), (1024, 64)),
        ((640, 480), (640, 480)),
    ],
)
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_the_size_of_what_is_sent(
    tmp_path: Path, size: tuple[int, int], sent: tuple[int, int], kind: str
) -> None:
    Image.new("L", size, 200).save(tmp_path / f"a.{kind}")
    assert load_image(tmp_path / f"a.{kind}").size == sent
    assert sent_size(tmp_path / f"a.{kind}") == sent


def test_a_strip_is_whole_and_in_the_middle(tmp_path: Path) -> None:
    strip = Image.new("RGB", (2048, 40), RED)
    strip.paste((0, 0, 255), (0, 0, 100, 40))
    strip.save(tmp_path / "a.png")
    pixels = np.asarray(load_image(tmp_path / "a.png"))
    assert pixels.shape == (64, 1024, 3)
    assert (pixels[:22] == GREY).all()
    assert (pixels[42:] == GREY).all()
    assert (pixels[22:42, 60:] == RED).all()
    assert (pixels[22:42, :40] == (0, 0, 255)).all()


def test_a_tiny_picture_is_enlarged_not_framed(tmp_path: Path) -> None:
    Image.new("RGB", (20, 30), RED).save(tmp_path / "a.png")
    pixels = np.asarray(load_image(tmp_path / "a.png"))
    assert pixels.shape == (96, 64, 3)
    assert (pixels == RED).all()


_SIDES = st.one_of(st.integers(1, 80), st.integers(1, 3000))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=_SIDES,
    height=_SIDES,
    kind=st.sampled_from(["png", "jpg", "bmp"]),
    max_side=st.integers(2 * MIN_SIDE, 2000),
)
def test_no_model_refuses_what_is_sent(
    tmp_path: Path, width: int, height: int, kind: str, max_side: int
) -> None:
    path = tmp_path / f"a.{kind}"
    Image.linear_gradient("L").resize((width, height), Image.Resampling.NEAREST).save(path)
    image = load_image(path, max_side)
    assert image.mode == "RGB"
    assert MIN_SIDE <= min(image.size) <= max(image.size) <= max_side
    assert max(image.size) <= MAX_RATIO * min(image.size)
    assert sent_size(path, max_side) == image.size
    again = load_image(path, max_side)
    assert (again.size, again.tobytes()) == (image.size, image.tobytes())


def test_models_get_a_strip_padded_and_pages_get_it_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (3000, 60), RED).save(path)
    with Decoder(MAX_SIDE) as decoder:
        sent = decoder.load(str(path))
        assert sent.size == (1024, 64)
        assert sent.tobytes() == load_image(path).tobytes()
        assert decoder.load_pixels(str(path))[0] == (1024, 64)
        shown, _ = decoder.look(str(path), 256)
        assert isinstance(shown, Image.Image)
        assert shown.size == (256, 5)
