"""Reports as users make them, and lines of a journal for them to read."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Product
from tests.helpers.tiny_clip import build
from tests.helpers.warm import WarmProcess

EXAMPLES = ROOT / "examples" / "photos"
FILES = ("cluster_export.csv", "cluster_report.md", "cluster_export.parquet")


class Report(Product):
    """cluster_report.py with its output in a folder of its own."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "cluster_report.py"), *arguments]

    def make(self, *arguments: str, code: int = 0, photos: bool = True) -> str:
        """Make the report without a model; return what was said."""
        where = ["--photos-dir", str(self.photos)] if photos else []
        return self.call(*where, "--embedder", "pixels", *arguments, code=code, timeout=300).stderr

    def with_model(self, *arguments: str) -> None:
        """Make the report with a model, in a process that need not import torch anew."""
        command = [str(ROOT / "cluster_report.py"), *arguments]
        process = WarmProcess(command, cwd=self.folder, env=self.env, folder=self.folder.parent)
        _, said = process.communicate(300)
        assert process.returncode == 0, said

    def rows(self) -> dict[str, dict[str, str]]:
        with (self.folder / FILES[0]).open(newline="", encoding="utf-8-sig") as file:
            return {row["rel_path"]: row for row in csv.DictReader(file)}

    def text(self) -> str:
        return (self.folder / FILES[1]).read_text()

    def write(self, *records: dict[str, str | None]) -> None:
        self.journal.write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    folder = tmp_path / "out"
    folder.mkdir()
    return Report(folder, EXAMPLES)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("clip") / "tiny-clip")


def said(path: str, caption: str | None, status: str = "success", **more: str) -> dict[str, str | None]:
    return {"rel_path": path, "caption": caption, "status": status, **more}
