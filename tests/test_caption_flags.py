"""The flags and settings of `caption.py run`: what they do, and what is wrong with them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import ALL, OK, Product


def test_flags_without_a_command_mean_run(product: Product) -> None:
    product.call("--backend", "mock", "--photos-dir", str(product.photos), "--limit", "3")
    assert len(product.lines()) == 3


def test_limit_counts_attempts_and_goes_on(product: Product) -> None:
    said = product.run("--limit", "5")
    assert product.line_count() == 5
    assert "Photos left: 7. Go on with: uv run python" in said
    product.run("--limit", "5")
    assert product.line_count() == 10
    product.run("--limit", "5")
    assert product.line_count() == ALL


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "Usage"),
        (["run"], "anthropic  needs"),
        (["run", "--backend", "mock", "--photos-dir", ""], "--photos-dir"),
        (["run", "--backend", "mock", "--retry-status", "success"], "error_api"),
        (["run", "--backend", "openai", "--dry-run", "--mock-latency", "1"], "--mock-latency"),
        (["nonsense"], "No such command"),
        (["run", "--backend", "mocc"], "anthropic  needs"),
        (["run", "--backend", "mock", "--limit", "many"], "--limit"),
        (["run", "--backend", "mock", "--limit", "0"], "--limit"),
        (["run", "--backend", "mock", "--max-workers", "0"], "--max-workers"),
        (["run", "--backend", "mock", "--retry-status", "error_apy"], "error_api"),
        (["run", "--backend", "mock", "--retry-status", ""], "error_api"),
        (["run", "--backend", "mock", "--force", "--retry-status", "error_api"], "--force"),
        (["run", "--backend", "mock", "--dry-run", "--force"], "--dry-run"),
        (["run", "--backend", "mock", "--dry-run", "--restart-every", "3"], "--dry-run"),
        (["run", "--backend", "mock", "--dry-run", "--mock-error-rate", "0.1"], "--dry-run"),
        (["run", "--backend", "mock", "--dry-run", "--retry-status", "error_api"], "--dry-run"),
        (["run", "--backend", "mock", "--mock-error-rate", "2"], "--mock-error-rate"),
        (["run", "--backend", "openai", "--mock-latency", "2"], "--mock-latency"),
        (["run", "--backend", "mock", "--no-such-flag"], "--no-such-flag"),
        (["compare", "a.jsonl"], "two journals"),
    ],
)
def test_wrong_use_is_64(product: Product, arguments: list[str], hint: str) -> None:
    done = product.call(*arguments, code=64)
    assert hint in done.stdout + done.stderr
    assert not product.journal.exists()


def test_retry_takes_only_the_named_statuses_and_counts_as_one_photo(product: Product) -> None:
    product.run()
    done = product.lines()
    for record in done[:4]:
        record |= {"status": "error_api", "caption": None, "error": "HTTP 500"}
    product.journal.write_text("".join(json.dumps(record) + "\n" for record in done))
    said = product.run("--retry-status", "error_api,error_model")
    assert "Skipping 8 already processed" in said
    assert "Captioning 4 of 12 photos" in said
    assert product.line_count() == ALL + 4
    assert sum(r["status"] == "success" for r in product.records().values()) == OK
    assert '"as many lines as photos"' in said.splitlines()[-1]
    assert "compact" in said.splitlines()[-1]


def test_the_summary_suggests_a_retry_for_api_errors_only(product: Product) -> None:
    product.run()
    assert "--retry-status" not in product.run()
    records = product.lines()
    records[0] |= {"status": "error_api", "caption": None}
    product.journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    said = product.run()
    assert said.rstrip().endswith("--retry-status error_api")
    assert "error_corrupt" not in said.rstrip().splitlines()[-1]


def test_force_sets_the_old_journal_aside(product: Product) -> None:
    product.run("--limit", "3")
    old = product.journal.read_bytes()
    said = product.run("--force", "--limit", "2")
    (backup,) = product.folder.glob("captions.jsonl.*.bak")
    assert backup.read_bytes() == old
    assert product.line_count() == 2
    assert "--force" not in said.split("Go on with")[1]


def test_force_keeps_the_journal_when_the_run_cannot_begin(product: Product) -> None:
    product.run("--limit", "3")
    old = product.journal.read_bytes()
    product.call("run", "--backend", "mock", "--force", "--photos-dir", "nowhere", code=1)
    product.call("run", "--backend", "openai", "--force", "--photos-dir", str(product.photos), code=1)
    assert product.journal.read_bytes() == old
    assert not list(product.folder.glob("*.bak"))


def test_dry_run_opens_everything_and_records_only_what_is_broken(product: Product) -> None:
    product.run("--limit", "2")
    said = product.call("run", "--backend", "openai", "--dry-run", "--photos-dir", str(product.photos)).stderr
    assert "Opened 10 photos" in said
    assert "; 1 error (1 error_corrupt), 1 video." in said
    rehearsal = (product.folder / "captions.dry-run.jsonl").read_text().splitlines()
    assert len(rehearsal) == ALL
    assert sorted(r["status"] for r in product.lines()) == ["error_corrupt"] * 2 + ["success"] * 2
    product.run("--dry-run")
    assert len((product.folder / "captions.dry-run.jsonl").read_text().splitlines()) == ALL
    assert product.line_count() == 4, "what is broken is recorded once"


def test_restart_every_tells_more_to_do_from_done(product: Product) -> None:
    product.run("--restart-every", "5", code=2)
    assert product.line_count() == 5
    product.run("--restart-every", "5", code=2)
    product.run("--restart-every", "2", code=0)
    assert product.line_count() == ALL
    product.run("--restart-every", "5", code=0)


def test_exactly_one_batch_left_is_done(product: Product) -> None:
    product.run("--restart-every", str(ALL), code=0)


def test_limit_below_the_batch_is_done(product: Product) -> None:
    product.run("--restart-every", "5", "--limit", "3", code=0)
    product.run("--restart-every", "3", "--limit", "3", code=0)


def test_a_batch_of_retries_without_progress_stops(product: Product) -> None:
    product.run()
    records = [json.loads(line) for line in product.journal.read_text().splitlines()]
    product.journal.write_text(
        "".join(json.dumps(r | {"status": "error_corrupt", "caption": None}) + "\n" for r in records)
    )
    said = product.run(
        "--restart-every", "5", "--retry-status", "error_corrupt", "--mock-error-rate", "1", code=1
    )
    assert "brought nothing new" in said


def test_mock_error_rate_makes_corrupt_records(product: Product) -> None:
    product.run("--mock-error-rate", "1")
    assert {r["status"] for r in product.lines()} == {"error_corrupt"}


def test_workers_run_side_by_side(product: Product) -> None:
    start = time.monotonic()
    product.run("--mock-latency", "1", "--max-workers", "10")
    assert time.monotonic() - start < OK, "ten sleeps of a second, one after the other, would take longer"


def test_photos_dir_from_config_env(product: Product, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    product.photos.rename(home / "pictures")
    product.env["HOME"] = str(home)
    (product.folder / "config.env").write_text("PHOTOS_DIR=~/pictures\nOPENAI_API_KEY=\n")
    product.call("--backend", "mock")
    assert product.line_count() == ALL


def test_environment_wins_over_config_env(product: Product) -> None:
    (product.folder / "config.env").write_text("PHOTOS_DIR=/nowhere\n")
    product.env["PHOTOS_DIR"] = str(product.photos)
    product.call("--backend", "mock")
    assert product.line_count() == ALL


def test_unknown_setting_is_named_and_its_value_is_not_shown(product: Product) -> None:
    (product.folder / "config.env").write_text("OPENAI_KEY=sk-secret-123\n")
    said = product.run(code=1)
    assert "OPENAI_KEY" in said
    assert "sk-secret-123" not in said
    assert not product.journal.exists()


def test_a_setting_that_is_yes_or_no(product: Product) -> None:
    (product.folder / "config.env").write_text("LOCAL_PLAIN=maybe\n")
    said = product.run(code=1)
    assert "config.env is neither 1 nor 0: write one of them there, or nothing." in said
    assert "maybe" not in said
    (product.folder / "config.env").write_text("LOCAL_PLAIN=\n")
    product.run()


def test_no_photos_dir_at_all(product: Product) -> None:
    assert "--photos-dir" in product.call("--backend", "mock", code=1).stderr
