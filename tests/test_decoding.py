"""Decoding children: photos that abort, hang or flood their decoder, injected into real decoders and real runs."""

from __future__ import annotations

import os
import signal
import textwrap
import threading
import time
from pathlib import Path

import pytest

from backends.base import CorruptImageError, UnavailableImageError
from decoding.decoder import Decoder
from image_loader import load_image
from tests.conftest import Product, draw, wait_for

# Python imports this by itself at every start, in the decoding children too: the files that begin with these words
# harm the decoder that reads them, as a bug in a C library would.
SABOTEUR = textwrap.dedent(
    """
    import os, sys, time
    if "decoding.child" in sys.orig_argv:
        import io
        from PIL import Image
        real = Image.open
        def harmful(file, *arguments, **options):
            word = file.read(8)
            file.seek(0)
            if word == b"ABORT---":
                os.abort()
            if word == b"HANG----":
                time.sleep(1000)
            if word == b"SPIN----":
                while True:
                    pass
            if word == b"EXIT----":
                os._exit(3)
            if word == b"HOARD---":
                hoard = []
                while True:
                    hoard.append(bytearray(1 << 30))
            return real(file, *arguments, **options)
        Image.open = harmful
    """
)


@pytest.fixture
def saboteur(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "saboteur"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SABOTEUR)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def file_of(path: Path, word: bytes) -> str:
    path.write_bytes(word + os.urandom(100))
    return str(path)


def test_same_pixels_as_in_process(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.jpg", size=(3000, 2000))
    with Decoder(1024) as decoder:
        child = decoder.load(str(path))
    own = load_image(path)
    assert child.tobytes() == own.tobytes()
    assert vars(child)["filename"] == vars(own)["filename"] == "a.jpg"
    assert child.info == {}


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    with Decoder(64) as decoder:
        assert decoder.load("a.png").size == (64, 43)


@pytest.mark.parametrize(
    ("word", "reason"),
    [(b"ABORT---", "crashes the decoder (SIGABRT)"), (b"EXIT----", "crashes the decoder (exit code 3)"),
     (b"HANG----", "more than 1 s"), (b"SPIN----", "more than 1 s")],
)  # fmt: skip
def test_a_harmful_photo_is_corrupt_and_the_next_decodes(
    saboteur: Path, tmp_path: Path, word: bytes, reason: str
) -> None:
    good = str(draw(tmp_path / "good.png"))
    with Decoder(128, time_limit=1) as decoder:
        for _ in range(2):
            with pytest.raises(CorruptImageError) as caught:
                decoder.load(file_of(tmp_path / "bad.jpg", word))
            assert reason in caught.value.reason
            assert not isinstance(caught.value, UnavailableImageError)
            assert decoder.load(good).size == (96, 64)


def test_a_hoarder_meets_the_memory_limit(saboteur: Path, tmp_path: Path) -> None:
    with Decoder(128) as decoder:
        with pytest.raises(CorruptImageError):
            decoder.load(file_of(tmp_path / "bad.jpg", b"HOARD---"))
        assert decoder.load(str(draw(tmp_path / "good.png"))).size == (96, 64)


def test_a_decoder_killed_from_outside_costs_no_photo(tmp_path: Path) -> None:
    """An earlier photo's damage, or the kernel short of memory: the photo in hand is tried again."""
    path = str(draw(tmp_path / "a.png"))
    with Decoder(128) as decoder:
        decoder.load(path)
        child = decoder._child
        assert child
        os.kill(child.pid, signal.SIGKILL)
        assert decoder.load(path).size == (96, 64)


def test_a_disk_that_hangs_is_not_the_photos_fault(tmp_path: Path) -> None:
    """Reading from a FIFO that nobody writes to, as from a network disk that does not answer."""
    os.mkfifo(tmp_path / "slow.jpg")
    with (
        Decoder(128, time_limit=1) as decoder,
        pytest.raises(UnavailableImageError, match="the disk does not answer"),
    ):
        decoder.load(str(tmp_path / "slow.jpg"))


def test_stop_ends_a_load_in_another_thread(saboteur: Path, tmp_path: Path) -> None:
    bad = file_of(tmp_path / "bad.jpg", b"HANG----")
    errors: list[Exception] = []
    with Decoder(128) as decoder:

        def load() -> None:
            try:
                decoder.load(bad)
            except CorruptImageError as error:
                errors.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(1)
        decoder.stop()
        thread.join(timeout=5)
        assert not thread.is_alive()
    assert isinstance(errors[0], UnavailableImageError)


def test_large_pictures_take_turns(tmp_path: Path) -> None:
    """Two that need much memory, at the same time in two decoders: both come out."""
    paths = [draw(tmp_path / f"{n}.png", size=(9000, 8000)) for n in range(2)]
    results: list[object] = []

    def load(path: Path) -> None:
        with Decoder(64) as decoder:
            results.append(decoder.load(str(path)).size)

    threads = [threading.Thread(target=load, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert results == [(64, 57)] * 2


@pytest.mark.slow
def test_runs_survive_aborting_and_hanging_decoders(saboteur: Path, product: Product, tmp_path: Path) -> None:
    """In real runs: such photos are error_corrupt, all others are captioned, and nothing meets them again.

    A second run, over one more that hangs, is killed: its child must not spin for ever. Both need the full limit
    of a minute, so they go side by side.
    """
    product.env["PYTHONPATH"] = str(saboteur)
    file_of(product.photos / "2023" / "abort.jpg", b"ABORT---")
    file_of(product.photos / "2023" / "hang.jpg", b"HANG----")
    start = time.monotonic()
    process = product.start()

    other = Product(tmp_path / "other", tmp_path / "spinning")
    other.folder.mkdir()
    other.env["PYTHONPATH"] = str(saboteur)
    for number in range(20):
        draw(other.photos / f"{number:02}.png")
    file_of(other.photos / "00.png", b"SPIN----")
    doomed = other.start()
    wait_for(lambda: other.line_count() == 19)
    children = _children(doomed.pid)
    doomed.kill()
    doomed.communicate()
    wait_for(lambda: sum(map(_alive, children)) <= 1, 5)

    code, said = product.finish(process, 150)
    assert code == 0
    records = product.records()
    assert records["2023/abort.jpg"]["status"] == records["2023/hang.jpg"]["status"] == "error_corrupt"
    assert "SIGABRT" in records["2023/abort.jpg"]["error"]
    assert "more than 60 s" in records["2023/hang.jpg"]["error"]
    assert len(records) == product.line_count() == 14
    assert "Captioned 10 photos" in said
    assert time.monotonic() - start > 59
    assert "Captioned 0 photos" in product.run()
    wait_for(lambda: not any(map(_alive, children)), 105 - (time.monotonic() - start))


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    more = [p.read_text() for p in Path(f"/proc/{parent}/task").glob("*/children")]
    return sorted({int(word) for words in [text, *more] for word in words.split()})


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
