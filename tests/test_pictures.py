"""Thumbnails and previews: made once from real files, kept through kills and damage, and gone with their photos."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from decoding.decoder import Decoder
from errors import StopRunError
from library.moments import Moment
from library.walk import Photo, walk
from report.files.thumbnails import FOLDER, Picture, disk_cost, make_pictures
from report.photos import STREAK
from tests.conftest import ROOT, draw
from tests.helpers.journals import needs_mount

pillow_heif.register_heif_opener()


class Report:
    """A folder for reports, over a library."""

    def __init__(self, photos: Path, out_dir: Path) -> None:
        self.photos = photos
        self.out_dir = out_dir
        self.cache = out_dir / ".cluster_cache"
        self.new = 0
        """How many photos the last call had to decode, or try to."""

    def make(self) -> dict[str, Picture]:
        """Make the pictures of all photos there are now."""
        library = walk(self.photos).photos
        steps: list[int] = []
        pictures = make_pictures(library, self.out_dir, self.cache, progress=steps.append)
        self.new = len(library) - steps[0]
        assert sum(steps) == len(library)
        return {photo.rel_path: picture for photo, picture in zip(library, pictures, strict=True)}

    def known(self) -> dict[str, Picture]:
        """Return what a run finds, which is stopped before it makes anything."""
        library = walk(self.photos).photos
        stop = threading.Event()
        pictures = make_pictures(library, self.out_dir, self.cache, stop=stop, progress=lambda _: stop.set())
        return {
            photo.rel_path: picture
            for photo, picture in zip(library, pictures, strict=True)
            if picture.thumbnail
        }

    def files(self, kind: str = "*") -> set[Path]:
        return {path for path in (self.out_dir / FOLDER).glob(f"{kind}/**/*") if path.is_file()}

    def open(self, link: str | None) -> Image.Image:
        assert link
        return Image.open(self.out_dir / link)


@pytest.fixture
def report(photos: Path, tmp_path: Path) -> Report:
    return Report(photos, tmp_path / "report")


def with_exif(path: Path, size: tuple[int, int] = (400, 300), orientation: int = 1) -> Path:
    """Write a photo of a day in Berlin, with a bright corner at its top left before it is turned."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2024:05:04 12:34:56"
    exif.get_ifd(IFD.GPSInfo).update(
        {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 30.0, 0.0), GPS.GPSLongitudeRef: "E", GPS.GPSLongitude: (13.0, 15.0, 0.0)}
    )  # fmt: skip
    draw(path, size=size)
    with Image.open(path) as image:
        image.save(path, exif=exif.tobytes(), comment=b"secret comment", icc_profile=b"secret profile")
    return path


def same_file(path: Path, data: bytes) -> None:
    """Put other bytes into a file that looks unchanged from outside."""
    status = path.stat()
    path.write_bytes(data)
    os.truncate(path, status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_every_file_gets_what_there_is_to_show(report: Report) -> None:
    draw(report.photos / "2024" / "large.jpg", size=(3000, 2000))
    pictures = report.make()
    assert len(pictures) == 13
    whole = pictures["2024/large.jpg"]
    assert whole.size == (256, 171)
    with report.open(whole.thumbnail) as image:
        assert image.size == whole.size
        assert image.format == "JPEG"
    assert pictures["cover.bmp"].size == (96, 64), "nothing is blown up"
    for name in ("2024/IMG_0009.JPG", "2024/IMG_0010.MOV"):
        broken = pictures[name]
        assert broken == Picture(moment=broken.moment)
    assert all(
        picture.moment.source == ("folder" if "/" in name else "file") for name, picture in pictures.items()
    )
    assert all(picture.preview is None for picture in pictures.values())
    size = sum(path.stat().st_size for path in report.files("thumbnails"))
    assert disk_cost(report.out_dir) == f"11 thumbnails ({size / 1e6:,.1f} MB)."
    for path in report.files():
        assert re.fullmatch(
            r"thumbnails/([0-9a-f]{2})/\1[0-9a-f]{18}\.jpg", str(path.relative_to(report.out_dir / FOLDER))
        )


FORMATS = [
    ("1.heic", "HEIF", True), ("2.tif", "TIFF", True), ("3.jp2", "JPEG2000", True), ("4.ppm", "PPM", True),
    ("5.jpg", "HEIF", True), ("6.heic", "JPEG", False), ("7.avif", "AVIF", False), ("8.png", "PNG", False),
    ("9.gif", "GIF", False), ("a.webp", "WEBP", False), ("b.bmp", "BMP", False), ("c.ico", "ICO", False),
    ("d.mpo", "MPO", False),
]  # fmt: skip


def test_a_preview_where_browsers_show_nothing(tmp_path: Path) -> None:
    """Content decides, not the name."""
    library = []
    with Image.open(draw(tmp_path / "drawn.png", size=(1200, 900))) as drawn:
        for name, kind, _ in FORMATS:
            drawn.save(tmp_path / name, kind)
            library.append(Photo(name, str(tmp_path / name)))
    out_dir = tmp_path / "report"
    pictures = make_pictures(library, out_dir, tmp_path / "cache")
    for picture, (name, _, needs_preview) in zip(pictures, FORMATS, strict=True):
        assert picture.size == (256, 192), name
        assert bool(picture.preview) == needs_preview, name
        for link, side in ((picture.thumbnail, 256), (picture.preview, 1024)):
            if link:
                with Image.open(out_dir / link) as image:
                    assert image.width == side
                    red, green, blue = image.getpixel((10, 10))  # type: ignore[misc]
                    assert min(red, green) > 200 > 120 > blue, name
    cost = r"13 thumbnails \(0\.\d MB\), 5 previews of formats that browsers cannot show \(0\.\d MB\)\."
    assert re.fullmatch(cost, disk_cost(out_dir))
    make_pictures([], out_dir, tmp_path / "cache")
    assert disk_cost(out_dir) == "0 thumbnails (0.0 MB)."


def test_pictures_are_upright_and_know_nothing_else(report: Report) -> None:
    for name in ("turned.jpg", "turned.heic"):
        with_exif(report.photos / name, orientation=6)  # its top left is shown at the top right
    pictures = report.make()
    for name in ("turned.jpg", "turned.heic"):
        picture = pictures[name]
        assert picture.size == (192, 256)
        assert picture.moment.at is not None
        assert picture.moment.at.isoformat() == "2024-05-04T12:34:56"
        assert picture.moment.source == "exif"
        assert picture.moment.place == pytest.approx((52.5, 13.25))
        for link in filter(None, (picture.thumbnail, picture.preview)):
            with report.open(link) as image:
                assert image.height > image.width
                assert min(image.getpixel((image.width - 5, 5))[:2]) > 200  # type: ignore[index]
                assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
                assert not image.getexif()
    for path in report.files():
        data = path.read_bytes()
        for secret in (b"Exif", b"secret", b"turned", b"http", b"\xff\xe1", b"\xff\xe2", b"\xff\xfe"):
            assert secret not in data
    assert b"turned" in (report.cache / "pictures.index").read_bytes()


def test_the_second_run_opens_nothing(report: Report) -> None:
    with_exif(report.photos / "a.jpg")
    with_exif(report.photos / "a.heic")
    first = report.make()
    assert report.new == 13, "the video is not opened"
    made = {path: path.stat().st_mtime_ns for path in report.files()}
    for path in report.photos.rglob("*"):
        if path.is_file():
            same_file(path, b"no photo any more")
    assert report.make() == first
    assert report.new == 0
    assert {path: path.stat().st_mtime_ns for path in report.files()} == made


def test_a_changed_photo_is_made_anew(report: Report) -> None:
    first = report.make()
    path = report.photos / "2023" / "IMG_0002.JPG"
    draw(path, size=(64, 96))
    (report.photos / "2023" / "IMG_0003.JPG").unlink()
    (report.photos / "2023" / "IMG_0004.JPG").rename(report.photos / "2023" / "IMG_0044.JPG")
    second = report.make()
    assert report.new == 2
    assert second["2023/IMG_0002.JPG"].size == (64, 96)
    assert second["2023/IMG_0002.JPG"].thumbnail != first["2023/IMG_0002.JPG"].thumbnail
    links = {picture.thumbnail for picture in second.values() if picture.thumbnail}
    assert report.files() == {report.out_dir / link for link in links}
    assert len(links) == 9


def test_only_our_own_files_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "report" / FOLDER / "thumbnails"
    kept = [
        folder / "README.txt",
        folder / "ab" / "holiday.jpg",
        folder / "ab" / f"cd{'0' * 18}.jpg",
        folder / f"ab{'0' * 18}.jpg",
        folder.parent / "app.js",
        tmp_path / "elsewhere" / f"ee{'0' * 18}.jpg",
    ]
    gone = [
        folder / "ab" / f"ab{'0' * 18}.jpg",
        folder / "ab" / f"ab{'1' * 18}.jpg.tmp",
        folder.parent / "previews" / "cd" / f"cd{'0' * 18}.jpg",
    ]
    for path in [*kept, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"something")
    (folder / "ee").symlink_to(tmp_path / "elsewhere")
    make_pictures([], tmp_path / "report", tmp_path / "cache")
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_broken_photos_are_not_tried_again(report: Report) -> None:
    whole = with_exif(report.photos / "cut.jpg").read_bytes()
    (report.photos / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    picture = report.make()["cut.jpg"]
    assert picture.thumbnail is None
    assert picture.moment.place == pytest.approx((52.5, 13.25)), "its EXIF came before the damage"
    same_file(report.photos / "cut.jpg", whole)
    assert report.make()["cut.jpg"] == picture
    assert report.new == 0
    (report.photos / "cut.jpg").write_bytes(whole)
    assert report.make()["cut.jpg"].size == (256, 192)


def test_what_could_not_be_read_is_tried_again(report: Report) -> None:
    library = [Photo("a.jpg", str(draw(report.photos / "a.jpg"))), Photo("gone.jpg", "/no/such/gone.jpg")]
    folder = report.photos / "looks like a.jpg"
    folder.mkdir()  # opens no better than what the user has no right to
    library.append(Photo("closed.jpg", str(folder)))
    pictures = make_pictures(library, report.out_dir, report.cache)
    assert [bool(picture.thumbnail) for picture in pictures] == [True, False, False]
    assert pictures[1] == Picture(moment=Moment())
    steps: list[int] = []
    make_pictures(library, report.out_dir, report.cache, progress=steps.append)
    assert steps[0] == 1


def test_a_lost_disk_stops_the_report(report: Report) -> None:
    there = walk(report.photos).photos[:3]
    gone = [Photo(f"lost/{number}.jpg", f"/no/such/{number}.jpg") for number in range(STREAK)]
    of_lost = report.out_dir / FOLDER / "thumbnails" / "ab" / f"ab{'0' * 18}.jpg"
    draw(of_lost)
    with pytest.raises(
        StopRunError, match=r"20 photos in a row could not be read .* run the same command again\.$"
    ):
        make_pictures([*there, *gone], report.out_dir, report.cache)
    assert of_lost.exists(), "nothing is removed"
    assert len(report.files()) == 4


def test_a_stop_keeps_what_was_made(tmp_path: Path) -> None:
    report = Report(tmp_path / "photos", tmp_path / "report")
    for number in range(60):
        draw(report.photos / f"{number:03}.png", shade=number)
    library = walk(report.photos).photos
    stop = threading.Event()
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        if done >= 20:
            stop.set()

    pictures = make_pictures(library, report.out_dir, report.cache, stop=stop, progress=progress)
    made = sum(bool(picture.thumbnail) for picture in pictures)
    assert made == 20
    assert pictures[59].moment.source == "file"
    assert report.known() == {f"{number:03}.png": pictures[number] for number in range(20)}


def test_hostile_names(report: Report) -> None:
    names = [
        b"a'b\"<script>.png",
        b"new\nline.jpg",
        "\N{SNOWMAN}.jpg".encode(),
        b"x" * 240 + b".jpg",
        b"\xff.jpg",
        b" .jpg",
    ]
    data = (report.photos / "cover.bmp").read_bytes()
    for name in names:
        with open(os.path.join(os.fsencode(report.photos), name), "wb") as file:
            file.write(data)
    first = report.make()
    made = {name: picture for name, picture in first.items() if picture.thumbnail}
    assert len({picture.thumbnail for picture in made.values()}) == 10 + len(names)
    assert report.known() == made


INDEX = "pictures.index"


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, dict[str, Picture], bytes]:
    folder = tmp_path_factory.mktemp("indexed")
    report = Report(folder / "photos", folder / "report")
    for name in ("1.jpg", "2.jpg", "3.heic"):
        with_exif(report.photos / name)
    return report, report.make(), (report.cache / INDEX).read_bytes()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_a_damaged_index_says_is_right_or_nothing(
    indexed: tuple[Report, dict[str, Picture], bytes], data: st.DataObject
) -> None:
    report, first, whole = indexed
    place = data.draw(st.integers(0, len(whole)))
    new = data.draw(st.binary(max_size=3))
    rest = data.draw(st.sampled_from([b"", whole[place + len(new) :], whole[place:]]))
    (report.cache / INDEX).write_bytes(whole[:place] + new + rest)
    assert report.known().items() <= first.items()


def test_another_format_is_not_read(indexed: tuple[Report, dict[str, Picture], bytes]) -> None:
    report, first, whole = indexed
    (report.cache / INDEX).write_bytes(whole)
    assert report.known() == first
    (report.cache / INDEX).write_bytes(whole.replace(b"pictures 3\n", b"pictures 1\n"))
    assert not report.known()


def test_files_that_are_missing_or_cut_are_made_again(report: Report) -> None:
    heic = with_exif(report.photos / "a.heic")
    first = report.make()
    cut = report.out_dir / str(first["a.heic"].preview)
    cut.write_bytes(cut.read_bytes()[:-1])
    (report.out_dir / str(first["cover.bmp"].thumbnail)).unlink()
    (report.out_dir / str(first["2024/IMG_0008.webp"].thumbnail)).write_bytes(b"")
    assert report.make() == first
    assert report.new == 3
    (report.cache / INDEX).unlink()
    assert report.make() == first
    assert report.new == 12
    (report.cache / INDEX).unlink()
    (report.cache / INDEX / "below").mkdir(parents=True)
    heic.unlink()
    assert "a.heic" not in report.make(), "an index that is a folder costs only itself"


SMALL_DISK = """
import json, logging, sys
from pathlib import Path
from errors import StopRunError
from library.walk import walk
from report.files.thumbnails import FOLDER, make_pictures
logging.basicConfig(format="%(message)s")
photos, out_dir, cache = map(Path, sys.argv[1:])
try:
    made = sum(bool(picture.thumbnail) for picture in make_pictures(walk(photos).photos, out_dir, cache))
    print(json.dumps([made, ""]))
except StopRunError as error:
    print(json.dumps([len(list((out_dir / FOLDER).rglob("*.jpg"))), str(error)]))
assert not list(out_dir.rglob("*.tmp")), "half a file is left"
"""


def on_small_disk(report: Report, folder: Path, pages: int) -> tuple[int, str, str]:
    """Make pictures with a disk of so many pages at `folder`; return how many there are, the error, the log."""
    for number in range(60):
        draw(report.photos / f"{number:02}.png", shade=number)
    folder.mkdir(parents=True)
    mount = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
    before = ("unshare", "-rm", "sh", "-c", mount, "sh", str(pages * os.sysconf("SC_PAGE_SIZE")), folder)
    done = subprocess.run(
        [*before, sys.executable, "-c", SMALL_DISK, report.photos, report.out_dir, report.cache],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    made, error = json.loads(done.stdout)
    return made, error, done.stderr


@needs_mount
def test_a_full_disk_is_one_sentence(report: Report) -> None:
    made, error, _ = on_small_disk(report, report.out_dir, 20)
    assert "cannot be written (No space left on device)" in error
    assert error.endswith("free the disk, or give another --out-dir.")
    assert 10 < made < 20


@needs_mount
def test_an_index_that_cannot_be_written_costs_only_itself(report: Report) -> None:
    made, error, log = on_small_disk(report, report.cache, 1)
    assert made == 70
    assert not error
    assert log.count("the next report makes thumbnails again") == 1


def test_a_folder_that_cannot_be_made(report: Report) -> None:
    report.out_dir.mkdir()
    (report.out_dir / FOLDER).write_text("a file")
    with pytest.raises(
        StopRunError, match=r"cannot be written \(Not a directory\).* give another --out-dir\.$"
    ):
        report.make()


KILLED = """
import sys
from pathlib import Path
from library.walk import walk
from report.files.thumbnails import make_pictures
out_dir, done = Path(sys.argv[2]), 0
def progress(count):
    global done
    done += count
    print(done, flush=True)
make_pictures(walk(Path(sys.argv[1])).photos, out_dir, out_dir / ".cluster_cache", progress=progress)
"""


@pytest.mark.slow
def test_kill_9_loses_what_was_in_hand(tmp_path: Path) -> None:
    """Killed again and again at another step: every run goes on where the last was, and no half file is taken for a whole one."""
    report = Report(tmp_path / "photos", tmp_path / "report")
    total = 300
    file = draw(tmp_path / "one.tif", size=(300, 200)).read_bytes()
    report.photos.mkdir()
    for number in range(total):
        (report.photos / f"{number:04}.tif").write_bytes(file)
    done = 0
    for step in (1, 60):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, report.photos, report.out_dir], cwd=ROOT, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout
            found = int(process.stdout.readline())
            assert found >= done, "what was said to be done is found"
            done = found
            while done < found + step:
                done = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            done = max(done, *map(int, process.stdout.read().split()), 0)
        assert process.returncode == -signal.SIGKILL
    pictures = report.make()
    assert total > total - report.new >= done > 60
    for picture in pictures.values():
        for link, side in ((picture.thumbnail, 256), (picture.preview, 300)):
            with report.open(link) as image:
                image.load()
                assert max(image.size) == side
    assert len(report.files()) == 2 * total, "nothing half written is left"


def test_a_look_tells_the_moment_and_the_same_picture(tmp_path: Path) -> None:
    path = with_exif(tmp_path / "a.jpg", size=(3000, 2000))
    (tmp_path / "cut.jpg").write_bytes(path.read_bytes()[:20000])
    with Decoder(512) as decoder:
        picture, moment = decoder.look(str(path), 256)
        assert isinstance(picture, Image.Image)
        assert picture.size == (256, 171)
        assert moment
        assert moment.place == pytest.approx((52.5, 13.25))
        whole, _ = decoder.look(str(path), 4000)
        assert isinstance(whole, Image.Image)
        assert whole.size == (512, 341), "no larger than the decoder's own"
        assert decoder.load(str(path)).tobytes() == whole.tobytes()
        error, of_broken = decoder.look(str(tmp_path / "cut.jpg"), 256)
        assert isinstance(error, Exception)
        assert of_broken == moment
        error, nothing = decoder.look(str(tmp_path / "none.jpg"), 256)
        assert isinstance(error, Exception)
        assert nothing is None
