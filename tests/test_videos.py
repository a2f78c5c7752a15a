"""Videos: which frame stands for one, how a run with --videos takes them up, and how the report shows them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import expect

from decoding.decoder import Decoder
from errors import CorruptImageError
from library.video import Video
from tests.conftest import ROOT, Product, draw
from tests.helpers.films import SIZE, black, corner, film, textured
from tests.helpers.pages import Library, Watched, browser, needs_chromium, watched
from tests.helpers.pixel_reports import report
from tests.helpers.raw_files import BLUE, RED, close, scene

__all__ = ["browser", "watched"]  # fixtures
VIDEO = "2024/IMG_0010.MOV"


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(1024, videos=True) as one:
        yield one


def mean(image: Image.Image, box: tuple[int, int, int, int]) -> object:
    return image.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


def shade(second: float) -> Image.Image:
    """A grey that tells the second."""
    return textured(Image.new("RGB", SIZE, (round(20 * second) + 70,) * 3))


def second_of(image: Image.Image) -> float:
    pixel = mean(image, (0, 0, *image.size))
    assert isinstance(pixel, tuple)
    return float(pixel[0] - 70) / 20


@pytest.mark.parametrize(
    ("turned", "size", "red"),
    [
        (None, (160, 120), (5, 5)),
        (90, (120, 160), (5, 130)),
        (180, (160, 120), (130, 90)),
        (-90, (120, 160), (95, 5)),
    ],
)
def test_turned_as_the_video_says(
    tmp_path: Path, decoder: Decoder, turned: int | None, size: tuple[int, int], red: tuple[int, int]
) -> None:
    image = decoder.load(str(film(tmp_path / "a.mp4", turned=turned)))
    assert image.size == size
    assert close(mean(image, (*red, red[0] + 20, red[1] + 20)), RED, 45)


@pytest.mark.parametrize(("ratio", "size"), [(Fraction(4, 3), (213, 120)), (Fraction(1, 2), (160, 240))])
def test_pixels_that_are_not_square(
    tmp_path: Path, decoder: Decoder, ratio: Fraction, size: tuple[int, int]
) -> None:
    assert decoder.load(str(film(tmp_path / "a.mp4", ratio=ratio))).size == size


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "mpeg4", "yuv420p"),
        ("a.mkv", "libx264", "yuv444p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mts", "mpeg2video", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.wmv", "wmv2", "yuv420p"),
        ("a.flv", "flv1", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.3gp", "mpeg4", "yuv420p"),
        ("named.heic", "", ""),
    ],
)
def test_formats(tmp_path: Path, decoder: Decoder, name: str, codec: str, pixels: str) -> None:
    """The frame at a tenth of the length; MPEG streams begin anywhere, and have no index."""
    path = tmp_path / name
    if codec:
        film(path, shade, seconds=6, codec=codec, pixels=pixels)
    else:  # by its content
        film(tmp_path / "a.mp4", shade, seconds=6).rename(path)
    image = decoder.load(str(path))
    assert image.size == SIZE
    assert 0.2 <= second_of(image) <= 1.4


def test_ten_bits_and_high_dynamic_range(tmp_path: Path, decoder: Decoder) -> None:
    """As telephones record: what is bright stays brighter than what is dark."""
    colours = {"color_primaries": 9, "color_trc": 18, "colorspace": 9}
    path = film(tmp_path / "a.mov", seconds=1, codec="libx265", pixels="yuv420p10le", colours=colours)
    image = decoder.load(str(path))
    red, blue = mean(image, (5, 5, 30, 20)), mean(image, (100, 80, 150, 110))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


def test_black_and_blurred_frames_are_passed_over(tmp_path: Path, decoder: Decoder) -> None:
    def look(second: float) -> Image.Image:
        if second < 1.5:
            return black(second)
        return shade(second) if second > 2.5 else scene(SIZE).filter(ImageFilter.GaussianBlur(20))

    assert 2.4 <= second_of(decoder.load(str(film(tmp_path / "a.mp4", look, seconds=8)))) <= 4


def test_a_long_dark_beginning(tmp_path: Path, decoder: Decoder) -> None:
    path = film(tmp_path / "a.mp4", lambda at: black(at) if at < 7 else shade(at), seconds=12)
    assert second_of(decoder.load(str(path))) >= 6.9


def test_a_video_that_is_all_dark_or_blurred_still_has_a_picture(tmp_path: Path, decoder: Decoder) -> None:
    assert decoder.load(str(film(tmp_path / "black.mp4", black))).size == SIZE
    fog = decoder.load(str(film(tmp_path / "fog.mp4", lambda _: Image.new("RGB", SIZE, BLUE))))
    assert close(mean(fog, (0, 0, *SIZE)), BLUE)


def test_a_large_one_is_made_smaller(tmp_path: Path, decoder: Decoder) -> None:
    path = film(tmp_path / "a.mp4", lambda _: textured(scene((1920, 1080))), seconds=0.2)
    assert decoder.load(str(path)).size == (1024, 576)


def test_a_title_in_an_old_encoding(tmp_path: Path, decoder: Decoder) -> None:
    path = film(tmp_path / "a.avi", title="XXXX")
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"Caf\xe9"))
    assert decoder.load(str(path)).size == SIZE


def sound(path: Path) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def broken(folder: Path) -> dict[str, Path]:
    whole = film(folder / "whole.mp4").read_bytes()
    files = {
        "cut.mp4": whole[: len(whole) // 2],
        "empty.mp4": b"",
        "zeros.mov": bytes(4000),
        "head.mp4": whole[:32],
        "text.mp4": b"this is no video",
        "list.mp4": b"#EXTM3U\n#EXTINF:9,\nwhole.mp4\n#EXT-X-ENDLIST\n",
        "concat.mkv": b"ffconcat version 1.0\nfile whole.mp4\n",
    }
    (folder / "whole.mp4").unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sound(folder / "sound.mp4")
    return {name: folder / name for name in (*files, "sound.mp4")}


def test_broken_videos_say_why(tmp_path: Path, decoder: Decoder) -> None:
    """No reason may be "video": that is what a run with --videos takes up again."""
    for name, path in broken(tmp_path).items():
        with pytest.raises(CorruptImageError) as caught:
            decoder.load(str(path))
        assert caught.value.reason not in {"", "video"}, name
        assert str(tmp_path) not in caught.value.reason, name


def test_a_cut_video_whose_beginning_is_there(tmp_path: Path, decoder: Decoder) -> None:
    """An AVI's frames lie one after the other, with the index at the end."""
    data = film(tmp_path / "a.avi", shade, seconds=6).read_bytes()
    (tmp_path / "a.avi").write_bytes(data[: len(data) // 2])
    assert second_of(decoder.load(str(tmp_path / "a.avi"))) <= 3


def test_a_picture_with_a_videos_name_is_a_picture(tmp_path: Path, decoder: Decoder) -> None:
    draw(tmp_path / "a.png").rename(tmp_path / "a.mp4")
    assert decoder.load(str(tmp_path / "a.mp4")).size == (96, 64)


def test_only_some_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", lambda at: shade(at * 5), seconds=40, codec="mjpeg", pixels="yuvj420p")
    assert path.stat().st_size > 3_000_000
    with Counting(path.open("rb", buffering=0)) as file:
        video = Video(file)
        video.still(1024)
        video.close()
        assert file.count < path.stat().st_size / 3


class Counting(io.BufferedReader):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_without_the_flag_a_video_is_not_opened(product: Product) -> None:
    film(product.photos / VIDEO)
    said = product.run()
    assert product.records()[VIDEO]["error"] == "video"
    assert ", 1 video." in said
    with Decoder(64) as decoder, pytest.raises(CorruptImageError) as caught:
        decoder.load(str(product.photos / VIDEO))
    assert caught.value.reason == "video"


def test_the_flag_takes_up_exactly_the_videos(product: Product) -> None:
    film(product.photos / VIDEO)
    broken(product.photos / "2024")
    (product.photos / "2024" / "misnamed.heic").write_bytes((product.photos / VIDEO).read_bytes())
    product.run()
    before = product.lines()
    videos = {line["rel_path"] for line in before if line.get("error") == "video"}
    assert len(videos) == 10
    product.run("--videos")
    made = product.lines()[len(before) :]
    assert {line["rel_path"] for line in made} == videos
    assert len(made) == len(videos)
    assert {line["rel_path"] for line in made if line["status"] == "success"} == {VIDEO, "2024/misnamed.heic"}
    assert all(line.get("error") != "video" for line in made)
    assert product.records()[VIDEO]["caption"] == "a mock caption for IMG_0010.MOV"
    said = product.run("--videos")
    assert product.lines() == [*before, *made], "the broken ones are not tried for ever"
    assert "Captioned 0 photos" in said
    assert "video" not in json.dumps([record.get("error") for record in product.records().values()]).split(
        '"'
    )


def test_a_rehearsal_opens_videos(product: Product) -> None:
    film(product.photos / VIDEO)
    (product.photos / "cut.mp4").write_bytes((product.photos / VIDEO).read_bytes()[:2000])
    said = product.run("--dry-run", "--videos")
    assert "2 errors" in said
    assert {line["rel_path"] for line in product.lines()} == {"2024/IMG_0009.JPG", "cut.mp4"}


@pytest.fixture
def no_av(product: Product, tmp_path: Path) -> None:
    """An environment without the extra."""
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim" / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "sys.modules['av'] = None\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'av' else find(name, *more)\n"
    )
    product.env["PYTHONPATH"] = str(tmp_path / "shim")


@pytest.mark.usefixtures("no_av")
def test_a_missing_package_is_one_sentence_before_the_run(product: Product) -> None:
    said = product.run("--videos", code=1)
    assert len(said.splitlines()) == 1
    assert "--videos needs packages that are not installed (av)" in said
    assert "--extra videos" in said
    assert not product.journal.exists()


def test_an_estimate_counts_videos_only_with_the_flag(product: Product) -> None:
    records = [
        {"rel_path": VIDEO, "caption": None, "status": "error_corrupt", "error": "video"},
        {"rel_path": "2024/IMG_0009.JPG", "caption": None, "status": "error_corrupt", "error": "cut short"},
        {"rel_path": "cover.bmp", "caption": "A cover", "status": "success", "model": "openai/gpt-6-luna"},
    ]
    product.journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    ask = ("estimate", "--backend", "openai", "--photos-dir", str(product.photos))
    without, with_them = product.call(*ask).stdout, product.call(*ask, "--videos").stdout
    assert "Photos remaining:  9 / 12" in without
    assert "Photos remaining:  10 / 12" in with_them
    assert without.split("Estimated tokens:")[1] != with_them.split("Estimated tokens:")[1]


def test_workers_on_other_machines_open_videos(tmp_path: Path) -> None:
    path = str(film(tmp_path / "a.mp4"))
    program = (
        "from engines.ray.workers import DecodingWorker as Worker\n"
        f"print([Worker(64, 1, videos=videos).load({path!r})[0].verdict for videos in (True, False)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[(64, 48), CorruptImageError(")
    assert "'video')]" in done.stdout


def page_data(product: Product) -> dict[str, object]:
    page = (product.folder / "cluster_report.html").read_text()
    data: dict[str, object] = json.loads(page.split('id="data">')[1].split("</script>")[0])
    return data


def test_the_report_shows_the_frame(product: Product) -> None:
    film(product.photos / VIDEO, corner)
    film(product.photos / "2024" / "uncaptioned.mp4")
    product.run("--videos")
    lines = [line for line in product.lines() if line["rel_path"] != "2024/uncaptioned.mp4"]
    product.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert report(product).returncode == 0
    rows = (product.folder / "cluster_export.csv").read_text().splitlines()
    names = [row.split(",")[0] for row in rows[1:]]
    placed = {row.split(",")[0] for row in rows[1:] if row.split(",")[1]}
    assert VIDEO in placed
    assert "2024/uncaptioned.mp4" not in placed
    data = page_data(product)
    assert data["moving"] == [names.index(VIDEO), names.index("2024/uncaptioned.mp4")]
    [preview] = pictures(product, "previews")
    assert preview.size == SIZE
    assert close(mean(preview, (5, 5, 30, 20)), RED, 45)


@needs_chromium
def test_the_page_marks_videos(watched: Watched, tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.add("a.jpg", "A cat")
    library.add("b.mp4", "A dog that runs", drawn=False)
    frame = library.pictures[0]
    library.pictures[-1] = replace(frame, preview=frame.thumbnail)
    library.add("c.MOV", drawn=False)
    page = watched.go(library.write(), "#only=videos")
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator(".tile .play")).to_have_count(1)
    page.locator(".tile", has=page.locator(".play")).locator("a").click()
    expect(page.locator("#facts")).to_contain_text("Video; the picture is one frame of it")
    expect(page.locator("#facts")).to_contain_text("Open the video")


def pictures(product: Product, kind: str) -> list[Image.Image]:
    files = sorted((product.folder / "cluster_report_files" / kind).rglob("*.jpg"))
    return [Image.open(BytesIO(file.read_bytes())) for file in files]


@pytest.mark.usefixtures("no_av")
def test_the_report_without_the_package(product: Product) -> None:
    """A caption that was made elsewhere: no picture, no failure."""
    film(product.photos / VIDEO)
    product.journal.write_text(
        json.dumps({"rel_path": VIDEO, "caption": "A walk", "status": "success"}) + "\n"
    )
    done = report(product)
    assert done.returncode == 0, done.stderr
    assert "1 captioned video cannot be opened, because the package av is missing" in done.stderr
    assert "A walk" in (product.folder / "cluster_export.csv").read_text()
    del product.env["PYTHONPATH"]
    assert report(product).returncode == 0
    assert SIZE in [one.size for one in pictures(product, "thumbnails")], "with the package it is shown"
    product.env["PYTHONPATH"] = str(product.folder.parent / "shim")
    assert report(product).returncode == 0
    assert SIZE in [one.size for one in pictures(product, "thumbnails")], "and stays when that is gone"
