"""Whole runs with cloud backends: the product as a process, a provider on loopback."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from tests.conftest import Product, draw, wait_for
from tests.helpers.provider import DIALECTS, KEY, KEYS, Provider, Reply
from tests.helpers.tiny_model import build_tiny_vlm, serve

MARK = "GEHEIM-4711"
"""Stands in every field of metadata, in folder and file names; none of it may leave the machine."""


@pytest.fixture(params=DIALECTS)
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with Provider(request.param).serve() as running:
        yield running


@pytest.fixture
def openai() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        yield running


def words(product: Product, provider: Provider, *more: str) -> list[str]:
    product.env[KEYS[provider.dialect]] = KEY
    return [
        "run",
        *("--backend", provider.dialect, "--base-url", provider.base_url),
        *("--photos-dir", str(product.photos)),
        *more,
    ]


def run(product: Product, provider: Provider, *more: str, code: int = 0) -> str:
    return product.call(*words(product, provider, *more), code=code).stderr


def test_phase_5_of_the_plan(product: Product, openai: Provider) -> None:
    """Flags without a command, the key in config.env, five captions appended to what is there."""
    product.journal.write_text(
        '{"rel_path": "2023/IMG_0000.JPG", "caption": "a real one", "status": "success"}\n'
    )
    (product.folder / "config.env").write_text(f"OPENAI_API_KEY={KEY}\n")
    flags = ["--backend", "openai", "--model", "gpt-4o-mini", "--limit", "5"]
    product.call(*flags, "--photos-dir", str(product.photos), "--base-url", openai.base_url)
    new = product.lines()[1:]
    assert len(new) == 5
    assert [line["caption"] for line in new if line["status"] == "success"] == ["A brown dog on a lawn."] * 5
    assert {line["model"] for line in new} == {"openai/gpt-4o-mini"}
    assert len(openai.requests) == 5
    assert openai.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_end_line_and_the_first_line(product: Product, provider: Provider) -> None:
    said = run(product, provider, "--limit", "3")
    assert f"pixels of your photos go to {provider.url.removeprefix('http://')}" in said
    assert "docs/api_providers.md" in said
    money = "by the server's own bill" if provider.dialect == "xai" else "at the list prices of genai-prices"
    assert re.search(
        rf"Used 3,000 input and 60 output tokens: \$[\d.]+ {money}",
        said,
    )
    again = run(product, provider, "--limit", "3")
    assert "pixels of your photos" not in again, "said once a journal"


@pytest.mark.parametrize("backend", DIALECTS)
def test_a_missing_key_fails_before_the_first_photo(product: Product, backend: str) -> None:
    done = product.call("run", "--backend", backend, "--photos-dir", str(product.photos), code=1)
    assert f"add the line {KEYS[backend]}=..." in done.stderr
    assert not product.journal.exists()


def test_stray_variables_of_the_sdks_change_nothing(product: Product, provider: Provider) -> None:
    with Provider(provider.dialect).serve() as stranger:
        for name in (
            "OPENAI_BASE_URL",
            "ANTHROPIC_BASE_URL",
            "GOOGLE_GEMINI_BASE_URL",
            "GOOGLE_VERTEX_BASE_URL",
        ):
            product.env[name] = stranger.base_url
        product.env |= {
            "GOOGLE_API_KEY": "other-key-1",
            "ANTHROPIC_AUTH_TOKEN": "other-key-2",
            "OPENAI_ADMIN_KEY": "other-key-3",
            "OPENAI_ORG_ID": "other-org",
            "OPENAI_CUSTOM_HEADERS": "X-Stray: other-header",
            "ANTHROPIC_CUSTOM_HEADERS": "X-Stray: other-header",
            "GOOGLE_GENAI_USE_VERTEXAI": "true",
            "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
            "OPENAI_LOG": "debug",
            "ANTHROPIC_LOG": "debug",
        }
        said = run(product, provider, "--limit", "2")
        assert not stranger.requests
    assert len(provider.requests) == 2
    assert all("other-" not in request.text for request in provider.requests)
    assert KEY not in said


def marked_photos(folder: Path) -> int:
    """Write a photo of each format with metadata wherever the format has room for it; return how many."""
    folder.mkdir(parents=True)
    image = Image.effect_noise((640, 480), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = exif[0x8298] = exif[0x9C9B] = MARK  # description, artist, copyright, title
    exif.get_ifd(0x8769)[0x9286] = f"ASCII\0\0\0{MARK}".encode()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (48.0, 12.0, 30.25), "E", (16.0, 22.0, 18.5)
    gps[29] = MARK
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:title>{MARK}</dc:title></x:xmpmeta>'.encode()
    thumbnail = io.BytesIO()
    Image.new("RGB", (160, 120), (255, 0, 0)).save(thumbnail, "JPEG", comment=MARK.encode())
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", MARK)
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    image.save(folder / f"{MARK}.jpg", exif=exif, xmp=xmp, comment=MARK.encode(), quality=90)
    with (folder / f"{MARK}.jpg").open("ab") as file:
        file.write(thumbnail.getvalue() + MARK.encode())  # as phones append previews and videos
    iptc = b"Photoshop 3.0\0" + MARK.encode()
    whole = (folder / f"{MARK}.jpg").read_bytes()
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    (folder / f"{MARK}-iptc.jpg").write_bytes(whole[:2] + segment + whole[2:])
    image.save(folder / f"{MARK}.png", exif=exif, pnginfo=text)
    image.save(folder / f"{MARK}.webp", exif=exif, xmp=xmp)
    image.save(folder / f"{MARK}.tiff", exif=exif)
    image.save(folder / f"{MARK}.avif", exif=exif, xmp=xmp)
    image.save(folder / f"{MARK}.gif", comment=MARK.encode())
    pillow_heif.from_pillow(image).save(folder / f"{MARK}.heic", exif=exif.tobytes(), xmp=xmp)
    return 8


def segments(jpeg: bytes) -> list[int]:
    """Return the markers of a JPEG up to its first scan, and check that nothing follows its end."""
    found, at = [], 2
    while True:
        marker, length = struct.unpack(">HH", jpeg[at : at + 4])
        found.append(marker)
        if marker == 0xFFDA:
            break
        at += 2 + length
    assert jpeg.endswith(b"\xff\xd9")
    assert jpeg.count(b"\xff\xd8\xff") == 1, "one picture"
    return found


def assert_bare(provider: Provider) -> None:
    for request in provider.requests:
        jpeg = request.jpeg()
        assert MARK not in request.text
        assert MARK.encode() not in jpeg
        # JFIF, tables, frame, scan: no EXIF, XMP or ICC (E1, E2), no IPTC (ED), no comment (FE).
        assert set(segments(jpeg)) <= {0xFFE0, 0xFFDB, 0xFFC0, 0xFFC4, 0xFFDA}
        with Image.open(io.BytesIO(jpeg)) as picture:
            assert not picture.getexif()
            assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_only_bare_pixels_are_sent(product: Product, provider: Provider) -> None:
    count = marked_photos(product.photos / MARK / "family")
    product.photos = product.photos / MARK
    run(product, provider)
    assert len(provider.requests) == count
    assert_bare(provider)


@pytest.mark.slow
def test_only_bare_pixels_are_sent_of_real_files(product: Product, openai: Provider, corpora: Path) -> None:
    product.photos = corpora / "formats"
    run(product, openai, "--max-workers", "16")
    assert len(openai.requests) > 100
    assert_bare(openai)
    names = {path.name for path in product.photos.rglob("*") if len(path.stem) > 7}
    assert not [name for name in names for request in openai.requests if name in request.text]


def test_the_key_is_nowhere_but_in_its_header(product: Product, provider: Provider) -> None:
    """Not even when the server repeats it in its error messages."""
    provider.script = lambda number, _: (
        provider.error(400, message=f"bad {KEY} or sk-secr...cdef {KEY[:12]}**") if number % 3 == 0 else None
    )
    said = run(product, provider)
    written = "".join(path.read_text() for path in product.folder.iterdir() if path.is_file())
    assert '"error_api"' in written
    for place in (said, written):
        assert KEY not in place
        assert KEY[:12] not in place
        assert "cdef" not in place


def test_a_spent_account_leaves_photos_undone_and_the_run_goes_on_later(
    product: Product, openai: Provider
) -> None:
    openai.script = lambda number, _: openai.error(429, "insufficient_quota") if number >= 4 else None
    said = run(product, openai, "--max-workers", "1", code=1)
    assert "no credit or quota left" in said
    assert len(openai.requests) == 5
    assert sum(line["status"] == "success" for line in product.lines()) == 4
    openai.script = lambda number, _: None
    run(product, openai)
    assert len(openai.requests) == 5 + 6
    assert sum(line["status"] == "success" for line in product.lines()) == 10


def test_ctrl_c_ends_a_long_wait_at_once(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: openai.error(429, Retry_After="200")
    process = product.popen(*words(product, openai))
    wait_for(lambda: len(openai.requests) >= 1)
    process.send_signal(signal.SIGINT)
    code, said = product.finish(process, seconds=6)
    assert code == 130
    assert "everything written is safe" in said
    assert not [line for line in product.lines() if line["status"] == "error_api"]


def test_hundreds_of_workers(product: Product, openai: Provider) -> None:
    for number in range(600):
        draw(product.photos / "many" / f"{number:03}.png", size=(16, 16))
    product.photos = product.photos / "many"
    slow = openai.good()
    slow.delay = 0.5
    openai.script = lambda number, _: slow
    run(product, openai, "--max-workers", "300")
    assert len(openai.requests) == 600
    assert 50 < openai.most_at_once <= 300
    assert len(product.records()) == 600


def test_a_budget_stops_the_run_cleanly_and_the_same_command_goes_on(
    product: Product, openai: Provider
) -> None:
    """1,000 input and 20 output tokens of gpt-4o-mini are $0.000162; the dearest answer that can be is $0.00061."""
    flags = ("--model", "gpt-4o-mini", "--budget", "0.001", "--max-workers", "4")
    said = run(product, openai, *flags, code=1)
    assert "The budget of $0.001 has no room for another photo" in said
    assert len(openai.requests) == 3
    assert "Used 3,000 input and 60 output tokens: $0.0005 at the list prices of genai-prices" in said
    run(product, openai, *flags, code=1)
    assert len(openai.requests) == 6
    assert sum(line["status"] == "success" for line in product.lines()) == 6


def test_a_budget_is_refused_where_no_price_is_known(product: Product, openai: Provider) -> None:
    said = run(product, openai, "--model", "gpt-4o-minni", "--budget", "5", code=1)
    assert "knows no price of openai's gpt-4o-minni" in said
    assert "gpt-4o-mini" in said
    assert not openai.requests
    done = product.call(
        "run", "--backend", "mock", "--budget", "5", "--photos-dir", str(product.photos), code=64
    )
    assert "leave it out" in done.stderr


def test_after_a_forced_run_the_way_on_is_shown_without_force(product: Product, openai: Provider) -> None:
    said = run(product, openai, "--model", "gpt-4o-mini", "--force", "--budget", "0.001", code=1)
    way = said[said.index("Without --force:") :].partition("\n")[0].partition(": ")[2]
    assert "--budget 0.001" in way
    assert "--force" not in way


def test_paid_answers_are_kept_when_another_call_stops_the_run(product: Product, openai: Provider) -> None:
    slow = openai.good()
    slow.delay = 7  # longer than the grace that a Ctrl-C gives
    openai.script = lambda number, _: openai.error(401) if number == 7 else slow
    said = run(product, openai, "--max-workers", "8", code=1)
    assert "refuses the key" in said
    assert sum(line["status"] == "success" for line in product.lines()) == 7


def test_a_password_in_the_address_is_refused(product: Product) -> None:
    flags = [
        "--backend",
        "openai",
        "--base-url",
        "http://me:geheim@127.0.0.1:1/v1",
        "--photos-dir",
        str(product.photos),
    ]
    done = product.call("run", *flags, code=64)
    assert "without a password" in done.stderr
    assert "geheim" not in done.stderr


def test_a_long_wait_is_said(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: openai.error(429, Retry_After="11") if number == 0 else None
    said = run(product, openai, "--limit", "3", "--max-workers", "1")
    assert "The server takes no more requests for now; all workers wait 11 s." in said


def test_the_same_caption_everywhere_is_warned_about(product: Product, openai: Provider) -> None:
    for number in range(30):
        draw(product.photos / f"{number}.png", size=(16, 16))
    said = run(product, openai)
    assert said.count("answers are all alike") == 1
    assert len([line for line in product.lines() if line["status"] == "success"]) == 40


def test_different_captions_are_not(product: Product, openai: Provider) -> None:
    for number in range(30):
        draw(product.photos / f"{number}.png", size=(16, 16))
    openai.script = lambda number, _: openai.good(f"Photo of a thing called {number} with {number * 7} more.")
    assert "all alike" not in run(product, openai)


def test_unusable_answers_are_no_streak(product: Product, openai: Provider) -> None:
    for number in range(25):
        draw(product.photos / f"{number}.png", size=(16, 16))
    openai.script = lambda number, _: openai.good("", finish="content_filter")
    said = run(product, openai)
    assert sum(line["error"] == "content filter" for line in product.lines() if "error" in line) == 35
    assert "all alike" in said


def test_a_streak_of_plain_400s_is_the_accounts_trouble(product: Product, provider: Provider) -> None:
    """As Anthropic says that the credit is spent."""
    for number in range(25):
        draw(product.photos / f"{number}.png", size=(16, 16))
    provider.script = lambda number, _: provider.error(
        400, "invalid_request_error", "Your credit balance is too low"
    )
    said = run(product, provider, code=1)
    assert "20 photos in a row failed" in said
    assert not [line for line in product.lines() if line["status"] == "error_api"]


@pytest.mark.slow
def test_a_lost_server_is_found_again_by_the_same_command(product: Product) -> None:
    with Provider("openai").serve() as provider:
        provider.script = lambda number, _: Reply(cut=True, body="x" * 100) if number == 2 else None
        run(product, provider, "--limit", "4")
    said = run(product, provider, code=1)  # it has gone
    assert "Nothing answers at" in said
    assert sum(line["status"] == "success" for line in product.lines()) <= 4
    assert not [line for line in product.lines() if line["status"] == "error_api"]


@pytest.mark.slow
def test_transformers_serve(product: Product, tmp_path: Path) -> None:
    """A third party's server with a real vision-language model of random weights."""
    model = build_tiny_vlm(tmp_path / "tiny")
    with serve(model) as url:
        flags = ["--backend", "openai", "--base-url", url, "--photos-dir", str(product.photos)]
        said = product.call("run", *flags, "--model", str(model), timeout=300).stderr
        done = [line for line in product.lines() if line["status"] == "success"]
        assert len(done) == 10
        assert all(len(line["caption"].split()) > 3 for line in done)
        assert re.search(r"Used [\d,]+ input and [\d,]+ output tokens; their price is not known here", said)
        product.journal.unlink()
        flags += ["--model", "no-such-model"]
        assert "HTTP 400: Server is pinned to" in product.call("run", *flags).stderr


def test_the_journal_of_a_cloud_run_reads_like_any_other(product: Product, openai: Provider) -> None:
    run(product, openai)
    stats = product.call("stats").stdout
    assert re.search(r"success\s+10", stats)
    assert "openai/gpt-6-luna" in stats
    lines = [json.loads(line) for line in product.journal.read_text().splitlines()]
    assert all("model" not in line for line in lines if line["status"] == "error_corrupt")
    assert os.listdir(product.folder)
