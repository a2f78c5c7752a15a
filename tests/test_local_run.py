"""Runs of the product with the local backend: real photos, kills, downloads, and code of the model's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from caption import DEFAULT_PROMPT
from errors import StopRunError
from image_loader import load_image
from tests.conftest import ROOT, Product, wait_for
from tests.helpers.hub import Hub
from tests.helpers.journals import mountable
from tests.helpers.local_backend import EXAMPLES, WarmProduct, caption, load, local, models
from tests.helpers.loops import batch_done, copy_project, loop
from tests.helpers.tiny_model import build_with_custom_code

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["local", "models"]  # fixtures


@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm", "florence2"])
def test_a_run_over_real_photos(family: str, models: Callable[[str], Path], local: WarmProduct) -> None:
    """The plan's phase 4: what the mock has captioned before is captioned again, and then nothing is."""
    local.run("--limit", "5")
    said = caption(local, models(family), "--max-workers", "8")
    assert "as float32" in said
    assert "Local backend is single-threaded (GPU memory constraint). Ignoring --max-workers." in said
    records = local.records()
    captions = {path: line for path, line in records.items() if line["status"] == "success"}
    assert len(records) == 13
    assert len(captions) == 11  # one photo is broken, one is a video
    assert all(line["model"] == f"local/tiny-{family}" for line in captions.values())
    assert str(models(family).parent) not in local.journal.read_text()
    count = local.line_count()
    again = caption(local, models(family))
    assert "Starting torch" not in again  # nothing left to do: nothing loaded
    assert local.line_count() == count


SMALL_CARD = """
import sys
import torch
import backends, caption
from backends.local_hf import LocalHFBackend

class Small(LocalHFBackend):
    '''A card in which two photos fit, and whose first guess is eight.'''
    def _load(self, *args):
        super()._load(*args)
        self.batch_size = 8
        generate = self._model.generate
        def bounded(*args, **inputs):
            if len(inputs["input_ids"]) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return generate(*args, **inputs)
        self._model.generate = bounded

backends.BACKENDS["local"] = backends.BackendInfo("__main__", "Small", "local", None, "")
caption.main()
"""


def test_what_does_not_fit_is_halved_and_no_photo_is_lost(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    local.script = tmp_path / "small.py"
    local.script.write_text(SMALL_CARD)
    said = caption(local, models("qwen2_5_vl"))
    assert "do not fit into memory: going on with" in said
    assert {line["status"] for line in local.lines()} == {"success", "error_corrupt"}
    captions = {path: line["caption"] for path, line in local.records().items() if line["caption"]}
    assert len(captions) == 11
    backend = load(models("qwen2_5_vl"), DEFAULT_PROMPT)
    for path, text in captions.items():
        assert backend.caption(load_image(EXAMPLES / path)).text == text


@pytest.mark.slow
def test_a_kill_loses_nothing_and_repeats_nothing(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    """A strip gets its caption too, although Qwen's processor wants none 200 times as wide as high: it was padded."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(60):
        Image.new("RGB", (90 + number, 60), (number * 4, 90, 120)).save(photos / f"{number:02}.png")
    Image.new("RGB", (4000, 8), "teal").save(photos / "31 strip.png")
    local.photos = photos
    process = local.start_warm(
        "run", "--backend", "local", "--model", str(models("qwen2_5_vl")), "--photos-dir", str(photos)
    )
    wait_for(lambda: local.line_count() > 5, seconds=120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = local.journal.read_text()
    kept = kept[: kept.rfind("\n") + 1]
    assert kept.count("\n") < 60  # it was killed in the middle
    caption(local, models("qwen2_5_vl"))
    assert local.journal.read_text().startswith(kept)
    records = local.records()
    assert local.line_count() == len(records) == 61
    assert {line["status"] for line in records.values()} == {"success"}


@pytest.mark.slow
def test_ctrl_c_in_the_model_ends_in_good_order(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    """Even when the model does not come back in time."""
    slow = "numbers = torch.rand(3000, 3000)\n            for _ in range(200): numbers = numbers @ numbers / 3000"
    local.script = tmp_path / "slow.py"
    local.script.write_text(SMALL_CARD.replace("if len", f"{slow}\n            if len"))
    flags = ("run", "--backend", "local", "--model", str(models("qwen2_5_vl")), "--photos-dir", str(EXAMPLES))
    process = local.start_warm(*flags)
    wait_for(lambda: local.line_count() > 0, seconds=120)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(60)
    assert process.returncode == 130, said
    assert "everything written is safe" in said


@pytest.mark.slow
def test_the_loop_with_the_extra_alone(models: Callable[[str], Path], tmp_path: Path) -> None:
    """The plan's phase 6: run_loop.sh makes an environment that holds the `local` extra, and nothing else."""
    project = copy_project(ROOT, tmp_path / "project")
    for family, batch in (("qwen2_5_vl", 7), ("smolvlm", 20)):
        journal = tmp_path / f"{family}.jsonl"
        flags = ("--photos-dir", str(EXAMPLES), "--captions-jsonl", str(journal))
        ended = loop(project / "run_loop.sh", "local", str(models(family)), *flags, BATCH=str(batch))
        assert ended.code == 0, ended.err
        assert ended.out == [batch_done(7)] * (batch == 7) + ["All photos captioned."]
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        assert len({line["rel_path"] for line in lines}) == len(lines) == 13
        assert sum(line["status"] == "success" for line in lines) == 11
    packages = {path.name for path in (project / ".venv").glob("lib/python*/site-packages/*")}
    assert "torchvision" in packages
    assert not packages & {"openai", "anthropic", "umap", "ray", "pytest"}


def test_code_of_the_models_own_runs_only_when_allowed(
    local: WarmProduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_with_custom_code(tmp_path / "own-code")
    marker = tmp_path / "it ran"
    local.env["TINY_MARKER"] = str(marker)
    monkeypatch.setenv("TINY_MARKER", str(marker))
    with pytest.raises(StopRunError, match=r"needs its own program code.*--trust-remote-code"):
        load(folder)
    assert not marker.exists()
    caption(local, folder, "--trust-remote-code")
    assert marker.exists()
    assert sum(line["status"] == "success" for line in local.lines()) == 11


@pytest.mark.slow
def test_the_first_run_downloads_and_the_next_asks_nobody(
    models: Callable[[str], Path], tmp_path: Path
) -> None:
    local = Product(tmp_path, EXAMPLES)  # a cold one: where the Hub is, is read when its client is imported
    local.env["HF_HOME"] = str(tmp_path / "hf")
    with Hub(models("qwen2_5_vl"), "someone/tiny") as hub:
        local.env |= {"HF_ENDPOINT": hub.url}
        said = caption(local, "someone/tiny", "--limit", "2")
        assert "Downloading someone/tiny, 0.0 GB, once, to" in said
        assert any("model.safetensors" in request for request in hub.requests)
        assert "has no model someone/else" in caption(local, "someone/else", code=1)
    caption(local, "someone/tiny", "--limit", "2")  # the Hub is gone
    assert {line["model"] for line in local.lines() if "model" in line} == {"local/someone/tiny"}
    said = caption(local, "someone/other", code=1)
    assert "cannot be reached" in said
    assert "and give that folder as --model." in said
    assert "neither a folder nor the name of a model" in caption(local, "./no/such/folder", code=1)
    flags = ("run", "--backend", "local", "--photos-dir", str(EXAMPLES))
    default = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct" if not torch.cuda.is_available() else "Qwen/"
    assert f"The files of {default}" in local.call(*flags, code=1).stderr


FETCH = """
import sys
from errors import StopRunError
from backends.hub import snapshot
try:
    snapshot("someone/tiny", flag="--model")
    print(snapshot("someone/tiny", flag="--model", weights=("*.safetensors",)))
except StopRunError as error:
    print(error)
"""


def test_a_download_that_cannot_be(models: Callable[[str], Path], tmp_path: Path) -> None:
    """Gated, with no room, cut off by another program: each is a sentence, and what is there is used."""
    home = tmp_path / "hf"

    def fetch(*before: str) -> str:
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [*before, sys.executable, "-c", FETCH],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with Hub(models("smolvlm"), "someone/tiny") as hub:
        hub.gated = True
        assert "accept them at" in fetch()
        hub.gated = False
        if mountable():
            home.mkdir(exist_ok=True)
            small = f'mount -t tmpfs -o size=300k none "{home}" && exec "$@"'
            assert "make room there" in fetch("unshare", "-rm", "sh", "-c", small, "sh")
        folder = Path(fetch())
        assert (folder / "model.safetensors").exists()
        for tree in home.glob(
            "hub/models--*/trees"
        ):  # what tells a whole folder from one that is not; others keep none
            shutil.rmtree(tree)
        (folder / "model.safetensors").unlink()
        hub.requests.clear()
        assert fetch() == str(folder)
        assert (folder / "model.safetensors").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--backend", "local", "--quantize", "int3"),
        ("--backend", "mock", "--quantize", "int4"),
        ("--backend", "mock", "--trust-remote-code"),
    ],
)
def test_wrong_flags_are_refused(words: tuple[str, ...], local: WarmProduct) -> None:
    local.call("run", *words, code=64)
