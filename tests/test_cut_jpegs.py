"""A JPEG is judged by its pixels, not by the mark at its end."""

from __future__ import annotations

import os
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import image_loader
from errors import CorruptImageError
from image_loader import load_image
from library import jpeg

END = b"\xff\xd9"
ENCODERS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "optimized": {"optimize": True, "subsampling": 0},
    "restarts": {"restart_marker_blocks": 5},
    "restart rows": {"restart_marker_rows": 1, "quality": 40},
}
KINDS = [*ENCODERS, "grey", "cmyk"]
GREY = (128, 128, 128)


@cache
def photo(kind: str, size: tuple[int, int] = (320, 240), mark: str = "") -> bytes:
    """A JPEG with as much detail everywhere: noise, coarse and fine. `mark` is written into its middle."""
    numbers = np.random.default_rng(7)
    coarse, fine = (
        Image.fromarray(numbers.integers(0, 256, (size[1] // step, size[0] // step, 3), np.uint8)).resize(
            size
        )
        for step in (20, 2)
    )
    image = Image.blend(coarse, fine, 0.3)
    ImageDraw.Draw(image).text((size[0] // 2, size[1] // 2), mark)
    return packed(image.convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB")), ENCODERS.get(kind, {}))


def packed(image: Image.Image, options: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", **{"quality": 85} | options)
    return buffer.getvalue()


def verdict(path: Path, data: bytes, max_side: int = 1024) -> str:
    """Why the file is no picture; empty if it is one."""
    path.write_bytes(data)
    try:
        load_image(path, max_side)
    except CorruptImageError as error:
        return error.reason or "no reason"
    return ""


def ends(data: bytes, length: int) -> dict[str, bytes]:
    """The file cut at `length`, with everything that may stand behind the cut."""
    cut = data[:length]
    return {
        "nothing": cut,
        "an end mark": cut + END,
        "an end mark and other data": cut + END + b"trailer" * 1000,
        "zeros": cut + bytes(len(data) - length),
        "zeros and an end mark": cut + bytes(len(data) - length) + END,
        "FF": cut + b"\xff" * (len(data) - length),
    }


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_file(tmp_path: Path, kind: str, share: float) -> None:
    data = photo(kind)
    reasons = {
        end: verdict(tmp_path / "a.jpg", cut) for end, cut in ends(data, int(len(data) * share)).items()
    }
    # A progressive file begins with a coarse picture of all; without the rest it is only softer.
    most = 0.01 if kind == "progressive" else 0.5
    assert {bool(reason) for reason in reasons.values()} == {share <= most}, reasons


def test_a_cut_file_says_how_much_is_missing(tmp_path: Path) -> None:
    data = photo("baseline")
    reason = verdict(tmp_path / "a.jpg", data[: len(data) // 2] + END)
    said, _, rest = reason.removeprefix("cut short: ").partition("%")
    assert int(said) == pytest.approx(50, abs=5)
    assert rest == " of the picture is missing"


@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_large_and_small_pictures_and_every_scale(tmp_path: Path, kind: str) -> None:
    """libjpeg scales by 8, 4, 2 or not at all; the verdict is the same."""
    for size in ((1600, 1200), (96, 80), (33, 700), (1000, 16)):
        data = photo(kind, size)
        coded = data.index(b"\xff\xda")
        for max_side in (64, 200, 400, 800, 2000):
            for length, broken in ((coded + 18, True), (coded + (len(data) - coded) * 97 // 100, False)):
                for end in (b"", END):
                    reason = verdict(tmp_path / "a.jpg", data[:length] + end, max_side)
                    assert bool(reason) == broken, (size, max_side, length)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_without_an_end_mark(tmp_path: Path, kind: str) -> None:
    data = photo(kind)
    (tmp_path / "a.jpg").write_bytes(data)
    whole = load_image(tmp_path / "a.jpg").tobytes()
    unfinished = data.removesuffix(END)
    other = photo("baseline", mark="another")
    for behind in (
        b"",
        b"\0" * 5000,
        b"\xff",
        b"\xff" * 900,
        other,
        b"\xff\xd8\xff\xe1 thumbnail",
        b"\xff\xc4\0\xff",
    ):
        (tmp_path / "a.jpg").write_bytes(unfinished + behind)
        assert load_image(tmp_path / "a.jpg").tobytes() == whole, behind[:20]


def test_what_stands_behind_the_picture_does_not_count(tmp_path: Path) -> None:
    for kind in KINDS:
        for behind in (bytes(9000), os.urandom(3000), photo("baseline")[:5000], b"\xff" * 2000):
            assert not verdict(tmp_path / "a.jpg", photo(kind) + behind)


def test_several_pictures_in_one_file(tmp_path: Path) -> None:
    """Phones put a gain map or a second view behind the photo (MPO): only the first picture counts."""
    buffer = BytesIO()
    first, second = (Image.open(BytesIO(photo("baseline", mark=mark))) for mark in ("first", "second"))
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=85)
    data = buffer.getvalue()
    at = data.index(b"\xff\xd8", 2)
    assert not verdict(tmp_path / "a.jpg", data)
    assert not verdict(tmp_path / "a.jpg", data[: at + (len(data) - at) // 3])
    assert not verdict(tmp_path / "a.jpg", data[:at] + bytes(len(data) - at))
    assert "missing" in verdict(tmp_path / "a.jpg", data[: at // 2])
    assert "missing" in verdict(tmp_path / "a.jpg", data[: at // 2] + END + data[at:])


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_is_not_the_files(tmp_path: Path, kind: str) -> None:
    """The second half of the file overwritten, with marks that end the data early."""
    data = photo(kind)
    half = len(data) // 2
    for other in (photo("baseline", mark="other"), np.random.default_rng(1).bytes(half)):
        reason = verdict(tmp_path / "a.jpg", data[:half] + other + END)
        assert kind == "progressive" or reason, other[:10]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"progressive", "restarts", "restart rows"}))
def test_a_hole_of_zeros(tmp_path: Path, kind: str) -> None:
    """What follows a hole cannot be placed, so the picture ends there."""
    data = photo(kind)
    for begin, end, broken in ((0.3, 0.6, True), (0.1, 0.15, True), (0.9, 0.97, False)):
        at, to = int(len(data) * begin), int(len(data) * end)
        reason = verdict(tmp_path / "a.jpg", data[:at] + bytes(to - at) + data[to:])
        assert bool(reason) == broken, (begin, reason)


@pytest.mark.parametrize("colour", [GREY, (127, 127, 127), (0, 0, 0), (255, 255, 255), (40, 90, 200)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_real_flat_bottom_is_no_damage(tmp_path: Path, colour: tuple[int, int, int], mode: str) -> None:
    """Night, walls, letterboxes, scans and screenshots; also in just the grey that libjpeg fills with, and as zeros."""
    for size, share in (((320, 240), 0.5), ((320, 240), 1), ((33, 70), 0.5)):
        image = Image.open(BytesIO(photo("baseline", size)))
        ImageDraw.Draw(image).rectangle((0, int(size[1] * (1 - share)), *size), fill=colour)
        for options in (*ENCODERS.values(), {"optimize": True, "quality": 20}):
            data = packed(image.convert(mode), options)
            assert not verdict(tmp_path / "a.jpg", data), (size, share, options)
            assert not verdict(tmp_path / "a.jpg", data.removesuffix(END), 64), (size, share, options)


def test_a_large_flat_picture_is_all_zeros_and_whole(tmp_path: Path) -> None:
    data = packed(Image.new("RGB", (3000, 2000), "white"), {"optimize": True})
    assert bytes(512) in data
    assert not verdict(tmp_path / "a.jpg", data)


def test_no_real_photo_is_suspect(corpora: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the 410 photos costs a second look, and none is refused."""

    def second_look(*_: object) -> None:
        raise AssertionError("a second look")

    monkeypatch.setattr(jpeg, "_change", second_look)
    photos = sorted((corpora / "photos").rglob("*.jpg"))
    assert len(photos) > 400
    for path in photos:
        load_image(path, 128)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), place=st.floats(0, 1), max_side=st.sampled_from([128, 640]))
def test_the_verdict_is_the_share_of_pixels(tmp_path: Path, kind: str, place: float, max_side: int) -> None:
    """At any cut: with and without an end mark the same verdict, and it follows from the rows that differ from the whole."""
    data = photo(kind)
    cut = data[: int(len(data) * place)]
    verdicts = {bool(verdict(tmp_path / "a.jpg", cut + end, max_side)) for end in (b"", END, END + b"rest")}
    assert len(verdicts) == 1
    try:
        pixels = np.asarray(Image.open(BytesIO(cut + END * 2)).convert("RGB"))
    except OSError:
        return  # cut in a header
    lost = float((pixels == pixels[-1, -1]).all(axis=(1, 2)).mean())
    # A row of blocks is 7 % of the picture; what is missing of a progressive one is blurred over.
    if kind != "progressive" and abs(lost - jpeg.MOST_MISSING) > 0.07:
        assert verdicts == {lost > jpeg.MOST_MISSING}, lost


def test_the_loader_says_where_the_line_is() -> None:
    decisions = (Path(image_loader.__file__).parent / "docs" / "decisions.md").read_text()
    assert f"{jpeg.MOST_MISSING:.0%} of its pixels".replace("%", " %") in " ".join(decisions.split())
