"""Dates and places beside the photo: XMP sidecars and Google Takeout's JSON in all its spellings; and clocks never set."""

# ruff: noqa: DTZ001 - wall clocks

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.moments import Moment, find_moments, read_moment
from library.sidecars import Sidecars
from library.walk import Photo
from library.xmp import MOST_BYTES
from tests.helpers.dated import BERLIN, photo, put, takeout, xmp

TAKEN = datetime(2019, 7, 12, 14, 30, tzinfo=UTC)
COPIED = datetime(2024, 1, 2, 3, 4, 5).timestamp()  # this machine's clock
LONG = "a name that goes on well beyond all that Google lets it"


def moments_of(folder: Path, *names: str, **inside: Moment) -> list[Moment]:
    """Return the moments of files of these names; `inside` is what those say, by the name without its extension."""
    photos = [Photo(name, str(folder / name)) for name in names]
    said = [inside.get(Path(name).stem, Moment()) for name in names]
    return find_moments(photos, said, [COPIED] * len(photos))


def moment_of(folder: Path, name: str, inside: Moment = Moment()) -> Moment:  # noqa: B008 - it is frozen
    return find_moments([Photo(name, str(folder / name))], [inside], [COPIED])[0]


@pytest.mark.parametrize(
    ("json", "name"),
    [
        ("IMG.jpg.json", "IMG.jpg"),
        ("IMG.jpg.json", "IMG.JPG"),
        ("IMG.JPG.JSON", "IMG.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG.jpg"),
        ("IMG.jpg.supplemental-metadat.json", "IMG.jpg"),
        ("IMG.jpg.supplemental-meta.json", "IMG.jpg"),
        ("IMG.jpg.suppl.json", "IMG.jpg"),
        ("IMG.jpg.s.json", "IMG.jpg"),
        ("IMG.jpg..json", "IMG.jpg"),
        ("IMG.jpg(1).json", "IMG(1).jpg"),
        ("IMG.jpg.supplemental-metadata(1).json", "IMG(1).jpg"),
        ("IMG.jpg.suppleme(12).json", "IMG(12).jpg"),
        ("IMG(1).jpg.json", "IMG(1).jpg"),
        ("IMG(1).jpg.supplemental-metadata.json", "IMG(1).jpg"),
        ("IMG(1).jpg.supplemental-metadata(1).json", "IMG(1)(1).jpg"),
        # The extension left out, or another one: a film of a photo, or a photo that Google made another of.
        ("Peanut Butter Balls.supplemental-metadata.json", "Peanut Butter Balls.jpg"),
        ("2013.supplemental-metadata(1).json", "2013(1).jpg"),
        ("IMG.json", "IMG.jpg"),
        ("IMG.HEIC.supplemental-metadata.json", "IMG.MOV"),
        # Edited copies.
        ("IMG.jpg.json", "IMG-edited.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-bearbeitet.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-ha editado.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-\u7de8\u96c6\u6e08\u307f.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-modifie\u0301.jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-COLLAGE.jpg"),
        ("IMG.jpg(1).json", "IMG-edited(1).jpg"),
        ("IMG.jpg.supplemental-metadata.json", "IMG-edited(1).jpg"),
        ("IMG(1).jpg.supplemental-metadata(1).json", "IMG(1)-editat(1).jpg"),
        ("IMG-WA0122~2.jpg.supplemental-metadat.json", "IMG-WA0122~2-edited.jpg"),
        ("IMG.supplemental-metadata.json", "IMG-edited.jpg"),
        # Names that were cut, and edited copies of them.
        (f"{LONG[:46]}.json", f"{LONG[:47]}.jpg"),
        (f"{LONG[:46]}.json", f"{LONG}.jpg"),
        (f"{LONG[:46]}(1).json", f"{LONG[:47]}(1).jpg"),
        (f"{LONG[:43]}.jp.json", f"{LONG[:43]}.jpg"),
        (f"{LONG[:36]}_1234.JP.supplemental-meta.json", f"{LONG[:36]}_1234.JPG"),
        (f"{LONG[:36]}_1234.JP.supplemental-meta.json", f"{LONG[:36]}_1234-ha edit.JPG"),
        ("original_1d4caa6f-16c6-4c3d-901b-9387de10e528_.json", "original_1d4caa6f-16c6-4c3d-901b-9387de10e528_P.jpg"),
        ("original_1d4caa6f-16c6-4c3d-901b-9387de10e528_.json", "original_1d4caa6f-16c6-4c3d-901b-9387de10e528_P(1).jpg"),
        ("\u5199\u771f" * 8 + ".json", "\u5199\u771f" * 10 + ".jpg"),
        # As a Mac spells it, and as Linux does.
        ("caf\u00e9.jpg.json", "cafe\u0301.jpg"),
    ],
)  # fmt: skip
def test_every_spelling_of_takeout(tmp_path: Path, json: str, name: str) -> None:
    put(tmp_path / json, takeout(place=(52.52, 13.405)))
    put(tmp_path / "metadata.json", '{"title": "Holidays", "date": {"timestamp": "1"}}')
    moment = moment_of(tmp_path, name)
    assert (moment.at, moment.source, moment.precision) == (TAKEN, "takeout", "second")
    assert moment.place == (52.52, 13.405)


@pytest.mark.parametrize(
    ("json", "name"),
    [
        ("IMG.jpg.json", "IMG(1).jpg"),
        ("IMG.jpg(1).json", "IMG.jpg"),
        ("IMG.jpg(1).json", "IMG(2).jpg"),
        ("IMG.jpg.json", "IMG-2.jpg"),
        ("IMG.jpg.json", "IMG2.jpg"),
        ("IMG_1.jpg.json", "IMG.jpg"),
        ("IMG.jpg.json", "IMG_edited.jpg"),
        (f"{LONG[:30]}.json", f"{LONG}.jpg"),
        ("metadata.json", "IMG.jpg"),
    ],
)
def test_what_belongs_to_another_photo(tmp_path: Path, json: str, name: str) -> None:
    put(tmp_path / json, takeout())
    assert moment_of(tmp_path, name).source == "file"


def test_of_several_json_each_photo_has_its_own(tmp_path: Path) -> None:
    own = {
        "IMG.jpg": "IMG.jpg.supplemental-metadata.json", "IMG(1).jpg": "IMG.jpg.supplemental-metadata(1).json",
        "IMG(2).jpg": "IMG(2).jpg.json", "IMG.png": "IMG.png.json", "IMG.HEIC": "IMG.HEIC.suppl.json",
        "other.jpg": "other.jpg.json", f"{LONG[:47]}.jpg": f"{LONG[:46]}.json", f"{LONG[:47]}(1).jpg": f"{LONG[:46]}(1).json",
    }  # fmt: skip
    for number, name in enumerate(own.values()):
        put(tmp_path / name, takeout(1562941800 + number))
    found = moments_of(tmp_path, *own, "IMG-edited.jpg", "IMG-edited(1).jpg", "IMG.MOV")
    assert [moment.at for moment in found[: len(own)]] == [
        TAKEN + timedelta(seconds=number) for number in range(len(own))
    ]
    assert [moment.at for moment in found[len(own) : -1]] == [TAKEN, TAKEN + timedelta(seconds=1)]
    assert found[-1].source == "takeout"


def test_what_takeouts_json_says(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg.json"

    def said(content: str) -> Moment:
        put(path, content)
        return moment_of(tmp_path, "a.jpg")

    assert said(takeout(-15_000_000)).at == datetime.fromtimestamp(-15_000_000, UTC), (
        "a scan from before 1970"
    )
    assert said(takeout(geoDataExif={"latitude": 1.5, "longitude": 2.5})).place == (1.5, 2.5)
    assert said(takeout(place=(3.5, 4.5), geoDataExif={"latitude": 1.5, "longitude": 2.5})).place == (
        3.5,
        4.5,
    )
    assert said(takeout()).place is None, "at zero and zero"
    for nothing in (
        takeout(0), takeout("x"), takeout(10**30), takeout(4_000_000_000), "{}", "[]", "null", "", "{", "[" * 100_000, "1" * 100_000,
        '{"photoTakenTime": 5}', '{"photoTakenTime": {"timestamp": [1]}}', '{"photoTakenTime": {"timestamp": NaN}}', "\ufeff{}",
        '{"geoData": {"latitude": "NaN", "longitude": 1e999}}', takeout(place=(91, 1)), " " * MOST_BYTES + takeout(),
    ):  # fmt: skip
        moment = said(nothing)
        assert moment.source == (
            "takeout" if '"1562941800"' in nothing and len(nothing) < MOST_BYTES else "file"
        ), nothing[:80]
        assert moment.place is None
    put(path, b"\xff\xfe\xfd" + bytes(range(256)))
    assert moment_of(tmp_path, "a.jpg").source == "file"


def test_xmp_sidecars(tmp_path: Path) -> None:
    put(
        tmp_path / "a.heic.xmp",
        xmp(
            exif_DateTimeOriginal="2019-07-12T14:30:00",
            exif_GPSLatitude="52,31.2N",
            exif_GPSLongitude="13,24.3E",
        ),
    )
    put(tmp_path / "b.XMP", xmp(photoshop_DateCreated="1987-06"))
    put(tmp_path / "c.jpg.xmp", xmp(xmp_ModifyDate="2020-01-01"))
    put(tmp_path / "c.xmp", xmp(xmp_CreateDate="2019"))
    put(tmp_path / "d.jpg.xmp", xmp(exif_DateTimeOriginal="2019-07-12"))
    put(tmp_path / "d.jpg.json", takeout())
    put(tmp_path / "e.jpg.xmp", b"<not xmp")
    put(tmp_path / "e.jpg.json", takeout())
    found = moments_of(tmp_path, "a.HEIC", "b.cr2", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg")
    assert [str(moment.date) for moment in found[:5]] == [
        "2019-07-12T14:30:00",
        "1987-06",
        "1987-06",
        "2019",
        str(found[4].date),
    ]
    assert [moment.source for moment in found] == [
        "sidecar",
        "sidecar",
        "sidecar",
        "sidecar",
        "takeout",
        "takeout",
        "file",
    ]
    assert found[4].at == TAKEN, "it says the same, but more of it"
    assert found[0].place == pytest.approx((52.52, 13.405))


def test_the_best_source_wins(tmp_path: Path) -> None:
    name = "2016/03/04/IMG_20170506_070809.jpg"
    exif = read_moment(photo(taken="2019:07:12 14:30:00"))
    steps = ["exif", "sidecar", "takeout", "name", "folder", "file"]
    put(
        tmp_path / f"{name}.xmp",
        xmp(exif_DateTimeOriginal="2018-01-02T03:04:05", exif_GPSLatitude="10,0N", exif_GPSLongitude="10,0E"),
    )
    put(tmp_path / f"{name}.json", takeout(1500000000, (20.0, 20.0)))
    found = [moment_of(tmp_path, name, exif), moment_of(tmp_path, name)]
    assert [moment.place for moment in found] == [(10, 10), (10, 10)]
    (tmp_path / f"{name}.xmp").unlink()
    found.append(moment_of(tmp_path, name))
    assert found[2].place == moment_of(tmp_path, name, exif).place == (20, 20), "EXIF has no place"
    in_berlin = read_moment(photo(taken="2019:07:12 14:30:00", gps=BERLIN))
    assert moment_of(tmp_path, name, in_berlin).place == pytest.approx((52.52, 13.405))
    (tmp_path / f"{name}.json").unlink()
    found += [
        moment_of(tmp_path, name),
        moment_of(tmp_path, "2016/03/04/IMG_1.jpg"),
        moment_of(tmp_path, "IMG_1.jpg"),
    ]
    assert [moment.source for moment in found] == steps
    # Who knows more of the same is believed; who says otherwise is not.
    year = read_moment(photo(taken="2017:00:00 00:00:00"))
    assert str(moment_of(tmp_path, name, year).date) == "2017-05-06T07:08:09"
    other = read_moment(photo(taken="1993:00:00 00:00:00"))
    assert str(moment_of(tmp_path, name, other).date) == "1993"


def test_a_folder_is_listed_once_and_read_each_time(tmp_path: Path) -> None:
    sidecars = Sidecars()
    put(tmp_path / "a.jpg.json", takeout())
    assert [beside.source for beside in sidecars.of(str(tmp_path / "a.jpg"))] == ["takeout"]
    put(tmp_path / "b.jpg.json", takeout())
    assert not list(sidecars.of(str(tmp_path / "b.jpg"))), "within one report"
    assert moment_of(tmp_path, "b.jpg").at == TAKEN, "the next one sees it"
    put(tmp_path / "b.jpg.json", takeout(1562941801))
    assert moment_of(tmp_path, "b.jpg").at == TAKEN + timedelta(seconds=1)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg.json")
    (tmp_path / "a.jpg.xmp").mkdir()
    (tmp_path / "b.jpg.json").symlink_to(tmp_path / "nowhere")
    found: list[Moment] = []
    thread = threading.Thread(
        target=lambda: found.extend(moments_of(tmp_path, "a.jpg", "b.jpg")), daemon=True
    )
    thread.start()
    thread.join(60)
    assert [moment.source for moment in found] == ["file", "file"]
    assert moment_of(tmp_path / "no such folder", "a.jpg").source == "file"


@given(
    json=st.text(st.characters(exclude_characters="/\0", codec="utf-8"), max_size=60),
    name=st.text(max_size=60),
    content=st.binary(max_size=60),
)
def test_nothing_beside_a_photo_raises(
    json: str, name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("beside")
    for ending in (".json", ".xmp"):
        if 0 < len(os.fsencode(json)) < 240:
            put(folder / f"{json}{ending}", content)
    list(Sidecars().of(os.path.join(folder, name)))
    list(Sidecars().of(os.path.join(folder, f"{json}.jpg")))


# --- clocks that were never set


def run(camera: str, *times: str, folder: str = "") -> Iterator[tuple[str, Moment]]:
    for number, time in enumerate(times):
        taken = time.replace("-", ":")
        yield f"{folder}{camera or 'x'}{number}.jpg", read_moment(photo(taken=taken, camera=camera))


def settled(*runs: Iterator[tuple[str, Moment]]) -> list[Moment]:
    names, inside = zip(*(one for some in runs for one in some), strict=True)
    return find_moments([Photo(name, f"/nowhere/{name}") for name in names], inside, [COPIED] * len(names))


def unset(*runs: Iterator[tuple[str, Moment]]) -> str:
    """Return a letter a photo: `u` for a clock that was never set, `-` for one that was."""
    found = settled(*runs)
    assert all((moment.date is None) == (moment.source == "file") for moment in found)
    return "".join("u" if moment.unset else "-" for moment in found)


@pytest.mark.filterwarnings("ignore")
def test_a_clock_that_was_never_set_and_what_follows() -> None:
    never = ["2000-01-01 00:00:00", "2000-01-01 00:07:00", "2000-01-01 23:00:00", "2000-01-02 20:00:00"]
    assert unset(run("", *never, "2000-01-20 10:00:00", "2019-07-12 14:30:00")) == "uuuu--"
    assert (
        unset(
            run(
                "", "1970-01-01 00:03:00", "1970-01-02 09:00:00", "1970-01-03 10:00:00", "1970-01-20 10:00:00"
            )
        )
        == "uuu-"
    )
    assert unset(run("", "1980-01-01 00:00:00", "1980-01-01 00:30:00", "1980-06-01 00:30:00")) == "uu-"
    assert unset(run("EasyCam", "2007-01-01 00:01:00", "2007-01-01 00:05:00", "2009-05-01 10:00:00")) == "uu-"
    assert unset(run("EasyCam", "1980-01-01 00:01:00", *never, "2009-05-01 10:00:00")) == "uuuuu-", (
        "reset more than once"
    )


@pytest.mark.filterwarnings("ignore")
def test_a_new_years_night_is_a_date() -> None:
    night = ["1999-12-31 23:50:00", "2000-01-01 00:01:00", "2000-01-01 00:30:00"]
    assert unset(run("EasyCam", *night)) == unset(run("", *night)) == "---"
    assert unset(run("", "2000-01-01 14:00:00", "2003-01-01 00:01:00", "1980-01-01 12:00:00")) == "---"
    assert unset(run("EasyCam", "1999-05-01 10:00:00", "2000-01-01 00:01:00")) == "--", (
        "no camera starts from a later time"
    )
    # Another camera's pictures say nothing of this one's clock; without a camera it is the folder.
    assert unset(run("EasyCam", *night), run("OtherCam", *night[1:])) == "---uu"
    assert unset(run("", *night, folder="a/"), run("", *night[1:], folder="b/")) == "---uu"
    received = read_moment(photo(taken="2000:01:01 00:01:00", gps=BERLIN))
    assert unset(iter([("a.jpg", received)])) == "-", "who receives satellites has the time"


@pytest.mark.filterwarnings("ignore")
def test_an_unset_clock_gives_way_to_the_next_source(tmp_path: Path) -> None:
    for taken in ("1970:01:01 00:00:10", "1980:01:01 00:00:00", "2000:01:01 00:03:00"):
        inside = read_moment(photo(taken=taken))
        found = [
            moment_of(tmp_path, name, inside)
            for name in (
                "IMG_20190712_143000.jpg",
                "2019-07 Italy/a.jpg",
                f"{taken[:10].replace(':', '')}_000300.jpg",
                f"{taken[:4]}/a.jpg",
                "a.jpg",
            )
        ]
        assert [str(moment.date) for moment in found[:2]] == ["2019-07-12T14:30:00", "2019-07"]
        assert [moment.unset for moment in found[:2]] == [None, None]
        for moment in found[2:]:
            assert (moment.source, moment.date) == ("file", None), (
                "what only repeats that clock does not count"
            )
            assert f"{moment.unset:%Y:%m:%d %H:%M:%S}" == taken
    put(tmp_path / "a.jpg.json", takeout())
    assert moment_of(tmp_path, "a.jpg", inside).at == TAKEN
    put(tmp_path / "a.jpg.json", takeout(946_684_980))  # Google took the camera's word
    assert moment_of(tmp_path, "a.jpg", inside).unset


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "A", "B"]),
            st.datetimes(datetime(1950, 1, 1), datetime(2020, 1, 1))
            | st.integers(0, 4000).map(lambda m: datetime(2000, 1, 1) + timedelta(minutes=m)),
        ),
        max_size=12,
    ),
    st.randoms(),
)
def test_the_order_of_photos_is_no_matter(photos: list[tuple[str, datetime]], random: object) -> None:
    one = [(f"{number}.jpg", Moment(at, "exif", camera=camera)) for number, (camera, at) in enumerate(photos)]
    if not one:
        return
    first = dict(zip([name for name, _ in one], settled(iter(one)), strict=True))
    random.shuffle(one)  # type: ignore[attr-defined]
    again = dict(zip([name for name, _ in one], settled(iter(one)), strict=True))
    assert first == again
