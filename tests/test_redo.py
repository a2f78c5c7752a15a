"""`run --redo`: captions that are made again, and stay until there are new ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from cli.doors import WrongUseError
from cli.redo import redo_of
from journal import CaptionJournal, prompt_mark
from tests.conftest import Product, draw, wait_for
from tests.helpers.journals import line
from tests.helpers.provider import KEYS, Provider

PROMPT = prompt_mark("Describe.")
PHOTOS = [*(f"2019/{number}.jpg" for number in range(4)), "2020/rock and roll/a.jpg", "2020/b.png"]


@pytest.fixture
def library(product: Product) -> Product:
    """Six photos with captions of several models and prompts, one by a person; one broken, one new."""
    product.photos = product.folder.parent / "library"
    for name in PHOTOS:
        draw(product.photos / name)
    made = [
        ("openai/a", None),
        ("openai/a", PROMPT),
        ("openai/b", "0123abcd"),
        (None, None),
        ("mock", None),
        ("xai/c", PROMPT),
    ]
    lines = []
    for name, (model, prompt) in zip(PHOTOS, made, strict=True):
        more: dict[str, Any] = {"model": model} if model else {"by": "person"}
        lines.append(line(name, "old", **more, **({"prompt": prompt} if prompt else {})))
    product.journal.write_bytes(b"".join(lines))
    return product


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        running.script = lambda number, _: running.good(f"A dog runs over lawn number {number}.")
        yield running


def chosen(product: Product, expression: str) -> list[int]:
    redo = redo_of(expression)
    records = CaptionJournal(product.journal).load()
    return [PHOTOS.index(name) for name, entry in records.items() if redo.covers(name, entry, PROMPT)]


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("prompt", [2]),
        ("model=openai/*", [0, 1, 2]),
        ("MODEL = OpenAI/? and path=2019/*", [0, 1, 2]),
        ("path=2019/*", [0, 1, 2]),
        ("path=*.jpg and model=*", [0, 1, 2, 4]),
        ("path='2020/rock and roll/*'", [4]),
        ("path=2020/ and prompt", []),
        ("prompt and model=openai/b", [2]),
        ("  model=mock  ", [4]),
        ("model=openai", []),
    ],
)
def test_what_an_expression_covers(library: Product, expression: str, places: list[int]) -> None:
    assert chosen(library, expression) == places


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "prompts",
        "model=",
        "path=",
        "2019/*",
        "prompt or model=x",
        "prompt and",
        "path=!",
        "status=x",
    ],
)
def test_a_bad_expression_is_a_sentence_with_an_example(text: str) -> None:
    with pytest.raises(WrongUseError) as caught:
        redo_of(text)
    assert str(caught.value.message).startswith(
        f"--redo {text!r} says nothing: give prompt, tags, model=GLOB or path=GLOB"
    )
    assert "'path=2019/* and model=openai/*'" in caught.value.message


def ask(product: Product, provider: Provider, *more: str, code: int = 0) -> str:
    product.env[KEYS["openai"]] = "sk-secret-0123456789abcdef"
    flags = ["--backend", "openai", "--model", "a", "--prompt", "Describe.", "--base-url", provider.base_url]
    return product.call("run", *flags, "--photos-dir", str(product.photos), *more, code=code).stderr


def test_an_old_caption_stays_until_the_new_one_is_there(library: Product, provider: Provider) -> None:
    (library.photos / "2020/rock and roll/a.jpg").unlink()  # the mock's, which would be captioned first
    before = library.records()
    provider.script = lambda number, _: (
        provider.error(400) if number % 2 else provider.good(f"New {number} dog.")
    )
    said = ask(library, provider, "--redo", "path=2019/*", "--max-workers", "1", "--limit", "2")
    assert "Captions to make again: 3; the old ones stay until the new ones are there." in said
    assert "1 caption could not be made again: the old ones stay." in said
    assert "Photos left: 1." in said
    now = library.records()
    # Which photo comes first depends on which decoder is first.
    (new,) = [name for name in PHOTOS if now[name] != before[name]]
    assert now[new]["caption"] == "New 0 dog."
    (remembered,) = library.folder.glob("captions.redo-*.jsonl")
    # The next start does not begin with what has just failed, nor with what is done.
    said = ask(library, provider, "--redo", "path=2019/*", "--max-workers", "1", "--limit", "2")
    assert "Captions to make again: 1;" in said
    assert "This redo has made 1 caption again already." in said
    assert len(provider.requests) == 3
    assert not remembered.exists(), "all had their turn"
    provider.script = lambda number, _: provider.good("Now it works for the dog.")
    assert "Captions to make again: 1;" in ask(library, provider, "--redo", "path=2019/*")
    assert "Captions to make again: 0;" in ask(library, provider, "--redo", "path=2019/*")
    assert len(provider.requests) == 4
    assert library.records()["2019/3.jpg"] == before["2019/3.jpg"], "a person's"
    said = ask(library, provider, "--redo", "path=2019/* and path=*")  # as the second start has told
    assert len(provider.requests) == 7


@pytest.mark.slow
def test_a_redo_that_was_killed_asks_for_nothing_twice(library: Product, provider: Provider) -> None:
    for number in range(30):
        draw(library.photos / f"more/{number:02}.jpg")
    ask(library, provider)  # the mock's caption and the new photos: 31
    asked = len(provider.requests)
    assert asked == 31

    def slowly(number: int, _: object) -> object:
        reply = provider.good(f"A cat sleeps on chair number {number}.")
        reply.delay = 0.1
        return reply

    provider.script = slowly  # type: ignore[assignment]
    flags = ["--backend", "openai", "--model", "a", "--prompt", "Describe.", "--base-url", provider.base_url]
    words = [*flags, "--photos-dir", str(library.photos), "--redo", "path=more/*", "--max-workers", "2"]
    start = library.line_count()
    process = library.popen("run", *words)
    wait_for(lambda: library.line_count() >= start + 6)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    made = library.line_count() - start
    assert 6 <= made < 30
    library.call("run", *words)
    assert library.line_count() == start + 30
    assert len(provider.requests) <= asked + 30 + 3, "only what was in the air is asked again"
    assert all("cat" in r["caption"] for name, r in library.records().items() if name.startswith("more/"))


@pytest.mark.slow
def test_copies_do_not_get_their_old_caption_back(library: Product, provider: Provider) -> None:
    ask(library, provider, "--redo", "path=2019/1.jpg")
    (library.photos / "2021").mkdir()
    for name in ("copy.jpg", "more.jpg"):
        (library.photos / "2021" / name).write_bytes((library.photos / "2019/1.jpg").read_bytes())
    ask(library, provider)
    before = library.records()
    assert before["2021/copy.jpg"]["copy_of"] == "2019/1.jpg"
    asked = len(provider.requests)
    ask(library, provider, "--redo", "path=2019/1.jpg and path=*")
    assert len(provider.requests) == asked + 1
    record = library.records()["2019/1.jpg"]
    assert "copy_of" not in record
    assert record["caption"] != before["2019/1.jpg"]["caption"]
    ask(library, provider, "--redo", "path=2021/*")
    assert len(provider.requests) == asked + 2, "both ask once"


def test_it_goes_with_other_flags(library: Product) -> None:
    said = library.run("--redo", "model=openai/*", "--dry-run")
    assert "Captions to make again: 3;" in said
    assert not list(library.folder.glob("captions.redo-*"))
    words = ("estimate", "--photos-dir", str(library.photos), "--backend", "openai", "--prompt", "Describe.")
    told = library.call(*words, "--redo", "model=xai/*", "--model", "gpt-4o-mini").stdout
    assert "Photos remaining:  2 / 6 (4 already done)" in told, "and that of the mock"
    assert "Captions to make again: 1;" in told
    before = library.line_count()
    for part in ("1/2", "2/2"):
        library.run("--redo", "path=*", "--shard", part)
    assert library.line_count() == before + 5
    assert library.records()["2019/3.jpg"]["by"] == "person"
    assert "for --retry-status or --redo" in library.run("--redo", "path=*", "--force", code=64)
    assert "says nothing" in library.run("--redo", "all", code=64)
