"""
Owns the proof that run_loop.sh gets a library done in batches, and ends when it should.

Most tests run a copy of the project with the real uv and the mock backend, in an environment of the copy's own: a
`uv sync` must not touch the one that pytest runs from. Where a test asks what uv is told (a sync of `local` downloads
gigabytes), or what happens when uv fails, a shell script stands in for uv that writes down its arguments.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PATIENCE, ROOT
from tests.helpers.loops import batch_done, copy_project, end, loop, start

DONE = "All photos captioned."
PHOTOS = 12

STAND_IN = """#!/bin/sh
# Writes down its arguments; ends with the next code of the list.
printf '%s\\n' "$*" >>"$UV_CALLS"
[ -z "$UV_SLEEP" ] || exec sleep "$UV_SLEEP"
code=$(head -n 1 "$UV_CODES")
sed 1d "$UV_CODES" >"$UV_CODES.rest" && mv "$UV_CODES.rest" "$UV_CODES"
exit "${code:-0}"
"""


class StandIn:
    """A uv that only writes down what it is told."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        self._codes = folder / "codes"
        self._bin = folder / "bin"
        self._bin.mkdir()
        (self._bin / "uv").write_text(STAND_IN)
        (self._bin / "uv").chmod(0o755)

    def environment(self, *codes: int) -> dict[str, str]:
        """Return the variables that put it first on PATH and have its calls end with `codes`, then with 0."""
        self._codes.write_text("".join(f"{code}\n" for code in codes))
        return {
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "UV_CALLS": str(self._calls),
            "UV_CODES": str(self._codes),
        }

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what run_loop.sh needs of the project; its first run gives it an environment of its own."""
    return copy_project(ROOT, tmp_path_factory.mktemp("loop") / "project")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    for number in range(PHOTOS):
        Image.new("RGB", (16, 12), (number * 20, 90, 120)).save(folder / f"photo {number:02}.png")
    return folder


@pytest.fixture
def uv(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


def mock(photos: Path, journal: Path, *flags: str) -> list[str]:
    return ["mock", "--photos-dir", str(photos), "--captions-jsonl", str(journal), *flags]


def records(journal: Path) -> list[dict[str, str]]:
    """Return the journal's records, read as a stranger would: every line must be one."""
    return [json.loads(line) for line in journal.read_text("utf-8").splitlines()]


def write_records(journal: Path, statuses: list[str]) -> None:
    lines = [
        {
            "rel_path": f"photo {number:02}.png",
            "caption": "an old caption" if status == "success" else None,
            "status": status,
        }
        for number, status in enumerate(statuses)
    ]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def assert_every_photo_once(journal: Path) -> None:
    found = records(journal)
    assert [record["status"] for record in found] == ["success"] * PHOTOS
    assert len({record["rel_path"] for record in found}) == PHOTOS


def wait_for_records(journal: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= count):
        assert time.monotonic() < deadline, "the loop wrote nothing"
        time.sleep(0.02)


# The real product, in batches


def test_captions_the_library_in_batches(project: Path, photos: Path, tmp_path: Path) -> None:
    journal = tmp_path / "captions.jsonl"
    ended = loop(project / "run_loop.sh", *mock(photos, journal), BATCH="5")
    assert ended.code == 0, ended.err
    assert ended.out == [batch_done(5), batch_done(5), DONE]
    assert_every_photo_once(journal)


def test_works_from_its_own_folder_also_through_a_symlink(
    project: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(project / "run_loop.sh")
    (tmp_path / "caption it all").symlink_to("link")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    words = mock(photos, Path("through-a-link.jsonl"))
    ended = loop(tmp_path / "caption it all", *words, cwd=elsewhere, CDPATH=str(tmp_path))
    assert (ended.code, ended.out) == (0, [DONE]), ended.err
    assert_every_photo_once(project / "through-a-link.jsonl")
    assert not list(elsewhere.iterdir())


def test_two_shards_side_by_side_make_one_library(project: Path, photos: Path, tmp_path: Path) -> None:
    """A stop in the middle included: the same command goes on with its own shard."""
    halves = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, journal in enumerate(halves, 1):
        words = mock(photos, journal, "--shard", f"{number}/2")
        if number == 2:
            process = start(project / "run_loop.sh", *words, "--mock-latency", "1", BATCH="3")
            wait_for_records(journal, 1)
            process.terminate()
            assert end(process).code == 143
        ended = loop(project / "run_loop.sh", *words, BATCH="3")
        assert (ended.code, ended.out[-1]) == (0, DONE), ended.err
    names = [{record["rel_path"] for record in records(journal)} for journal in halves]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == PHOTOS
    joined = tmp_path / "captions.jsonl"
    with joined.open("wb") as file:
        subprocess.run(["awk", "1", *halves], stdout=file, check=True)
    assert len(records(joined)) == PHOTOS


def test_retries_on_every_pass(project: Path, photos: Path, tmp_path: Path) -> None:
    journal = tmp_path / "captions.jsonl"
    write_records(journal, ["error_api"] * 5 + ["success"] * 7)
    ended = loop(project / "run_loop.sh", *mock(photos, journal, "--retry-status", "error_api"), BATCH="3")
    assert (ended.code, ended.out) == (0, [batch_done(3), DONE]), ended.err
    found = records(journal)
    assert len(found) == PHOTOS + 5
    last = {record["rel_path"]: record["status"] for record in found}
    assert list(last.values()) == ["success"] * PHOTOS


def test_retries_that_bring_nothing_do_not_go_round_for_ever(
    project: Path, photos: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "captions.jsonl"
    write_records(journal, ["error_corrupt"] * PHOTOS)
    flags = ["--retry-status", "error_corrupt", "--mock-error-rate", "1"]
    ended = loop(project / "run_loop.sh", *mock(photos, journal, *flags), BATCH="3")
    assert (ended.code, ended.out) == (1, ["Error (exit 1). Stopping."]), ended.err
    assert "--retry-status" in ended.err


def test_force_sets_the_old_captions_aside_once(project: Path, photos: Path, tmp_path: Path) -> None:
    journal = tmp_path / "captions.jsonl"
    write_records(journal, ["success"] * 3)
    ended = loop(project / "run_loop.sh", *mock(photos, journal, "--force"), BATCH="6")
    assert (ended.code, ended.out) == (0, [batch_done(6), DONE]), ended.err
    assert_every_photo_once(journal)
    (kept,) = tmp_path.glob("*.bak")
    assert [record["caption"] for record in records(kept)] == ["an old caption"] * 3


# Signals


def test_ctrl_c_ends_the_loop_and_the_same_command_goes_on(
    project: Path, photos: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "captions.jsonl"
    process = start(project / "run_loop.sh", *mock(photos, journal, "--mock-latency", "0.3"), BATCH="4")
    wait_for_records(journal, 5)
    os.killpg(process.pid, signal.SIGINT)
    ended = end(process)
    assert ended.code == 130, ended.err
    assert set(ended.out) == {batch_done(4)}
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nothing goes on behind the user's back
    found = records(journal)
    assert 5 <= len(found) < PHOTOS
    assert len({record["rel_path"] for record in found}) == len(found)

    ended = loop(project / "run_loop.sh", *mock(photos, journal))
    assert (ended.code, ended.out) == (0, [DONE]), ended.err
    assert_every_photo_once(journal)


def test_a_sigterm_to_the_loop_alone_reaches_the_run(project: Path, photos: Path, tmp_path: Path) -> None:
    journal = tmp_path / "captions.jsonl"
    process = start(project / "run_loop.sh", *mock(photos, journal, "--mock-latency", "0.3"))
    wait_for_records(journal, 1)
    os.kill(process.pid, signal.SIGTERM)
    ended = end(process)
    assert (ended.code, ended.out) == (143, []), ended.err
    assert "everything written is safe" in ended.err  # the run was told, and ended in good order
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert 1 <= len(records(journal)) < PHOTOS


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_while_packages_are_fetched(
    uv: StandIn, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = start(ROOT / "run_loop.sh", "mock", **uv.environment(), UV_SLEEP="3600")
    wait_for_records(tmp_path / "calls", 1)
    os.kill(process.pid, number)
    assert end(process).code == code
    assert uv.calls == ["sync --inexact"]


# What goes wrong


def test_a_missing_photos_folder_ends_the_loop(project: Path, tmp_path: Path) -> None:
    ended = loop(project / "run_loop.sh", *mock(tmp_path / "nowhere", tmp_path / "captions.jsonl"))
    assert (ended.code, ended.out) == (1, ["Error (exit 1). Stopping."]), ended.err
    assert "nowhere" in ended.err


def test_a_wrong_flag_ends_the_loop(project: Path) -> None:
    ended = loop(project / "run_loop.sh", "mock", "--no-such-flag")
    assert (ended.code, ended.out) == (64, ["Error (exit 64). Stopping."]), ended.err


def test_no_network_for_uv_ends_the_loop(project: Path, photos: Path, tmp_path: Path) -> None:
    bare = copy_project(project, tmp_path / "project")
    (bare / "uv.lock").unlink(missing_ok=True)
    words = mock(photos, tmp_path / "captions.jsonl")
    ended = loop(bare / "run_loop.sh", *words, UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "cache"))
    assert (ended.code, ended.out) == (1, [])
    assert "uv sync failed" in ended.err
    assert not (tmp_path / "captions.jsonl").exists()


def test_a_missing_caption_py_is_no_batch_that_is_done(project: Path, photos: Path, tmp_path: Path) -> None:
    bare = copy_project(project, tmp_path / "project")
    (bare / "caption.py").unlink()
    words = mock(photos, tmp_path / "captions.jsonl")
    ended = loop(bare / "run_loop.sh", *words, UV_PROJECT_ENVIRONMENT=str(project / ".venv"))
    assert (ended.code, ended.out) == (1, [])
    assert "caption.py cannot be started" in ended.err


def test_a_uv_that_fails_with_2_is_no_batch_that_is_done(uv: StandIn) -> None:
    ended = loop(ROOT / "run_loop.sh", "mock", **uv.environment(0, 2, 2))
    assert (ended.code, ended.out) == (1, [])
    assert "caption.py cannot be started" in ended.err


@pytest.mark.parametrize("code", [1, 2])
def test_a_failed_sync_ends_the_loop(uv: StandIn, code: int) -> None:
    ended = loop(ROOT / "run_loop.sh", "mock", **uv.environment(code))
    assert (ended.code, ended.out) == (1, [])
    assert f"uv sync failed (exit {code})" in ended.err
    assert uv.calls == ["sync --inexact"]


def test_a_missing_uv_is_named_with_its_remedy(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "readlink"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    ended = loop(ROOT / "run_loop.sh", "mock", PATH=str(tmp_path))
    assert (ended.code, ended.out) == (1, [])
    assert "pip install uv" in ended.err


@pytest.mark.parametrize("code", [1, 64, 130, 137, 143])
def test_passes_other_exit_codes_on(uv: StandIn, code: int) -> None:
    ended = loop(ROOT / "run_loop.sh", "mock", **uv.environment(0, 2, 0, code))
    assert ended.code == code
    assert ended.out == [batch_done(5000), f"Error (exit {code}). Stopping."]


@pytest.mark.parametrize(
    "flags",
    [
        "--limit 5",
        "--limit=5",
        "--budget 2",
        "--budget=2",
        "--dry-run",
        "--force --dry-run",
        "--backend mock",
    ],
)
def test_flags_that_are_not_for_the_loop(uv: StandIn, flags: str) -> None:
    ended = loop(ROOT / "run_loop.sh", "mock", *flags.split(), **uv.environment())
    assert (ended.code, ended.out, uv.calls) == (64, [], [])
    assert flags.replace("=", " ").replace("--force ", "").split()[0] in ended.err


@pytest.mark.parametrize("flags", ["--restart-every 5", "--restart-every=5"])
def test_restart_every_is_batch(uv: StandIn, flags: str) -> None:
    ended = loop(ROOT / "run_loop.sh", *flags.split(), **uv.environment())
    assert (ended.code, ended.out, uv.calls) == (64, [], [])
    assert "set BATCH instead" in ended.err


@pytest.mark.parametrize("batch", ["0", "00", "-5", "5.5", "5k", "many", " ", "5 5"])
def test_a_batch_that_is_no_number_of_photos(uv: StandIn, batch: str) -> None:
    ended = loop(ROOT / "run_loop.sh", "mock", BATCH=batch, **uv.environment())
    assert (ended.code, ended.out, uv.calls) == (64, [], [])
    assert "BATCH" in ended.err


@pytest.mark.parametrize("words", ["--help", "mock -h"])
def test_help_is_no_end_of_a_library(uv: StandIn, words: str) -> None:
    ended = loop(ROOT / "run_loop.sh", *words.split(), **uv.environment())
    assert (ended.code, uv.calls) == (0, [])
    assert "run_loop.sh [BACKEND] [MODEL]" in "\n".join(ended.out)
    assert DONE not in ended.out


# What uv and caption.py are told

QWEN = "--model Qwen/Qwen2.5-VL-3B-Instruct"


@pytest.mark.parametrize(
    ("words", "extra", "flags"),
    [
        ("", " --extra local", f"--backend local {QWEN} --restart-every 5000"),
        ("local", " --extra local", f"--backend local {QWEN} --restart-every 5000"),
        ("local a/b", " --extra local", "--backend local --model a/b --restart-every 5000"),
        ("--force", " --extra local", f"--backend local {QWEN} --restart-every 5000 --force"),
        ("mock", "", "--backend mock --restart-every 5000"),
        ("mock --prompt local", "", "--backend mock --restart-every 5000 --prompt local"),
        ("openai", " --extra api", "--backend openai --restart-every 5000"),
        (
            "openai gpt-4o --max-workers 3",
            " --extra api",
            "--backend openai --model gpt-4o --restart-every 5000 --max-workers 3",
        ),
        ("gemini --max-workers 3", " --extra api", "--backend gemini --restart-every 5000 --max-workers 3"),
        ("mock --ray", " --extra ray", "--backend mock --restart-every 5000 --ray"),
        ("mock --videos", " --extra videos", "--backend mock --restart-every 5000 --videos"),
        ("mock --ray=auto", " --extra ray", "--backend mock --restart-every 5000 --ray=auto"),
        (
            "xai --shard 2/8 --engine=ray",
            " --extra api --extra ray",
            "--backend xai --restart-every 5000 --shard 2/8 --engine=ray",
        ),
    ],
)
def test_words_become_an_extra_and_flags(uv: StandIn, words: str, extra: str, flags: str) -> None:
    ended = loop(ROOT / "run_loop.sh", *words.split(), **uv.environment())
    assert (ended.code, ended.out) == (0, [DONE]), ended.err
    assert uv.calls == [f"sync --inexact{extra}", f"run --no-sync python caption.py run {flags}"]


def test_force_is_passed_on_once_and_all_else_every_time(uv: StandIn) -> None:
    words = ["mock", "m", "--force", "--retry-status", "error_api", "--prompt", "What  is *this*?"]
    ended = loop(ROOT / "run_loop.sh", *words, BATCH="7", **uv.environment(0, 2, 0, 2, 0, 0))
    assert (ended.code, ended.out) == (0, [batch_done(7), batch_done(7), DONE]), ended.err
    runs = [call for call in uv.calls if "caption.py run" in call]
    start_of_all = "run --no-sync python caption.py run --backend mock --model m --restart-every 7"
    rest = "--retry-status error_api --prompt What  is *this*?"
    assert runs == [f"{start_of_all} --force {rest}"] + [f"{start_of_all} {rest}"] * 2
