"""Moments: what real files say of when and where they were taken, and that nothing in a file can make them lie or fail."""

from __future__ import annotations

import os
import time
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from image_loader import read_file
from library.moments import Moment, file_moment, read_moment

pillow_heif.register_heif_opener()
# Pillow says what is wrong with damaged EXIF; the decoding child, which reads it, is told to be quiet.
pytestmark = pytest.mark.filterwarnings("ignore")

Tags = dict[Any, Any]
TAKEN: Tags = {Base.DateTimeOriginal: "2024:05:04 12:34:56"}
BERLIN: Tags = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (52.0, 31.0, 12.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (13.0, 24.0, 18.0),
}


def exif_of(camera: Tags, gps: Tags | None = None, **first: Any) -> Image.Exif:
    exif = Image.Exif()
    for name, value in first.items():
        exif[Base[name]] = value
    exif.get_ifd(IFD.Exif).update(camera)
    exif.get_ifd(IFD.GPSInfo).update(gps or {})
    return exif


def file_of(kind: str, exif: Image.Exif | None, **options: Any) -> bytes:
    file = BytesIO()
    image = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    if exif is not None:
        options["exif"] = exif.tobytes()
    image.save(file, kind, **options)
    return file.getvalue()


def moment_of(camera: Tags, gps: Tags | None = None, **first: Any) -> Moment:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_moment(file_of("JPEG", exif_of(camera, gps, **first)))


def at_of(camera: Tags, gps: Tags | None = None, **first: Any) -> str:
    moment = moment_of(camera, gps, **first)
    assert moment.source == ("exif" if moment.at else "")
    return moment.at.isoformat() if moment.at else ""


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_every_format_that_holds_a_moment(kind: str) -> None:
    exif = exif_of(TAKEN | {Base.OffsetTimeOriginal: "+02:00", Base.SubsecTimeOriginal: "25"}, BERLIN)
    options: dict[str, Any] = {}
    if kind == "MPO":
        options = {"save_all": True, "append_images": [Image.new("RGB", (32, 24))]}
    moment = read_moment(file_of(kind, exif, **options))
    assert moment.at == datetime.fromisoformat("2024-05-04T12:34:56.250000+02:00")
    assert moment.at.utcoffset() == timedelta(hours=2)
    assert moment.source == "exif"
    assert moment.place == pytest.approx((52.52, 13.405))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "HEIF", "BMP", "JPEG2000"])
def test_a_file_that_says_nothing(kind: str) -> None:
    assert read_moment(file_of(kind, None)) == Moment()


TRUTHS = {
    "gps/IMG_2682.heic": ("2019-03-21T11:04:22.348000-05:00", (41.2203, -96.071625)),
    "gps/IMG_5195.HEIC": ("2021-04-11T15:47:53.054000-05:00", (39.051344, -94.288772)),
    "gps/xiaomi.heic": ("2023-04-27T19:44:18.732000+03:00", (47.227289, 39.7)),
    "gps/DSCN0010.jpg": ("2008-10-22T16:28:39", (43.467448, 11.885127)),  # its satellites are a day ahead
    "gps/datetimeoriginal-gps.jpg": ("2025-12-01T11:30:00", (39, -108)),
    "gps/empty_gps_ifd.jpg": ("2020-07-27T14:46:48.780685", None),
    "gps/spatial_photo.heic": ("2024-04-22T14:38:09", None),  # at zero and zero
    "gps/exif_gps.jpg": ("", None),  # of 2099, at 4,294,967,295 degrees
    "gps/thompson-springs.jpg": ("2022-01-10T15:15:44.310000", (39.115, -108.400968)),  # by its XMP
    "heic/200MP.heic": ("2025-01-19T14:53:27.031000+03:00", None),
    "corrupt/ultrahdr.jpg": ("2024-05-07T09:33:04.046000+08:00", (30.62765, 119.738767)),
    "jpeg/32-lens_data.jpeg": ("2012-07-14T16:30:12.680000", None),
    "jpeg/frozenpond.mpo": ("2014-03-02T13:30:00", None),
    "jpeg/invalid-exif.jpg": ("2017-03-13T23:03:09-07:00", None),  # by its XMP
    "tiff/Crémieux11.tiff": ("2012-01-09T22:52:11", None),
    "tiff/tiff_16bit_RGBa.tiff": ("", None),  # at 70 seconds past 15:08
    "webp/flower2.webp": ("2013-07-04T17:24:41", None),
    "wrongext/heic_named.jpg": ("2021-07-06T16:08:14.164000+03:00", (46.754703, 33.336106)),
    "wrongext/jpeg_with_gps_named.png": ("2008-10-22T16:28:39", (43.467448, 11.885127)),
}
"""What exiftool finds in these files."""


def test_real_files_say_what_exiftool_finds(corpora: Path) -> None:
    for name, (at, place) in TRUTHS.items():
        moment = read_moment((corpora / "formats" / name).read_bytes())
        assert (moment.at.isoformat() if moment.at else "") == at, name
        assert moment.place == (pytest.approx(place, abs=1e-5) if place else None), name
    apples = (corpora / "formats" / "gps" / "IMG_2682.heic").read_bytes()
    assert read_moment(apples[: len(apples) // 2]) == read_moment(apples), "cut short"


def test_no_real_file_is_too_much(corpora: Path) -> None:
    for folder, _, names in os.walk(corpora / "formats"):
        for name in names:
            data = read_file(os.path.join(folder, name))
            start = time.process_time()
            read_moment(data)
            assert time.process_time() - start < 1, "nothing is decoded, not even the bombs"


ORIGINAL, DIGITIZED = Base.DateTimeOriginal, Base.DateTimeDigitized


@pytest.mark.parametrize(
    ("camera", "first", "at"),
    [
        ({ORIGINAL: "2024:05:04 12:34:56", DIGITIZED: "2025:01:01 00:00:00"}, "2025:02:02 02:02:02", "2024-05-04T12:34:56"),
        ({ORIGINAL: "0000:00:00 00:00:00", DIGITIZED: "2025:01:01 10:00:00"}, "2025:02:02 02:02:02", "2025-01-01T10:00:00"),
        ({ORIGINAL: "    :  :     :  :  ", DIGITIZED: " "}, "2025:02:02 02:02:02", "2025-02-02T02:02:02"),
        ({DIGITIZED: "2025:01:01 10:00:00", Base.OffsetTimeDigitized: "-03:30", Base.OffsetTimeOriginal: "+01:00"}, None, "2025-01-01T10:00:00-03:30"),
        ({Base.OffsetTime: "+05:45", Base.SubsecTime: "007"}, "2025:02:02 02:02:02", "2025-02-02T02:02:02.007000+05:45"),
        (TAKEN | {Base.OffsetTimeOriginal: "Z"}, None, "2024-05-04T12:34:56+00:00"),
        (TAKEN | {Base.OffsetTimeOriginal: "+14:00"}, None, "2024-05-04T12:34:56+14:00"),
        (TAKEN | {Base.OffsetTimeOriginal: "+14:15"}, None, "2024-05-04T12:34:56"),
        (TAKEN | {Base.OffsetTimeOriginal: "-13:00"}, None, "2024-05-04T12:34:56"),
        (TAKEN | {Base.OffsetTimeOriginal: "   :  "}, None, "2024-05-04T12:34:56"),
        (TAKEN | {Base.OffsetTimeOriginal: "summer"}, None, "2024-05-04T12:34:56"),
        (TAKEN | {Base.SubsecTimeOriginal: "1234567890"}, None, "2024-05-04T12:34:56.123456"),
        (TAKEN | {Base.SubsecTimeOriginal: "  "}, None, "2024-05-04T12:34:56"),
        ({}, "2024-05-04 12:34:56", "2024-05-04T12:34:56"),
        ({}, "2024:05:04T12:34:56", "2024-05-04T12:34:56"),
        ({}, "2024:05:04 12:34:56\0rubbish", "2024-05-04T12:34:56"),
        ({}, None, ""),
    ],
)  # fmt: skip
def test_the_first_clock_that_was_set(camera: Tags, first: str | None, at: str) -> None:
    options: dict[str, Any] = {"DateTime": first} if first else {}
    assert at_of(camera, **options) == at


@pytest.mark.parametrize(
    ("clock", "is_real"),
    [
        ("0000:00:00 00:00:00", False), ("0001:01:01 00:00:00", False), ("1904:01:01 00:00:00", False),
        ("1903:12:31 16:00:00", False), ("1970:01:01 00:00:00", False), ("1970:01:01 12:00:07", False),
        ("1969:12:31 19:00:00", False), ("1980:01:01 00:00:00", False), ("2024:02:30 10:00:00", False),
        ("2024:05:04 24:00:00", False), ("2024:05:04 10:00:70", False), ("2099:01:01 10:00:00", False),
        ("2024:05:04", False), ("99:05:04 10:00:00", False), ("", False), ("\u0662\u0660\u0662\u0664:05:04 10:00:00", False),
        ("1955:07:17 14:00:00", True), ("1890:01:01 00:00:00", True), ("1970:01:03 10:00:00", True),
        ("1980:01:01 00:00:01", True), ("2000:01:01 00:00:00", True), ("2024:02:29 23:59:59", True),
    ],
)  # fmt: skip
def test_a_clock_that_was_never_set_is_no_date(clock: str, is_real: bool) -> None:
    assert bool(at_of({ORIGINAL: clock})) == is_real


def test_the_future_begins_tomorrow() -> None:
    now = datetime.now().astimezone()
    for ahead, is_real in ((timedelta(hours=9), True), (timedelta(days=3), False)):
        assert bool(at_of({ORIGINAL: f"{now + ahead:%Y:%m:%d %H:%M:%S}"})) == is_real
        assert bool(file_moment((now + ahead).timestamp()).at) == is_real


@pytest.mark.parametrize(
    ("day", "clock", "offset"),
    [
        ("2024:05:04", (10, 34, 50), "+02:00"),
        ("2024:05:04", (10, 31, 0), "+02:00"),  # a fix of four minutes ago
        ("2024:05:04", (7, 4, 50), "+05:30"),
        ("2024:05:04", (6, 49, 56), "+05:45"),
        ("2024:05:04", (20, 34, 50), "-08:00"),
        ("2024:05:03", (22, 34, 50), "+14:00"),
        ("2024:05:05", (0, 34, 50), "-12:00"),
        ("2024:05:03", (22, 19, 50), ""),
        ("2024:05:05", (0, 49, 50), ""),
        ("2024:05:04", (10, 27, 26), ""),  # between two zones
        ("2024:05:05", (10, 34, 50), ""),
        ("1999:99:99", (10, 34, 50), ""),
        ("", (10, 34, 50), ""),
        ("2024:05:04", (10, 34, IFDRational(0, 0)), ""),
        ("2024:05:04", (10, 34), ""),
        ("2024:05:04", (10,), ""),
    ],
)
def test_the_satellites_tell_the_zone(day: str, clock: Any, offset: str) -> None:
    gps = {GPS.GPSDateStamp: day, GPS.GPSTimeStamp: clock}
    assert at_of(TAKEN, gps) == f"2024-05-04T12:34:56{offset}"
    own = at_of(TAKEN | {Base.OffsetTimeOriginal: "+01:00"}, gps)
    assert own == "2024-05-04T12:34:56+01:00", "the camera's word comes first"
    assert at_of({}, gps, DateTime="2024:05:04 12:34:56") == "2024-05-04T12:34:56", "the date of a change"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({}, (52.52, 13.405)),
        ({GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W"}, (-52.52, -13.405)),
        ({GPS.GPSLatitudeRef: "s"}, (-52.52, 13.405)),
        ({GPS.GPSLatitudeRef: b"S\0"}, (-52.52, 13.405)),
        ({GPS.GPSLatitude: (52.0, 31.2)}, (52.52, 13.405)),
        ({GPS.GPSLatitude: 52.52}, (52.52, 13.405)),
        ({GPS.GPSLatitude: (0.0, 0.0, 0.0)}, (0, 13.405)),
        ({GPS.GPSLatitude: (0.0, 0.0, 0.0), GPS.GPSLongitude: (0.0, 0.0, 0.0)}, None),
        ({GPS.GPSLatitude: (90.0, 0.0, 1.0)}, None),
        ({GPS.GPSLongitude: (180.0, 0.0, 1.0)}, None),
        ({GPS.GPSLatitude: (52.0, 31.0, IFDRational(0, 0))}, None),
        ({GPS.GPSLatitude: (IFDRational(52, 0), 0.0, 0.0)}, None),
        ({GPS.GPSLongitudeRef: ""}, None),
        ({GPS.GPSLongitudeRef: "N"}, None),
        ({GPS.GPSLatitudeRef: None}, None),
        ({GPS.GPSLongitude: None}, None),
    ],
)
def test_a_place_or_none(change: Tags, place: tuple[float, float] | None) -> None:
    gps = {tag: value for tag, value in (BERLIN | change).items() if value is not None}
    moment = moment_of(TAKEN, gps)
    assert moment.place == (pytest.approx(place) if place else None)
    assert moment.at is not None, "a bad place costs no date"


def test_a_broken_picture_has_its_moment() -> None:
    exif = exif_of(TAKEN, BERLIN)
    for kind in ("JPEG", "PNG"):
        whole = file_of(kind, exif)
        damaged = whole[:-40]
        with pytest.raises(OSError), Image.open(BytesIO(damaged)) as image:
            image.load()
        assert read_moment(damaged) == read_moment(whole) != Moment(), kind


def test_a_png_is_never_decoded() -> None:
    """Its EXIF can lie behind the pixels; there nobody looks."""
    whole = file_of("PNG", exif_of(TAKEN))
    start = whole.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(whole[start : start + 4], "big")
    behind = whole[:start] + whole[end:-12] + whole[start:end] + whole[-12:]
    with Image.open(BytesIO(behind)) as image:
        assert image.getexif().get_ifd(IFD.Exif) == TAKEN
    assert read_moment(behind) == Moment()


def test_the_files_own_date_is_this_machines_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for zone, shown in (("UTC", "10:00"), ("Asia/Kathmandu", "15:45")):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            moment = file_moment(datetime.fromisoformat("2024-05-04T10:00:00+00:00").timestamp() + 0.25)
            assert moment.at == datetime.fromisoformat(f"2024-05-04T{shown}:00.250000")
            assert moment.source == "file"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("mtime", [0, 3600, -1, 1e12, 1e18, -1e18, float("nan"), float("inf")])
def test_no_file_is_of_that_date(mtime: float) -> None:
    assert file_moment(mtime) == Moment()


WHOLE = exif_of(TAKEN | {Base.OffsetTimeOriginal: "+02:00"}, BERLIN, DateTime="2024:05:05 01:02:03")
FILES = {kind: file_of(kind, WHOLE) for kind in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF")}


def check(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moment = read_moment(data)
    if moment.at:
        assert 1826 <= moment.at.year <= datetime.now(UTC).year + 1
    assert bool(moment.at) == (moment.source == "exif")
    if moment.place:
        assert abs(moment.place[0]) <= 90
        assert abs(moment.place[1]) <= 180


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=12),
    keep=st.floats(0, 1) | st.just(1.0),
)
def test_no_damage_raises(kind: str, changes: list[tuple[float, bytes]], keep: float) -> None:
    data = bytearray(FILES[kind])
    # Half of the changes strike the EXIF itself.
    exif = max(0, data.find(b"2024:05:0") - 150)
    for number, (place, new) in enumerate(changes):
        start = exif + int(place * 500) if number % 2 else int(place * len(data))
        data[start : start + len(new)] = new
    check(bytes(data[: int(keep * len(data))]))


values: st.SearchStrategy[Any] = (
    st.text(max_size=24)
    | st.binary(max_size=24)
    | st.integers(0, 65535)
    | st.lists(st.floats(0, 1e9), min_size=1, max_size=4).map(tuple)
    | st.just((IFDRational(0, 0), IFDRational(1, 0), 3.0))
    | st.from_regex(r"\A[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\Z")
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    camera=st.dictionaries(st.sampled_from([tag for tag in Base if "Time" in tag.name]), values, max_size=6),
    gps=st.dictionaries(st.sampled_from(list(GPS)[:8]) | st.just(GPS.GPSDateStamp), values, max_size=7),
    tail=st.binary(max_size=40),
)
def test_no_value_raises(camera: Tags, gps: Tags, tail: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = b""
        with suppress(Exception):  # what Pillow does not write it seldom has to read
            data = file_of("JPEG", exif_of(camera, gps))
    check(data)
    check(tail + data)
    check(b"\xff\xd8\xff\xe1\x00\x30Exif\0\0" + tail)
    check(b"II*\0" + tail)
    check(b"\0\0\0\x18ftypheic" + tail)
