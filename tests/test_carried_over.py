"""Captions that are carried over to moved and copied photos: what is asked is counted at a server on loopback."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from engines.known import Known
from library.identity import content_of
from library.walk import Photo
from tests.conftest import Product, draw, wait_for
from tests.helpers.provider import KEYS, Provider, Request

if TYPE_CHECKING:
    from journal import Entry

KEY = "sk-secret-0123456789abcdef"
FREE = "carried over from moved or copied photos"


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A server that gives every request a caption of its own."""
    with Provider("openai").serve() as running:
        running.script = lambda number, _: running.good(f"A dog runs over lawn number {number}.")
        yield running


@pytest.fixture
def library(product: Product, tmp_path: Path) -> Product:
    """Three photos in two folders."""
    product.photos = tmp_path / "library"
    for name in ("2023/a.jpg", "2023/b.png", "2024/c.webp"):
        draw(product.photos / name)
    return product


def ask(product: Product, provider: Provider, *more: str, code: int = 0) -> str:
    product.env[KEYS["openai"]] = KEY
    flags = ["--backend", "openai", "--base-url", provider.base_url, "--photos-dir", str(product.photos)]
    return product.call("run", *flags, *more, code=code).stderr


def copy(product: Product, source: str, *targets: str) -> None:
    for target in targets:
        (product.photos / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(product.photos / source, product.photos / target)


def test_moved_copied_and_moved_again(library: Product, provider: Provider) -> None:
    ask(library, provider)
    before = library.records()
    assert len(provider.requests) == 3
    assert all(record["content"] == content_of(f"{library.photos}/{name}") for name, record in before.items())
    (library.photos / "2023").rename(library.photos / "Summer")
    copy(library, "2024/c.webp", "0.webp", "Summer/c.webp")
    said = ask(library, provider)
    assert f"4 captions {FREE}." in said
    assert "Captioned 0 photos; 0 errors." in said
    assert "4/4" not in said
    now = library.records()
    for name, source in {
        "Summer/a.jpg": "2023/a.jpg",
        "0.webp": "2024/c.webp",
        "Summer/c.webp": "2024/c.webp",
    }.items():
        old, new = before[source], now[name]
        assert new["copy_of"] == source
        assert {key: new[key] for key in ("caption", "status", "model", "prompt", "content")} == {
            key: old[key] for key in ("caption", "status", "model", "prompt", "content")
        }
    # A copy of a copy names the photo about which the model was asked.
    (library.photos / "Summer").rename(library.photos / "Winter")
    assert f"3 captions {FREE}." in ask(library, provider)
    assert library.records()["Winter/a.jpg"]["copy_of"] == "2023/a.jpg"
    assert library.records()["Winter/c.webp"]["copy_of"] == "2024/c.webp"
    whole = library.journal.read_bytes()
    del library.env[KEYS["openai"]]  # where nothing is asked, no key is needed
    assert FREE not in library.call("run", "--backend", "openai", "--photos-dir", str(library.photos)).stderr
    assert library.journal.read_bytes() == whole
    assert len(provider.requests) == 3


def test_copies_to_do_are_asked_about_once(library: Product, provider: Provider) -> None:
    copy(library, "2023/a.jpg", "2023/z.jpg", "x.jpg", "y.jpg")
    slow = provider.good()
    slow.delay = 0.3
    provider.script = lambda number, _: slow
    said = ask(library, provider)
    assert len(provider.requests) == 3
    assert f"3 captions {FREE}." in said
    assert "Captioned 3 photos" in said
    lines = library.lines()
    assert len(lines) == 6
    (asked,) = [line for line in lines if line["rel_path"].endswith(".jpg") and "copy_of" not in line]
    copies = [place for place, line in enumerate(lines) if line.get("copy_of") == asked["rel_path"]]
    assert len(copies) == 3
    assert min(copies) > lines.index(asked)
    # With --force nothing is taken from the old journal, and copies still ask once.
    assert f"3 captions {FREE}." in ask(library, provider, "--force")
    assert len(provider.requests) == 6


def test_if_the_first_fails_a_copy_is_asked_about(library: Product, provider: Provider) -> None:
    for name in ("2023/b.png", "2024/c.webp"):
        (library.photos / name).unlink()
    copy(library, "2023/a.jpg", *(f"copies/{number}.jpg" for number in range(4)))
    provider.script = lambda number, _: provider.error(400) if number < 2 else provider.good()
    said = ask(library, provider)
    # Two failures; then each of the three that are left goes for itself.
    assert len(provider.requests) == 5
    assert FREE not in said
    assert (
        sorted(record["status"] for record in library.records().values())
        == ["error_api"] * 2 + ["success"] * 3
    )
    # What failed gets the caption of a copy, and no request.
    said = ask(library, provider, "--retry-status", "error_api")
    assert f"2 captions {FREE}." in said
    assert len(provider.requests) == 5
    assert {record["status"] for record in library.records().values()} == {"success"}


def test_a_photo_that_is_damaged_in_its_middle(library: Product, provider: Provider) -> None:
    """Its content is that of the whole copy, which has its turn when this one turns out to be broken."""
    noise = Image.effect_noise((700, 500), 90)
    noise.save(library.photos / "2023" / "whole.png")
    whole = (library.photos / "2023" / "whole.png").read_bytes()
    middle = len(whole) // 2
    (library.photos / "2023" / "damaged.png").write_bytes(whole[:middle] + b"damage" + whole[middle + 6 :])
    ask(library, provider)
    records = library.records()
    assert records["2023/damaged.png"]["content"] == records["2023/whole.png"]["content"]
    assert records["2023/damaged.png"]["status"] == "error_corrupt"
    assert records["2023/whole.png"]["status"] == "success"
    assert "copy_of" not in records["2023/whole.png"]
    assert len(provider.requests) == 4


def test_another_model_or_prompt_carries_nothing_over(library: Product, provider: Provider) -> None:
    library.run()  # the mock is a model like any other
    copy(library, "2023/a.jpg", "copy.jpg")
    assert f"1 caption {FREE}." in ask(library, provider)
    assert len(provider.requests) == 3, "the mock's captions are for the mock alone"
    copy(library, "2023/a.jpg", "third.jpg", "fourth.jpg")
    assert f"1 caption {FREE}." in ask(library, provider, "--prompt", "Name the colours.")
    assert len(provider.requests) == 4
    records = [library.records()[name] for name in ("third.jpg", "fourth.jpg")]
    assert sum("copy_of" in record for record in records) == 1
    assert not {record.get("copy_of") for record in records} & {"2023/a.jpg", "copy.jpg"}


def test_which_record_a_photo_gets() -> None:
    """Model and prompt must be those of this run; a record without a prompt's mark counts as this one's."""
    content = "12-0011223344556677"
    photo = Photo("new.jpg", "/new.jpg", content=content)

    def entry(model: str, **more: str) -> Entry:
        return {"caption": "c", "status": "success", "model": model, "content": content, **more}  # type: ignore[typeddict-item]

    records = {
        "a": entry("x/1", prompt="11111111"),
        "b": entry("x/2", prompt="11111111"),
        "c": entry("x/2", prompt="22222222", copy_of="gone.jpg"),
        "d": entry("x/3"),
        "e": entry("mock"),
    }
    known = Known([photo, Photo("other.jpg", "/other.jpg")], {content: list(records.items())})

    def source(model: str, prompt: str | None) -> str | None:
        copies, others = known.split(model, prompt)
        assert [photo.rel_path for photo in others][-1] == "other.jpg"
        assert len(copies) + len(others) == 2
        return copies[0].record().copy_of if copies else None

    assert source("x/1", "11111111") == "a"
    assert source("x/1", "22222222") is None
    assert source("x/2", "11111111") == "b"
    assert source("x/2", "22222222") == "gone.jpg"
    assert source("x/3", "22222222") == "d"
    assert source("x/4", "11111111") is None
    assert source("mock", None) == "e"


def test_copies_count_for_the_limit(library: Product) -> None:
    """`--limit N` makes N records, whether they cost something or not."""
    library.run()
    draw(library.photos / "new" / "1.jpg")
    draw(library.photos / "new" / "2.jpg")
    copy(library, "2023/a.jpg", "new/a.jpg")
    copy(library, "new/1.jpg", "new/3.jpg")
    before = len(library.lines())
    said = library.run("--limit", "1")
    assert "Captioned 1 photo in" in said
    assert "Photos left: 3. Go on with:" in said
    said = library.run("--limit", "2")
    assert f"1 caption {FREE}." in said
    assert "Captioned 1 photo in" in said
    assert "Photos left: 1. Go on with:" in said
    assert len(library.lines()) == before + 3
    # The same for batches, also for one with nothing to ask.
    draw(library.photos / "new" / "4.jpg")
    copy(library, "2023/a.jpg", "new/b.jpg")
    said = library.run("--restart-every", "1", code=2)
    assert "Captioned 1 photo in" in said
    assert "Batch complete; photos left: 2." in said
    said = library.run("--restart-every", "1", code=2)
    assert f"1 caption {FREE}." in said
    assert "Batch complete; photos left: 1." in said
    library.run("--restart-every", "1")
    assert len(library.lines()) == len(library.records()) == before + 6


def test_copies_among_the_photos_to_do_count_for_the_limit(library: Product) -> None:
    for number in range(9):
        copy(library, "2023/a.jpg", f"2023/a{number}.jpg")
    said = library.run("--limit", "4")
    assert f"3 captions {FREE}." in said
    assert len(library.lines()) == 4


def test_a_dry_run_and_an_estimate_say_how_many(library: Product) -> None:
    library.run()
    (library.photos / "2023").rename(library.photos / "Summer")
    draw(library.photos / "new.jpg", size=(600, 400))
    copy(library, "new.jpg", "same.jpg")
    lines = library.lines()
    said = library.run("--dry-run")
    assert f"3 captions would be {FREE}." in said
    assert "Opened 5 photos" in said
    assert library.lines() == lines
    words = ("estimate", "--photos-dir", str(library.photos))
    said = library.call(*words, "--backend", "mock").stdout
    assert "Photos remaining:  1 / 5 (1 already done)\n" in said
    assert "Carried over:      3 captions from moved or copied photos, which cost nothing\n" in said
    # For models that have captioned nothing yet, only the copies among the photos to do are free.
    said = library.call(*words, "--all").stdout
    assert "Photos remaining:  4 / 5 (0 already done)\n" in said
    assert "Carried over:      1 caption from" in said
    said = library.run()
    assert f"3 captions {FREE}." in said
    assert "Every photo has a record" in said


def test_captions_from_before_contents_were_kept(library: Product) -> None:
    """A copy is known by the file that is still there, unless that file is newer than its caption."""
    old = {"caption": "from 0.1", "status": "success", "model": "mock"}
    at = {"2023/a.jpg": "2030-01-01T00:00:00Z", "2023/b.png": "2001-01-01T00:00:00Z"}
    library.journal.write_text(
        "".join(json.dumps({"rel_path": name, **old, "at": time}) + "\n" for name, time in at.items())
    )
    copy(library, "2023/a.jpg", "a again.jpg")
    copy(library, "2023/b.png", "b again.png")
    assert f"1 caption {FREE}." in library.run()
    records = library.records()
    assert records["a again.jpg"]["copy_of"] == "2023/a.jpg"
    assert records["a again.jpg"]["caption"] == "from 0.1"
    assert records["b again.png"]["caption"] != "from 0.1"


def test_a_library_whose_folders_all_have_new_names(library: Product, tmp_path: Path) -> None:
    library.run()
    for year in ("2023", "2024"):
        (library.photos / year).rename(library.photos / f"Photos of {year}")
    assert f"3 captions {FREE}." in library.run()
    # Seen from above or from within it is the same library, whose names would all be wrong.
    root, library.photos = library.photos, library.photos.parent
    for wrong in (library.photos, root / "Photos of 2023"):
        library.photos = wrong
        assert "belongs to another folder" in library.run(code=1)
    assert len(library.lines()) == 6


@pytest.mark.slow
def test_stats_compare_compact_and_the_report_take_copies_as_photos(library: Product) -> None:
    library.run()
    copy(library, "2023/a.jpg", "copy.jpg")
    library.run()
    assert "captions.jsonl: 4 photos (4 captioned, 0 errors)" in library.call("stats").stdout
    table = library.call("compare", "captions.jsonl", "captions.jsonl").stdout
    assert table.count("a mock caption for a.jpg") == 4
    kept = library.journal.read_bytes()
    library.journal.write_bytes(kept + kept.splitlines(keepends=True)[-1])
    assert "5 lines are now 4" in library.call("compact").stdout
    assert sorted(library.journal.read_bytes().splitlines()) == sorted(kept.splitlines())
    words = (
        "--photos-dir",
        str(library.photos),
        "--cluster-by",
        "image",
        "--embedder",
        "pixels",
        "--out-dir",
        "out",
    )
    library.call("report", *words)
    assert "copy.jpg" in (library.folder / "out" / "cluster_export.csv").read_text()


def test_fields_of_another_program(library: Product) -> None:
    """Its `content` and `copy_of` are not ours: the records count, and say nothing about contents."""
    odd = [7, {"a": 1}, None, "sha1:12", True, [], "12-00"]
    lines = [
        {
            "rel_path": f"{at}.jpg",
            "caption": "c",
            "status": "success",
            "model": "mock",
            "content": value,
            "copy_of": value,
        }
        for at, value in enumerate(odd)
    ]
    for at in range(len(odd)):
        draw(library.photos / f"{at}.jpg")
    library.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = library.run()
    assert "Skipping 7 already processed (7 success, 0 errors)" in said
    assert "malformed" not in said
    assert "Captioned 3 photos" in said
    assert library.lines()[:7] == lines


def test_a_stop_loses_and_repeats_nothing(library: Product, provider: Provider) -> None:
    copy(library, "2023/a.jpg", "x.jpg", "y.jpg")
    reply = provider.good()
    reply.delay = 1.5
    provider.script = lambda number, _: reply
    library.env[KEYS["openai"]] = KEY
    flags = ["--backend", "openai", "--base-url", provider.base_url, "--photos-dir", str(library.photos)]
    process = library.popen("run", *flags, "--max-workers", "1")
    wait_for(lambda: len(provider.requests) == 1)
    os.kill(process.pid, signal.SIGINT)
    code, _ = library.finish(process)
    assert code == 130
    reply.delay = 0
    ask(library, provider)
    assert len(provider.requests) == 3
    assert len(library.lines()) == len(library.records()) == 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kills_while_captions_are_carried_over(library: Product, provider: Provider) -> None:
    """Again and again at a random moment: every copy ends with one record, and nothing is asked for twice."""
    ask(library, provider)
    copy(library, "2023/a.jpg", *(f"copies/{number:05}.jpg" for number in range(6_000)))
    flags = ["--backend", "openai", "--base-url", provider.base_url, "--photos-dir", str(library.photos)]
    chance = random.Random(0)
    met = set()
    while library.line_count() < 6_003:
        process = library.popen("run", *flags)
        before = library.line_count()
        wait_for(lambda: library.line_count() > before or process.poll() is not None)  # noqa: B023
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
        met.add(library.journal.read_bytes().count(b"\n"))
    assert FREE not in ask(library, provider)
    assert len(library.records()) == 6_003
    assert len([line for line in library.journal.read_bytes().splitlines() if line]) == 6_003, met
    assert len(provider.requests) == 3


@pytest.mark.slow
def test_on_ray(library: Product, provider: Provider) -> None:
    """Workers tell the contents of what they decode; a copy has its turn when the first fails, in the same run."""
    copy(library, "2023/a.jpg", "x.jpg", "y.jpg")
    copy(library, "2023/b.png", "z.png")
    first = draw(library.photos / "2023" / "a.jpg").read_bytes()
    failed: list[bool] = []

    def script(number: int, request: Request) -> object:
        with Image.open(io.BytesIO(request.jpeg())) as sent, Image.open(io.BytesIO(first)) as picture:
            alike = sent.getpixel((90, 60)) == pytest.approx(picture.getpixel((90, 60)), abs=12)
        if alike and not failed:
            failed.append(True)
            return provider.error(400)
        return None

    provider.script = script  # type: ignore[assignment]
    said = ask(library, provider, "--ray")
    assert f"2 captions {FREE}." in said
    assert len(provider.requests) == 4
    records = library.records()
    assert all(
        record["content"] == content_of(f"{library.photos}/{name}") for name, record in records.items()
    )
    assert sorted(record["status"] for record in records.values()) == ["error_api"] + ["success"] * 5
    (library.photos / "2024").rename(library.photos / "2025")
    assert f"1 caption {FREE}." in ask(library, provider, "--ray")
    assert len(provider.requests) == 4
