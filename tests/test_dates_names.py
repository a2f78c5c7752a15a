"""Dates in names: what cameras, phones, messengers and people write, and numbers that are no dates."""

# ruff: noqa: DTZ001 - wall clocks

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from library.dated_names import date_of_folders, date_of_name
from library.dates import Date, date_of, read_date

SECOND = "2019-07-12T14:30:00"
NAMES = {
    "IMG_20190712_143000.jpg": SECOND,
    "IMG_20190712_143000_1.jpg": SECOND,
    "IMG_20190712_143000_HDR~2.jpg": SECOND,
    "IMG_20190712_143000123_BURST001.jpg": SECOND,
    "IMG20190712143000.jpg": SECOND,
    "MVIMG_20190712_143000.jpg": SECOND,
    "PANO_20190712_143000.vr.jpg": SECOND,
    "VID_20190712_143000.mp4": SECOND,
    "00001IMG_00001_BURST20190712143000_COVER.jpg": SECOND,
    "20190712_143000.jpg": SECOND,
    "20190712_143000(0).jpg": SECOND,
    "20190712T143000.jpg": SECOND,
    "DJI_20190712143000_0001_D.JPG": SECOND,
    "WP_20190712_14_30_00_Pro.jpg": SECOND,
    "WIN_20190712_14_30_00_Pro.jpg": SECOND,
    "P_20190712_143000.jpg": SECOND,
    "C360_2019-07-12-14-30-00-123.jpg": SECOND,
    "2019-07-12 14.30.00.jpg": SECOND,
    "2019-07-12 14.30.00-1.jpg": SECOND,
    "2019-07-12_14.30.00.jpg": SECOND,
    "Screenshot_2019-07-12-14-30-00.png": SECOND,
    "Screenshot_2019-07-12-14-30-00-123_com.android.chrome.png": SECOND,
    "Screenshot_20190712-143000.png": SECOND,
    "Screenshot_20190712-143000_Chrome.jpg": SECOND,
    "Screenshot_20190712_143000_com.whatsapp.jpg": SECOND,
    "Screenshot from 2019-07-12 14-30-00.png": SECOND,
    "Screenshot 2019-07-12 143000.png": SECOND,
    "Screenshot 2019-07-12 at 14.30.00.png": SECOND,
    "Screenshot 2019-07-12 at 2.30.00\u202fPM.png": SECOND,
    "Screenshot 2019-07-12 at 12.05.00 AM.png": "2019-07-12T00:05:00",
    "Screen Shot 2019-07-12 at 14.30.00 (2).png": SECOND,
    "Bildschirmfoto 2019-07-12 um 14.30.00.png": SECOND,
    "Capture d\u2019\u00e9cran 2019-07-12 \u00e0 14.30.00.png": SECOND,
    "Captura de pantalla 2019-07-12 a la(s) 2.30.00 p. m..png": SECOND,
    "Schermata 2019-07-12 alle 14.30.00.png": SECOND,
    "\u0421\u043d\u0438\u043c\u043e\u043a \u044d\u043a\u0440\u0430\u043d\u0430 2019-07-12 \u0432 14.30.00.png": SECOND,
    "\u622a\u5c4f2019-07-12 \u4e0b\u53482.30.00.png": SECOND,
    "\uc2a4\ud06c\ub9b0\uc0f7 2019-07-12 \uc624\uc804 2.30.00.png": "2019-07-12T02:30:00",
    "signal-2019-07-12-143000.jpg": SECOND,
    "signal-2019-07-12-14-30-00-123.jpg": SECOND,
    "photo_2019-07-12_14-30-00.jpg": SECOND,
    "photo_2019-07-12_14-30-00 (2).jpg": SECOND,
    "viber_image_2019-07-12_14-30-00-123.jpg": SECOND,
    "viber image 2019-07-12 , 14.30.00.jpg": SECOND,
    "WhatsApp Image 2019-07-12 at 14.30.00 (1).jpeg": SECOND,
    "WhatsApp Image 2019-07-12 at 2.30.00 PM.jpeg": SECOND,
    "IMG-20190712-WA0003.jpg": "2019-07-12",
    "VID-20190712-WA0003.mp4": "2019-07-12",
    "WP_20190712_001.jpg": "2019-07-12",
    "IMG_20190712_0001.jpg": "2019-07-12",
    "IMG_20190712_A.jpg": "2019-07-12",
    "Snapchat_2019-07-12_0516c0a9-5402-f3d7-ae27-19671102f52c-main.jpg": "2019-07-12",
    "IMG1234_2019_07_12.jpeg": "2019-07-12",
    "2019-07-12 Wedding 001.jpg": "2019-07-12",
    "2019-7-12.jpg": "2019-07-12",
    "1955.07.17 grandmother.tif": "1955-07-17",
    "IMG_20190712_253000.jpg": "2019-07-12",
    "IMG_20191399_20190712.jpg": "2019-07-12",
    # What is no date.
    "IMG_20191399.jpg": "", "20190229.jpg": "", "2019-13-45.jpg": "", "IMG_20990712_143000.jpg": "", "17990712.jpg": "",
    "DSC01234.JPG": "", "IMG_2019.JPG": "", "IMG_0712.HEIC": "", "1920x1080.jpg": "", "2019.jpg": "", "2019-07.jpg": "",
    "120190712.jpg": "", "201907123.jpg": "", "IMG_20190712345678.jpg": "", "201907121430.jpg": "", "1020190712143000.jpg": "",
    "+4915123456789.jpg": "", "0049 151 20190712345.jpg": "", "FB_IMG_15629412345678.jpg": "", "10215421234567890_n.jpg": "",
    "4006381333931.jpg": "", "15629412345678.jpg": "",
    "9e8449ee-9f27-440f-949b-69f98a200921.jpg": "", "d0e1f2a3-1111-4222-8333-20190712abcd.jpg": "",
    "5e884898da28047151d0e20190712f8dc6292773.jpg": "", "20190712c0ffee20190712beef00000000.jpg": "",
    "IMG_19700101_000000.jpg": "", "Screenshot_1970-01-01-01-00-00.png": "", "19800101_000000.jpg": "1980-01-01",
    "": "", ".": "", ".jpg": "", "\ud800": "", "a/": "",
}  # fmt: skip
INSTANTS = {
    "PXL_20190712_143000123.jpg": "2019-07-12T14:30:00+00:00",
    "PXL_20190712_143000123.MP~2.jpg": "2019-07-12T14:30:00+00:00",
    "FB_IMG_1562941800123.jpg": "2019-07-12T14:30:00.123000+00:00",
    "mmexport1562941800123.jpg": "2019-07-12T14:30:00.123000+00:00",
    "1562941800123.jpg": "2019-07-12T14:30:00.123000+00:00",
}
FOLDERS = {
    "2019/07": "2019-07", "2019/07/12": "2019-07-12", "2019/7": "2019-07", "2019/07/100APPLE": "2019-07",
    "2019/July": "2019-07", "2019/07-July": "2019-07", "2019/07 Italy": "2019-07", "2019/2019-07/2019-07-12": "2019-07-12",
    "2019-07-12 Wedding": "2019-07-12", "20190712 Wedding": "2019-07-12", "2019_07_12_Wedding/raw": "2019-07-12",
    "2019-07 Italy": "2019-07", "2019.07": "2019-07", "201907__": "2019-07", "2019-07 Italy/Day 2": "2019-07",
    "2019": "2019", "2019 summer": "2019", "Italy 2019": "2019", "Photos from 2019": "2019", "2019/Wedding": "2019",
    "12.07.2019 Hochzeit": "2019", "Scans/1987": "1987", "2019/Scans 1987": "1987", "2019-07-12 Wedding/2019": "2019-07-12",
    "July 2019": "2019-07", "12 July 2019": "2019-07-12", "July 12, 2019": "2019-07-12", "Berlin, 12. Juli 2019": "2019-07-12",
    "1 de julio de 2019": "2019-07-01", "ao\u00fbt 2019": "2019-08",
    "2019-07-12 - 2019-07-14 Trip": "2019-07", "2019-06-30 to 2019-07-02": "2019", "2019/15": "2019", "2019/02/31": "2019-02",
    # What is no date.
    "": "", "Camera Roll": "", "100CANON": "", "DCIM/101APPLE": "", "1920x1080": "", "May": "", "07": "", "07/12": "",
    "2018-2019": "", "2018 - 2019": "", "2019-20 Season": "", "2099": "", "1700": "", "2019-13-45": "", "IMG2019": "",
    "photos/3f20190712ab45cd67": "",
}  # fmt: skip


def spelled(date: Date | None) -> str:
    return str(date) if date else ""


@pytest.mark.parametrize(("name", "at"), NAMES.items())
def test_the_date_in_a_name(name: str, at: str) -> None:
    assert spelled(date_of_name(name)) == at
    assert spelled(date_of_name(f"2001/02/03/{name}")) == at, "folders are another matter"


@pytest.mark.parametrize(("name", "at"), INSTANTS.items())
def test_names_that_say_the_time_in_utc(name: str, at: str) -> None:
    date = date_of_name(name)
    assert date
    assert date.at == datetime.fromisoformat(at)
    assert date.precision == "second"


@pytest.mark.parametrize(("folder", "at"), FOLDERS.items())
def test_the_date_in_the_names_of_folders(folder: str, at: str) -> None:
    assert spelled(date_of_folders(f"{folder}/IMG_20010203_040506.jpg")) == at


PARTS = st.sampled_from(
    [
        "20190712",
        "2019",
        "07",
        "12",
        "14",
        "30",
        "-",
        "_",
        " ",
        ".",
        "/",
        "IMG",
        "(1)",
        "PXL_",
        "FB_IMG_",
        "a.m.",
        "July",
    ]
)


@given(st.lists(PARTS | st.text(max_size=4), max_size=12).map("".join))
@example("PXL_18260101_000000000")
@example("12" * 4000)
@example("20190712" * 500)
@example("2019-07-12" + " " * 4000)
def test_no_name_raises_or_gives_what_cannot_be(name: str) -> None:
    for date in (date_of_name(name), date_of_folders(name)):
        if date:
            assert date.at.year >= 1826
            assert date.at.replace(tzinfo=None) < datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2)
            assert read_date(str(date)) == date._replace(at=date.at.replace(microsecond=0))


@given(st.datetimes(datetime(1990, 1, 1), datetime(2024, 12, 31)).map(lambda at: at.replace(microsecond=0)))
def test_every_time_is_read_as_it_is_written(at: datetime) -> None:
    for pattern in ("IMG_{:%Y%m%d_%H%M%S}.jpg", "Screenshot {:%Y-%m-%d at %H.%M.%S}.png", "signal-{:%Y-%m-%d-%H-%M-%S}-123.jpg",
                    "x {:%Y-%m-%d um %I.%M.%S %p}.png"):  # fmt: skip
        assert date_of_name(pattern.format(at)) == Date(at), pattern
    day = date_of(at.year, at.month, at.day)
    assert date_of_name(f"IMG-{at:%Y%m%d}-WA0001.jpg") == day == date_of_folders(f"{at:%Y/%m/%d}/x.jpg")
    assert date_of_folders(f"{at:%Y-%m} x/y.jpg") == date_of(at.year, at.month)
    assert read_date(at.isoformat()) == Date(at)
    assert read_date(f"{at:%Y:%m:%d %H:%M:%S}") == Date(at)
