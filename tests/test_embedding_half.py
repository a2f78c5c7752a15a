"""CLIP with two bytes a number, as on a card: near to four, kept apart in the cache, and safe where numbers are too large."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from report.vectors import clip
from report.vectors.clip import ClipEmbedder, TextEmbedder
from tests.helpers.tiny_clip import build, build_siglip

if TYPE_CHECKING:
    from pathlib import Path


def pictures(count: int) -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in noise]


@pytest.mark.parametrize("make", [build, build_siglip])
def test_half_precision_is_near_and_has_a_cache_apart(
    make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str((build if make is build else build_siglip)(tmp_path / "model"))
    whole = ClipEmbedder(folder)
    monkeypatch.setattr(clip, "_fast_card", lambda: True)
    half = ClipEmbedder(folder)
    assert half.name == f"{whole.name} float16"
    assert half.images(pictures(3)).dtype == np.float32
    assert next(half._loaded.parameters()).dtype == torch.float16
    for near, exact in (
        (half.images(pictures(3)), whole.images(pictures(3))),
        (half.texts(["a dog on a beach", "a cat"]), whole.texts(["a dog on a beach", "a cat"])),
    ):
        assert np.abs(near - exact).max() < 1e-2
        assert np.allclose(np.linalg.norm(near, axis=1), 1, atol=1e-5)
    assert not TextEmbedder(folder).half  # a text model is small


def test_numbers_too_large_for_two_bytes_get_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build(tmp_path / "model")
    exact = ClipEmbedder(str(folder)).images(pictures(2))
    monkeypatch.setattr(clip, "_fast_card", lambda: True)
    half = ClipEmbedder(str(folder))
    half.images(pictures(1))
    with torch.no_grad():
        half._loaded[0].model.visual_projection.weight.mul_(1e4)  # vectors have length 1 whatever their scale
    vectors = half.images(pictures(2))
    assert np.abs(vectors - exact).max() < 1e-2
    assert next(half._loaded.parameters()).dtype == torch.float32


def test_without_a_driver_there_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    assert not clip._fast_card()


@pytest.mark.parametrize(("major", "fast"), [(6, False), (7, True), (9, True), (None, False)])
def test_the_driver_is_asked(major: int | None, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are given here: there is no card. None: it has no card to show."""

    class Driver:
        def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's names
            return 0 if major else 100

        def cuDeviceGetCount(self, count: object) -> int:  # noqa: N802
            return 0

        def cuDeviceGet(self, card: object, ordinal: int) -> int:  # noqa: N802
            return 0

        def cuDeviceGetAttribute(self, value: object, attribute: int, card: object) -> int:  # noqa: N802
            assert attribute == 75
            value._obj.value = major  # type: ignore[attr-defined]
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    monkeypatch.setattr(clip, "version", lambda name: "2.15.0+cu132")
    assert clip._fast_card() is fast
    monkeypatch.setattr(clip, "version", lambda name: "2.15.0+cpu")
    assert not clip._fast_card()
