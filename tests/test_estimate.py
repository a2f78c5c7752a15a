"""`caption.py estimate`: the plan's form, the providers' rules, prices with their date. It calls nothing."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from backends import BACKENDS, backend_class
from backends.openai_api import detail
from caption import DEFAULT_PROMPT
from costs.estimate import CAPTION_TOKENS, text_tokens
from costs.prices import _RELEASED, price_of
from image_loader import load_image, sent_size
from tests.conftest import ROOT, Product

CLOUD = [name for name, info in BACKENDS.items() if info.key]


def estimate(product: Product, *more: str, code: int = 0) -> str:
    done = product.call("estimate", "--photos-dir", str(product.photos), *more, code=code)
    return done.stdout if code == 0 else done.stderr


@pytest.fixture
def library(product: Product, tmp_path: Path) -> Product:
    """Ten photos that are sent as 1024 x 768, two of them done, and a video."""
    product.photos = tmp_path / "library"
    product.photos.mkdir()
    for number in range(10):
        Image.new("RGB", (2048, 1536), (20 * number, 0, 0)).save(product.photos / f"{number}.jpg")
    (product.photos / "a.mov").write_bytes(b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + bytes(100))
    records = [
        {"rel_path": f"{n}.jpg", "caption": "a cat", "status": "success", "model": "openai/x"} for n in (0, 1)
    ]
    product.journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    return product


def test_the_form_of_the_plan(library: Product) -> None:
    said = estimate(library, "--backend", "openai", "--model", "gpt-4o-mini").splitlines()
    tokens = 2833 + text_tokens(DEFAULT_PROMPT)
    into, out = (8 * part for part in price_of("openai", "gpt-4o-mini").parts(tokens, CAPTION_TOKENS))
    assert into == 8 * tokens * Decimal("0.15") / 1_000_000
    assert said == [
        "Photos remaining:  9 / 11 (2 already done)",
        "Backend:           openai / gpt-4o-mini",
        f"Estimated tokens:  ~{8 * tokens:,}  (avg {tokens:,} tokens/image)",
        f"Estimated cost:    ~${into:.4f}  (input) + ~${out:.4f}  (output) = ~${into + out:.4f}",
        "Estimated time:    ~2 s at 8 workers (a first guess of 2026-11)",
        "Model ends:        2027-01-14",
        said[-1],
    ]
    assert re.fullmatch(r"Prices:            genai-prices [\d.]+ of \d{4}-\d\d-\d\d", said[-1])


def test_the_readme_shows_what_is_printed(product: Product) -> None:
    product.photos = ROOT / "examples" / "photos"
    assert f"```\n{estimate(product, '--backend', 'openai')}```" in (ROOT / "README.md").read_text()


def test_the_date_of_the_installed_prices_is_known() -> None:
    """When `exclude-newer` moves on, the release date of the new genai-prices goes into the table."""
    assert version("genai-prices") in _RELEASED


@pytest.mark.parametrize("backend", ["local", "mock"])
def test_nothing_is_billed_at_home(library: Product, backend: str) -> None:
    assert "Estimated cost:    none\n" in estimate(library, "--backend", backend)


def test_nothing_is_billed_at_a_server_of_ones_own(library: Product) -> None:
    said = estimate(
        library, "--backend", "openai", "--model", "qwen", "--base-url", "http://localhost:8000/v1"
    )
    assert "Backend:           openai / qwen\nEstimated cost:    none\n" in said


def test_an_unknown_model_is_an_error_with_near_matches(library: Product) -> None:
    said = estimate(library, "--backend", "anthropic", "--model", "claude-haiku-45", code=1)
    assert "claude-haiku-4-5" in said
    assert "$" not in said
    said = estimate(library, "--backend", "openai", "--model", "text-embedding-3-small", code=1)
    assert "not known how many tokens" in said


def test_limit_retry_and_workers(library: Product) -> None:
    with library.journal.open("a") as file:
        file.write(
            json.dumps({"rel_path": "2.jpg", "caption": None, "status": "error_api", "error": "x"}) + "\n"
        )
    flags = ("--backend", "gemini", "--max-workers", "2")
    assert "remaining:  8 / 11 (3 already done)" in estimate(library, *flags)
    assert "remaining:  9 / 11 (2 already done)" in estimate(library, *flags, "--retry-status", "error_api")
    limited = estimate(library, *flags, "--limit", "5")
    assert "remaining:  5 / 11 (3 already done; --limit 5)" in limited
    assert "at 2 workers" in limited


def test_all_providers_cheapest_first(library: Product) -> None:
    said = estimate(library, "--all")
    rows = re.findall(r"^(\w+) / (\S+)\s+([\d,]+)\s+~\$([\d.]+)\s", said, re.MULTILINE)
    assert {row[0] for row in rows} == set(CLOUD)
    assert all(row[1] == BACKENDS[row[0]].default_model for row in rows)
    costs = [float(row[3]) for row in rows]
    assert costs == sorted(costs)
    assert all(costs)


def test_the_journals_own_pace_is_the_measure(library: Product) -> None:
    with library.journal.open("a") as file:
        for number in range(101):
            at = f"2026-11-20T10:{number // 60:02}:{number % 60:02}+00:00"
            record = {
                "rel_path": f"{number % 2}.jpg",
                "caption": "c",
                "status": "success",
                "model": "gemini/m",
                "at": at,
            }
            file.write(json.dumps(record) + "\n")
        file.write(json.dumps({**record, "at": "2026-11-21T10:00:00+00:00"}) + "\n")  # the next day
    said = estimate(library, "--backend", "gemini", "--model", "m", "--base-url", "http://localhost:1")
    assert "~8 s at 20 workers (the pace of this journal)" in said


def test_a_slow_model_in_batches_has_a_pace_too(library: Product) -> None:
    """4 photos every 80 s, ten times, and a night after the fifth: 8 pictures take 160 s."""
    begin = datetime(2026, 11, 20, 22, tzinfo=UTC)
    with library.journal.open("a") as file:
        for number in range(40):
            batch = number // 4
            at = begin + timedelta(seconds=80 * batch, hours=9 if batch >= 5 else 0)
            record = {"rel_path": "0.jpg", "caption": "c", "status": "success", "model": "local/m"}
            file.write(json.dumps(record | {"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}) + "\n")
    said = estimate(library, "--backend", "local", "--model", "m")
    assert "Estimated time:    ~3 min at 1 worker (the pace of this journal)" in said


def test_the_journal_is_read_once_for_all_providers(library: Product, tmp_path: Path) -> None:
    with library.journal.open("a") as file:
        file.write('{"rel_path": "2.jpg", "cap\n')
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\n"
        "def note(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('captions.jsonl'):\n"
        "        print('opened', file=sys.stderr)\n"
        "sys.addaudithook(note)\n"
    )
    library.env["PYTHONPATH"] = str(site)
    said = library.call("estimate", "--all", "--photos-dir", str(library.photos)).stderr
    assert said.count("opened") == 1
    assert said.count("discarded 1 malformed line") == 1


def test_what_is_done_is_told_apart(library: Product) -> None:
    with library.journal.open("a") as file:
        for name, problem in (("2.jpg", "cut short"), ("a.mov", "video")):
            file.write(
                json.dumps({"rel_path": name, "caption": None, "status": "error_corrupt", "error": problem})
                + "\n"
            )
    (library.photos / "notes.txt").touch()
    said = estimate(library, "--backend", "openai")
    assert "Photos remaining:  7 / 11 (4 already done)\n" in said
    assert (
        "Already done:      2 captioned, 1 error, 1 video\nLeft out 1 file that is not a picture.\n" in said
    )


def test_wrong_use(library: Product) -> None:
    assert "leave out" in estimate(library, "--all", "--backend", "openai", code=64)
    assert "--backend" in estimate(library, code=64)
    assert "is not a URL" in estimate(library, "--backend", "openai", "--base-url", "localhost:8000", code=64)
    assert "leave it out" in estimate(
        library, "--backend", "mock", "--base-url", "http://localhost:8000", code=64
    )


def test_it_needs_no_key_and_writes_nothing(library: Product) -> None:
    before = sorted(path.name for path in library.folder.iterdir())
    estimate(library, "--all")
    assert sorted(path.name for path in library.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("backend", "model", "size", "tokens"),
    [
        # The providers' own examples, and measured ones; sources in docs/api_providers.md.
        ("openai", "gpt-4o-mini", (1024, 768), 2833),
        ("openai", "gpt-4o-2024-08-06", (1024, 768), 85),
        ("openai", "gpt-4.1", (1024, 768), 85),
        ("openai", "gpt-4.1-mini", (1024, 1024), 1659),
        ("openai", "gpt-5-mini", (1024, 768), 1245),
        ("openai", "gpt-5", (1024, 768), 70),
        ("openai", "gpt-5.6-luna", (1024, 768), 922),
        ("openai", "gpt-6-luna", (1024, 1024), 1229),
        ("openai", "gpt-6-luna", (512, 512), 308),
        ("anthropic", "claude-haiku-4-5", (1024, 768), 1036),
        ("anthropic", "claude-haiku-5-5", (1024, 1024), 1369),
        ("gemini", "gemini-2.5-flash-lite", (1024, 768), 256),
        ("gemini", "gemini-3.1-flash-lite", (1024, 768), 280),
        ("xai", "grok-4.3", (1024, 768), 1792),
        ("openai", "davinci-002", (1024, 768), None),
    ],
)
def test_tokens_of_a_picture(backend: str, model: str, size: tuple[int, int], tokens: int | None) -> None:
    assert backend_class(backend).picture_tokens(model, *size) == tokens


def test_detail_is_low_where_tiles_are_counted() -> None:
    assert [detail(m) for m in ("gpt-4o-mini", "gpt-5", "gpt-5-nano", "gpt-6-luna", "llava")] == [
        "low",
        "low",
        "high",
        "high",
        "high",
    ]


@pytest.mark.parametrize("name", CLOUD)
def test_every_default_model_has_a_price_and_a_rule(name: str) -> None:
    model = BACKENDS[name].default_model
    assert price_of(name, model).of(1_000_000, 0) > 0
    assert backend_class(name).picture_tokens(model, 1024, 768)
    assert model in (ROOT / "docs" / "api_providers.md").read_text()


def test_a_redirected_model_costs_what_answers() -> None:
    assert price_of("xai", "grok-4-1-fast-non-reasoning").of(1000, 10) == price_of("xai", "grok-4.3").of(
        1000, 10
    )


def test_the_size_from_the_header_is_the_size_that_is_sent(tmp_path: Path, corpora: Path) -> None:
    wrong, seen = [], 0
    for path in sorted((corpora / "photos").rglob("*.jpg"))[:60] + sorted((corpora / "formats").rglob("*.*")):
        expected = sent_size(path)
        try:
            image = load_image(path)
        except Exception:  # noqa: BLE001 - not a picture: costs nothing either way
            continue
        seen += 1
        if expected is None or sorted(expected) != sorted(image.size):
            wrong.append((path.name, expected, image.size))
    assert seen > 150
    assert len(wrong) <= 3, wrong  # crop boxes and the like
