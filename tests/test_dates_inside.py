"""Dates and places in the file itself: EXIF that knows little, XMP, IPTC, PNG text; and that nothing in them lies or fails."""

# ruff: noqa: DTZ001 - wall clocks

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from library.dates import read_date
from library.moments import Moment, read_moment
from library.xmp import MOST_BYTES, read_xmp
from tests.helpers.dated import BERLIN, iptc, photo, png, xmp

pillow_heif.register_heif_opener()
# Pillow says what is wrong with damaged metadata; the decoding child, which reads it, is told to be quiet.
pytestmark = pytest.mark.filterwarnings("ignore")

SECOND = "2019-07-12T14:30:00"
PACKET = xmp(exif_DateTimeOriginal=SECOND, exif_GPSLatitude="52,31.2N", exif_GPSLongitude="13,24,18E")


def at_of(moment: Moment) -> tuple[str, str]:
    return (str(moment.date) if moment.date else "", moment.source)


def with_xmp(kind: str, packet: bytes, **more: Any) -> bytes:
    if kind == "PNG":
        return png({"XML:com.adobe.xmp": packet.decode()})
    return photo(kind, **{"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}, **more)


@pytest.mark.parametrize(
    ("taken", "at"),
    [
        ("1993:00:00 00:00:00", "1993"), ("1993:07:00 00:00:00", "1993-07"), ("1993:  :     :  :  ", "1993"),
        ("1993:07:12   :  :  ", "1993-07-12"), ("1993:00:12 10:00:00", "1993"), ("1980:00:00 00:00:00", "1980"),
        ("1970:01:00 00:00:00", "1970-01"), ("0000:00:00 00:00:00", ""), ("2099:00:00 00:00:00", ""), ("1700:01:00 00:00:00", ""),
        ("1993:13:00 00:00:00", ""), ("1993:07:32 00:00:00", ""),
    ],
)  # fmt: skip
def test_exif_that_knows_a_year_or_a_month(taken: str, at: str) -> None:
    assert at_of(read_moment(photo(taken=taken))) == (at, "exif" if at else "")


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"])
def test_xmp_in_every_format(kind: str) -> None:
    moment = read_moment(with_xmp(kind, PACKET))
    assert at_of(moment) == (SECOND, "xmp")
    assert moment.place == pytest.approx((52.52, 13.405))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2019-07-12T14:30:00+02:00", "2019-07-12T14:30:00+02:00"), ("2019-07-12T14:30:00.25Z", "2019-07-12T14:30:00+00:00"),
        ("2019-07-12T14:30+02:00", "2019-07-12T14:30:00+02:00"), ("2019-07-12T14:30", SECOND), ("2019-07-12", "2019-07-12"),
        ("2019-07", "2019-07"), ("2019", "2019"), ("2019:07:12 14:30:00", SECOND), ("2019-07-12 14:30:00", SECOND),
        ("2019-00-00", "2019"), ("2019-07-00T00:00:00", "2019-07"), (" 2019-07-12 ", "2019-07-12"),
        ("2019-07-12T25:00:00", ""), ("2019-07-12T14:30:00+20:00", SECOND), ("2019-02-30", ""), ("2019-07-1x", ""), ("19", ""),
        ("yesterday", ""), ("", ""), ("1970-01-01T00:00:00Z", ""), ("2099-01-01", ""), ("\u0662\u0660\u0661\u0669", ""),
    ],
)  # fmt: skip
def test_the_forms_of_a_date(text: str, at: str) -> None:
    date = read_date(text)
    assert (str(date) if date else "") == at
    for packet in (
        xmp(exif_DateTimeOriginal=text),
        xmp(f"<photoshop:DateCreated>{text}</photoshop:DateCreated>"),
    ):
        assert read_xmp(packet)[0] == date


def test_which_date_of_a_packet_counts() -> None:
    assert read_xmp(
        xmp(xmp_CreateDate="2020-01-02", photoshop_DateCreated="1987-06", xmp_ModifyDate="2021-01-02")
    )[0] == read_date("1987-06")
    assert read_xmp(xmp(xmp_CreateDate="2020-01-02", exif_DateTimeOriginal="none"))[0] == read_date(
        "2020-01-02"
    )
    assert read_xmp(xmp(xmp_ModifyDate="2021-01-02", xmp_MetadataDate="2021-01-02")) == (None, None)
    history = (
        "<photoshop:History>2001-01-01</photoshop:History><xmp:CreateDate>\n 2019-07-12 \n</xmp:CreateDate>"
    )
    assert read_xmp(xmp(history))[0] == read_date("2019-07-12")


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        ("52,31.2N", "13,24.3E", (52.52, 13.405)), ("52,31,12N", "13,24,18E", (52.52, 13.405)), ("52,31.2S", "13,24.3W", (-52.52, -13.405)),
        ("52.52", "-13.405", (52.52, -13.405)), ("0,0.0N", "13,24.3E", (0.0, 13.405)), ("0,0N", "0,0E", None), ("91,0N", "13,0E", None),
        ("52,31.2", "", None), ("north", "east", None), ("1e999", "13", None), ("9" * 400, "13", None),
    ],
)  # fmt: skip
def test_the_forms_of_a_place(latitude: str, longitude: str, place: tuple[float, float] | None) -> None:
    found = read_xmp(xmp(exif_GPSLatitude=latitude, exif_GPSLongitude=longitude))[1]
    assert found == (pytest.approx(place) if place else None)


def test_iptc_and_png_text() -> None:
    def of_iptc(**datasets: str) -> tuple[str, str]:
        return at_of(read_moment(photo(extra=iptc(**datasets))))

    assert of_iptc(d55="20190712", d60="143000+0200") == ("2019-07-12T14:30:00+02:00", "iptc")
    assert of_iptc(d55="20190712", d60="143000") == (SECOND, "iptc")
    assert of_iptc(d55="20190712", d60="------") == ("2019-07-12", "iptc")
    assert of_iptc(d55="19930700") == ("1993-07", "iptc")
    assert of_iptc(d55="19930000", d62="20190712") == ("1993", "iptc")
    assert of_iptc(d55="00000000", d62="20190712", d63="143000") == (SECOND, "iptc")
    assert of_iptc(d55="2019") == ("2019", "iptc")
    assert of_iptc(d55="2019:07:12", d60="143000") == (SECOND, "iptc")
    assert of_iptc(d105="20190712", d60="143000") == ("", "")
    for behind in (False, True):
        for text, at in {
            "2019-07-12T14:30:00+02:00": "2019-07-12T14:30:00+02:00",
            "2019:07:12 14:30:00": SECOND,
            "Fri, 12 Jul 2019 14:30:00 +0200": "2019-07-12T14:30:00+02:00",
            "Fri 12 Jul 2019 02:30:00 PM": SECOND,
            "Fri 12 Jul 2019 12:30:00 AM": "2019-07-12T00:30:00",
            "Fri Jul 12 14:30:00 2019": SECOND,
            "12 Jul 2099 14:30:00": "",
            "once upon a time": "",
        }.items():
            assert at_of(read_moment(png({"Creation Time": text}, behind=behind))) == (
                at,
                "png" if at else "",
            ), text
        assert at_of(read_moment(png({"XML:com.adobe.xmp": PACKET.decode()}, behind=behind))) == (
            SECOND,
            "xmp",
        )
    assert read_moment(png({"date:create": "2019-07-12T14:30:00", "Software": "2019"})) == Moment(), (
        "a date of a file"
    )


def test_which_source_in_a_file_wins() -> None:
    everything: dict[str, Any] = {
        "xmp": xmp(
            exif_DateTimeOriginal="2018-01-02T03:04:05", exif_GPSLatitude="10,0N", exif_GPSLongitude="10,0E"
        ),
        "extra": iptc(d55="20170102"),
    }
    assert at_of(read_moment(photo(taken="2019:07:12 14:30:00", **everything))) == (SECOND, "exif")
    assert at_of(read_moment(photo(**everything))) == ("2018-01-02T03:04:05", "xmp")
    assert at_of(read_moment(photo(extra=everything["extra"]))) == ("2017-01-02", "iptc")
    # EXIF of a clock that was never set gives way; and who knows more of the same is believed.
    assert at_of(read_moment(photo(taken="1970:01:01 00:00:00", **everything))) == (
        "2018-01-02T03:04:05",
        "xmp",
    )
    assert at_of(read_moment(photo(taken="2018:01:00 00:00:00", **everything))) == (
        "2018-01-02T03:04:05",
        "xmp",
    )
    assert at_of(read_moment(photo(taken="1993:00:00 00:00:00", **everything))) == ("1993", "exif")
    place = read_moment(photo(taken="2019:07:12 14:30:00", **everything)).place
    assert place == pytest.approx((10, 10))
    place = read_moment(photo(taken="2019:07:12 14:30:00", gps=BERLIN, **everything)).place
    assert place == pytest.approx((52.52, 13.405))


def test_an_unset_clock_and_the_camera_are_told() -> None:
    moment = read_moment(photo(taken="1970:01:01 00:05:07", camera="EasyCam 3"))
    assert moment == Moment(camera="EasyCam 3", unset=datetime(1970, 1, 1, 0, 5, 7))
    exif = Image.Exif()
    exif[Base.DateTime] = "2019:07:12 14:30:00"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "1980:01:01 00:00:00"
    moment = read_moment(photo(exif=exif.tobytes()))
    assert (at_of(moment), moment.unset) == ((SECOND, "exif"), None)


def box(name: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + name + content


def raws() -> dict[str, bytes]:
    """Return files of formats that Pillow does not open, as far as their EXIF goes."""
    exif = Image.Exif()
    exif.endian = "<"
    exif[Base.Model] = "EasyCam"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2019:07:12 14:30:00"
    exif.get_ifd(IFD.GPSInfo).update(BERLIN)
    tiff = exif.tobytes()[6:]
    parts = {
        b"CMT1": {Base.Model: "EasyCam"},
        b"CMT2": {Base.DateTimeOriginal: "2019:07:12 14:30:00"},
        b"CMT4": BERLIN,
    }
    canon = b""
    for name, tags in parts.items():
        part = Image.Exif()
        part.update(tags)
        canon += box(name, part.tobytes()[6:])
    jpeg = photo(taken="2019:07:12 14:30:00", camera="EasyCam", gps=BERLIN)
    signature = box(b"JXL ", b"\r\n\x87\n")
    return {
        "ARW, NEF, DNG": tiff + bytes(100),
        "ORF": b"IIRO" + tiff[4:],
        "ORF of a TG": b"IIRS" + tiff[4:],
        "RW2": b"IIU\0" + tiff[4:],
        "RAF": b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + (120).to_bytes(4, "big") + len(jpeg).to_bytes(4, "big") + bytes(28) + jpeg,
        "CR3": box(b"ftyp", b"crx " + bytes(8)) + box(b"moov", box(b"uuid", bytes(16) + canon)),
        "JXL": signature + box(b"ftyp", b"jxl ") + box(b"Exif", bytes(4) + tiff) + box(b"xml ", PACKET) + b"\0\0\0\0jxlc" + bytes(9),
    }  # fmt: skip


RAWS = raws()


@pytest.mark.parametrize("kind", RAWS)
def test_raw_files_and_jpeg_xl(kind: str) -> None:
    moment = read_moment(RAWS[kind])
    assert at_of(moment) == (SECOND, "exif")
    assert moment.place == pytest.approx((52.52, 13.405))
    assert moment.camera == "EasyCam"


def test_real_raw_files(corpora: Path) -> None:
    found = {
        name: read_moment((corpora / "formats" / "raw" / name).read_bytes())
        for name in ("fixture.cr3", "fixture-sony-zv-e10.arw")
    }
    assert [str(moment.date) for moment in found.values()] == [
        "2019-12-05T13:32:49+08:00",
        "2021-07-24T14:23:06-07:00",
    ]
    assert [moment.camera for moment in found.values()] == ["Canon Canon EOS R", "SONY ZV-E10"]


def test_xmp_alone_in_a_jpeg_xl() -> None:
    assert at_of(read_moment(box(b"JXL ", b"\r\n\x87\n") + box(b"xml ", PACKET))) == (SECOND, "xmp")


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (i, *[i - 1] * 4) for i in range(98, 122))
    + b']><x xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2019-07-12">&y;</x>'
)  # fmt: skip
FETCHES = (
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b'<x xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"><photoshop:DateCreated>&a;</photoshop:DateCreated></x>'
)


def test_hostile_packets_say_nothing() -> None:
    for packet in (
        BOMB,
        FETCHES,
        BOMB.decode().encode("utf-16"),
        b"",
        b"\0" * 100,
        b"<" * 100_000,
        PACKET * 3,
        b"<a>" * 1_000_000,
    ):
        date, place = read_xmp(packet)
        assert (date, place) in {(None, None), read_xmp(PACKET)}
        assert packet.startswith(PACKET[:20]) or date is None
    assert read_xmp(PACKET.replace(b"<x:xmpmeta", b'<?xml version="1.0" encoding="klingon"?><x:xmpmeta')) == (
        None,
        None,
    )
    assert read_xmp(PACKET.decode().encode("utf-16")) == read_xmp(PACKET)
    assert read_xmp(PACKET + b" " * MOST_BYTES) == (None, None)
    assert read_xmp(PACKET + b"\0\0 \0") != (None, None)
    assert read_xmp(PACKET[: PACKET.index(b"</rdf:RDF>")]) == read_xmp(PACKET), "cut short"
    assert at_of(read_moment(photo(taken="2019:07:12 14:30:00", xmp=BOMB))) == (SECOND, "exif")


WHOLE = {kind: with_xmp(kind, PACKET) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")} | {
    "IPTC": photo(extra=iptc(d55="20190712", d60="143000+0200")),
    "text": png({"Creation Time": "Fri, 12 Jul 2019 14:30:00 +0200"}, behind=True),
    **RAWS,
}


def check(data: bytes) -> None:
    moment = read_moment(data)
    if moment.at:
        assert 1826 <= moment.at.year <= datetime.now(UTC).year + 1
    assert bool(moment.at) == (moment.source in {"exif", "xmp", "iptc", "png"}) == bool(moment.date)
    if moment.place:
        assert abs(moment.place[0]) <= 90
        assert abs(moment.place[1]) <= 180


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=12),
    keep=st.floats(0, 1) | st.just(1.0),
)
def test_no_damage_raises(kind: str, changes: list[tuple[float, bytes]], keep: float) -> None:
    data = bytearray(WHOLE[kind])
    for place, new in changes:
        start = int(place * len(data))
        data[start : start + len(new)] = new
    check(bytes(data[: int(keep * len(data))]))


@given(text=st.text(max_size=40), data=st.binary(max_size=200))
@example("0001-01-01T00:00:00+14:00", b"")
@example("9999-12-31T23:59:59-12:00", b"")
@example("1e5", b"\x89PNG\r\n\x1a\n" + b"\xff" * 40)
def test_no_text_raises(text: str, data: bytes) -> None:
    read_date(text)
    read_xmp(data)
    read_xmp(text.encode("utf-8", "replace"))
    check(data)
    check(b"\x89PNG\r\n\x1a\n" + data)
    check(photo(extra=iptc(d55=text[:20], d60=text[20:])))
    if "\0" not in text:
        check(png({"Creation Time": text}))
