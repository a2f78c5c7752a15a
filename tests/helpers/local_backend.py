"""The local backend and small real models for it; the product with them, in processes that start quickly."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from backends.local_hf import LocalHFBackend
from config import Settings
from tests.conftest import ROOT, Product
from tests.helpers.tiny_model import build
from tests.helpers.warm import WarmProcess

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl", "florence2")
EXAMPLES = ROOT / "examples" / "photos"
PROMPT = "Describe this photo in one sentence."


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what builds a family's model folder, once."""
    root = tmp_path_factory.mktemp("models")

    def model(family: str) -> Path:
        folder = root / f"tiny-{family}"
        return folder if folder.exists() else build(family, folder)

    return model


class WarmProduct(Product):
    """The product in processes that need not import torch anew; `script` stands for caption.py."""

    script = ROOT / "caption.py"

    def start_warm(self, *arguments: str) -> WarmProcess:
        command = [str(self.script), *arguments]
        return WarmProcess(command, cwd=self.folder, env=self.env, folder=self.folder.parent)

    def call(self, *arguments: str, code: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        process = self.start_warm(*arguments)
        out, err = process.communicate(timeout)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return subprocess.CompletedProcess(process.args, code, out, err)


@pytest.fixture
def local(tmp_path: Path) -> WarmProduct:
    """The product over the example photos."""
    folder = tmp_path / "work"
    folder.mkdir()
    product = WarmProduct(folder, EXAMPLES)
    product.env |= {"HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    return product


def caption(product: Product, model: Path | str, *more: str, code: int = 0) -> str:
    """`run` with the local backend; return what it said."""
    photos = ["--photos-dir", str(product.photos)]
    return product.call(
        "run", "--backend", "local", "--model", str(model), *photos, *more, code=code, timeout=300
    ).stderr


def examples() -> list[Image.Image]:
    """Pictures of very different shapes, as the loader gives them."""
    pictures = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("2023/**/*.JPG"))[:3]]
    for picture in pictures:
        picture.thumbnail((1024, 1024))
    return [*pictures, Image.new("RGB", (1000, 210), "teal"), Image.new("RGB", (60, 90), "pink")]


def load(folder: Path, prompt: str = PROMPT, **options: str | bool) -> LocalHFBackend:
    return LocalHFBackend(str(folder), Settings(), prompt, **options)  # type: ignore[arg-type]
