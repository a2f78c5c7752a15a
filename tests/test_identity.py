"""A file's content: the same from its bytes and from parts of it, and another after any change that counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from decoding.decoder import Decoder
from errors import CorruptImageError, UnavailableImageError
from library.identity import END, content_of, content_of_bytes, is_content, size_in
from tests.conftest import draw

JPEG = b"\xff\xd8\xff\xe0"
TIFF = b"II*\0"
SIZES = st.sampled_from([0, 1, 4, 500, END - 1, END, END + 1, 2 * END, 2 * END + 1, 400_000, 1_000_003])
HEADS = st.sampled_from(
    [JPEG, b"\x89PNG\r\n\x1a\n", b"\0\0\0\x1cftypheic", b"RIFF\0\0\0\0WEBP", TIFF, b"BM", b""]
)


def filled(head: bytes, size: int, seed: int) -> bytes:
    """Return `size` bytes that begin with `head` and repeat nothing."""
    block = b"".join((seed + number).to_bytes(8) for number in range(size // 8 + 1))
    return (head + block)[:size]


@settings(max_examples=150)
@given(HEADS, SIZES, st.integers(0, 1 << 40))
def test_parts_and_the_whole_agree(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, size: int, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "parts"
    data = filled(head, size, seed)
    path.write_bytes(data)
    content = content_of(str(path), data[:512])
    assert content == content_of_bytes(data)
    assert is_content(content)
    assert size_in(str(content)) == size
    assert content_of(str(path), b"something else") is None


@settings(max_examples=150)
@given(HEADS, st.integers(1, 500_000), st.data())
def test_a_change_of_size_beginning_or_end_is_another_content(
    head: bytes, size: int, data: st.DataObject
) -> None:
    whole = bytearray(filled(head, size, 7))
    content = content_of_bytes(bytes(whole))
    assert content_of_bytes(bytes(whole) + b"\0") != content
    assert content_of_bytes(bytes(whole[:-1])) != content
    from_end = data.draw(st.integers(1, min(size, END)))
    place = data.draw(st.sampled_from([from_end - 1, size - from_end]))
    whole[place] ^= data.draw(st.integers(1, 255))
    assert content_of_bytes(bytes(whole)) != content


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_small_files_have_the_same_content_only_if_they_are_the_same(one: bytes, other: bytes) -> None:
    assert (content_of_bytes(one) == content_of_bytes(other)) == (one == other)


def test_b2sum_says_the_same(tmp_path: Path) -> None:
    """The command that docs/journal-format.md gives."""
    if not shutil.which("b2sum"):
        pytest.skip("b2sum is not installed here: coreutils has it")
    path = tmp_path / "a.jpg"
    path.write_bytes(filled(JPEG, 300_000, 1))
    command = f"(head -c 65536 {path}; tail -c 65536 {path}) | b2sum -l 64"
    said = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout
    assert content_of(str(path)) == f"300000-{said.split()[0]}"


@pytest.mark.parametrize("name", ["scan.tif", "scan.bmp", "scan.ppm"])
def test_pages_with_white_margins_are_told_apart(tmp_path: Path, name: str) -> None:
    """Without compression they have the same size, beginning and end."""
    found = set()
    for number in range(20):
        page = Image.new("L" if name.endswith("ppm") else "RGB", (800, 1100), "white")
        page.paste(number * 5, (100, 300 + number * 20, 700, 400 + number * 20))
        page.save(tmp_path / name)
        found.add((os.stat(tmp_path / name).st_size, content_of(str(tmp_path / name))))
    assert len({size for size, _ in found}) == 1
    assert len(found) == 20


def test_what_is_no_content() -> None:
    for text in (
        None,
        7,
        "",
        "12",
        "12-",
        "12-0011",
        "-0011223344556677",
        "x-0011223344556677",
        "1 2-0011223344556677",
    ):
        assert not is_content(text), text
    assert not is_content("१२-0011223344556677")
    assert not is_content("9" * 400 + "-0011223344556677")


def test_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert content_of(str(tmp_path / "none.jpg")) is None
    assert content_of(str(tmp_path)) is None


def test_a_file_that_changes_meanwhile_has_none_or_a_true_one(tmp_path: Path) -> None:
    """Whatever moment is met, a content belongs to a state that the file was in."""
    path = tmp_path / "growing.jpg"
    states = [filled(JPEG, 150_000 + 1_000 * number, number) for number in range(40)]
    path.write_bytes(states[0])
    found = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            found.add(content_of(str(path)))

    thread = threading.Thread(target=look)
    thread.start()
    for state in states:
        new = path.with_suffix(".new")
        new.write_bytes(state)
        new.replace(path)
    ended.set()
    thread.join()
    assert found - {None} <= {content_of_bytes(state) for state in states}


def test_the_decoding_child_tells_the_content(tmp_path: Path) -> None:
    """Of pictures, of broken ones, and of videos and raw files, of which it reads only the beginning."""
    picture = draw(tmp_path / "a.jpg", size=(3000, 2000))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(picture.read_bytes()[:9000])
    video = tmp_path / "video.jpg"
    video.write_bytes(filled(b"\0\0\0\x14ftypqt  ", 900_000, 3))
    raw = tmp_path / "photo.raw"
    raw.write_bytes(filled(b"FUJIFILMCCD-RAW ", 900_000, 3))
    with Decoder(64) as decoder:
        decoder.load(str(picture))
        assert decoder.content == content_of_bytes(picture.read_bytes())
        for path in (broken, video, raw):
            with pytest.raises(CorruptImageError):
                decoder.load(str(path))
            assert decoder.content == content_of_bytes(path.read_bytes()), path
        with pytest.raises(UnavailableImageError):
            decoder.load(str(tmp_path / "none.jpg"))
        assert decoder.content is None
