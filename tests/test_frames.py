"""Of a burst the sharpest frame is shown, and captions of its frames that contradict each other are marked."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFilter
from PIL.ExifTags import IFD, Base

from library.moments import Moment
from report.naming.naming import Label
from report.sharpness import sharpness
from report.time.bursts import bursts
from report.time.disputes import disputed
from tests.helpers.reports import Report, report, said  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2019, 7, 12, 9)  # noqa: DTZ001 - a wall clock


def drawn(blur: float = 0) -> Image.Image:
    """Return a picture with edges everywhere."""
    noise = np.random.default_rng(3).integers(0, 2, (24, 32), np.uint8) * 200
    picture = Image.fromarray(noise).resize((320, 240), Image.Resampling.NEAREST).convert("RGB")
    return picture.filter(ImageFilter.GaussianBlur(blur)) if blur else picture


def test_a_blurred_picture_is_less_sharp() -> None:
    values = [sharpness(drawn(blur)) for blur in (0, 1, 3)]
    assert values[0] > 2 * values[1] > 4 * values[2] > 0
    assert sharpness(Image.new("RGB", (50, 50))) == sharpness(Image.new("RGB", (1, 400))) == 0


def test_the_sharpest_frame_stands_for_its_burst() -> None:
    moments = [Moment(DAY + timedelta(seconds=second), "exif") for second in range(4)]
    angles = np.radians([0, 4, 8, 10])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert bursts(moments, np.arange(4), vectors).tolist() == [1] * 4, (
        "the one in the middle, where nothing is known"
    )
    assert bursts(moments, np.arange(4), vectors, [50, 9, 20, 100]).tolist() == [3] * 4
    assert bursts(moments, np.arange(4), vectors, [99, 9, 98, 100]).tolist() == [2] * 4, (
        "as sharp as the sharpest"
    )
    assert bursts(moments, np.arange(4), vectors, [0, 0, 0, 0]).tolist() == [1] * 4


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("Two dogs on a beach", "Three dogs on a beach", True),
        ("Two small brown dogs play", "2 dogs play in the sand", False),
        ("A dog on the grass", "Two dogs on the grass", True),
        ("A dog beside another dog", "Two dogs on the grass", False),
        ("A group of 5 people", "A group of six people", True),
        ("A boy named Tom eats", "A boy named Ida eats", True),
        ("A girl, Ida, eats", "Ida and Mara eat", False),
        ("A sign reading 42", "A sign reading 43.", True),
        ("A cat sleeps. It is grey", "A cat sleeps. Its eyes are shut", False),
        ("A red ball", "A blue ball", False),
        ("Two children", "", False),
    ],
)  # fmt: skip
def test_captions_that_contradict_each_other(one: str, other: str, differ: bool) -> None:
    labels = [Label(one, "caption"), Label("far away, Nine Boats", "caption"), Label(other, "caption")]
    assert disputed([0, -1, 0], labels) == ([0, 2] if differ else [])


def test_only_captions_of_one_burst_are_compared() -> None:
    dogs = [Label("Two dogs", "caption"), Label("Three dogs", "caption")]
    assert disputed([0, 1], dogs) == []
    assert disputed([0, 0], [dogs[0], Label("Three dogs", "vocabulary")]) == []
    assert disputed([0, 0], [dogs[0], Label("Three dogs", "caption", is_mock=True)]) == []
    assert disputed([], []) == []


def test_a_report_shows_the_sharpest_frame_and_says_what_to_check(report: Report, tmp_path: Path) -> None:  # noqa: F811
    report.photos = tmp_path / "photos"
    report.photos.mkdir()
    for number, blur in enumerate((0.6, 0, 0.6)):
        exif, file = Image.Exif(), BytesIO()
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = f"2019:07:12 09:00:0{number}"
        drawn(blur).save(file, "JPEG", quality=90, exif=exif.tobytes())
        (report.photos / f"{number}.jpg").write_bytes(file.getvalue())
    report.write(
        said("0.jpg", "Two dogs on a beach"),
        said("1.jpg", "Three dogs on a beach"),
        said("2.jpg", "Two dogs"),
    )
    for _ in range(2):  # the second time by what is known of them
        report.make()
        with (report.folder / "cluster_export.csv").open(newline="") as file_:
            assert {row["burst_of"] for row in csv.DictReader(file_)} == {"1.jpg"}
    assert '"disputed":[0,1,2]' in (report.folder / "cluster_report.html").read_text()
