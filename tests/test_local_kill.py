"""A kill in the middle of a batch of 128 photos, with a real model in small: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.conftest import wait_for
from tests.helpers.local_backend import WarmProduct, caption, local, models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["local", "models"]  # fixtures

LARGE_BATCHES = """
import pathlib, sys, time
import backends, caption
from backends.local_hf import LocalHFBackend

BEGUN = pathlib.Path({begun!r})

class Large(LocalHFBackend):
    '''A card for 128 photos, which says what it begins with, and stays in the second batch of that size.'''
    def _load(self, *args):
        super()._load(*args)
        self.batch_size = 128
        generate = self._model.generate
        def told(**inputs):
            count = len(inputs["input_ids"])
            with BEGUN.open("a") as file:
                print(count, file=file)
            if BEGUN.read_text().split().count("128") == 2 and not {whole}:
                time.sleep(600)
            return generate(**inputs)
        self._model.generate = told

backends.BACKENDS["local"] = backends.BackendInfo("__main__", "Large", "local", None, "")
caption.main()
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_batch_of_128(
    models: Callable[[str], Path], local: WarmProduct, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(400):
        shape = (60 + number % 3, 40) if number % 2 else (40, 60 + number % 3)
        Image.new("RGB", shape, (number % 250, 90, 120)).save(photos / f"{number:03}.png")
    local.photos = photos
    begun = tmp_path / "begun"
    begun.touch()
    local.script = tmp_path / "large.py"
    local.script.write_text(LARGE_BATCHES.format(begun=str(begun), whole=False))
    command = ("run", "--backend", "local", "--model", str(models("qwen2_5_vl")))
    process = local.start_warm(*command, "--photos-dir", str(photos))
    wait_for(lambda: begun.read_text().split().count("128") == 2, seconds=240)
    wait_for(lambda: local.line_count() >= 128, seconds=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = local.journal.read_text()
    kept = kept[: kept.rfind("\n") + 1]
    done = kept.count("\n")
    assert 128 <= done <= 400 - 128  # what was written before; of the batch in the model, nothing
    local.script.write_text(LARGE_BATCHES.format(begun=str(begun), whole=True))
    caption(local, models("qwen2_5_vl"))
    assert local.journal.read_text().startswith(kept)
    records = local.records()
    assert local.line_count() == len(records) == 400
    assert {line["status"] for line in records.values()} == {"success"}
    sizes = list(map(int, begun.read_text().split()))
    assert max(sizes) == 128
    assert sum(sizes) >= 400 + 128  # the batch that was killed, again
