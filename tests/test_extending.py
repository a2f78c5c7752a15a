"""docs/extending.md tells the truth: its very text, put where it says, makes things that work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT, Product

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "tree"
    left_out = shutil.ignore_patterns(".*", "tests", "benchmarks", "examples", "__pycache__", "*.jsonl*")
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


def extend(tree: Path, heading: str) -> list[str]:
    """Put the code of a section of the page where its first lines say; return the names of the files."""
    page = (ROOT / "docs" / "extending.md").read_text()
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    names = []
    for name, place, code in re.findall(r"```python\n# (\S+?)(?:, ([^\n]*))?\n(.*?)```", text, re.DOTALL):
        names.append(name)
        path = tree / name
        if not place:
            assert not path.exists()
            path.write_text(code)
            continue
        old = path.read_text()
        if place == "before main":
            new = old.replace("\ndef main()", f"\n{code}\n\ndef main()")
        else:
            table = place.removeprefix("at the end of ")
            imports = "".join(line for line in code.splitlines(keepends=True) if line.startswith("from "))
            entry = code.removeprefix(imports).strip().rstrip(",")
            new = re.sub(rf"(\n{table} = {{.*?)(,?\n?}}\n)", rf"\1, {entry}\2", old, count=1, flags=re.DOTALL)
            new = new.replace("\nfrom ", f"\n{imports}from ", 1)
        assert new != old, (name, place)
        path.write_text(new)
    return names


def run(tree: Path, folder: Path, script: str, *flags: str) -> str:
    command = [sys.executable, str(tree / script), *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def report(tree: Path, folder: Path, *flags: str) -> str:
    photos = ROOT / "examples" / "photos"
    return run(tree, folder, "cluster_report.py", "--photos-dir", str(photos), *flags)


def made_page(tree: Path) -> str:
    command = [sys.executable, "-m", "docs.make_cli"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout


def test_a_command_takes_three_files(tree: Path, product: Product) -> None:
    names = extend(tree, "A command")
    assert names == ["cli/top_words.py", "caption.py"], "and docs/cli.md"
    run(tree, product.folder, "caption.py", "run", "--backend", "mock", "--photos-dir", str(product.photos))
    assert "10 mock\n" in run(tree, product.folder, "caption.py", "top-words")
    assert "## caption.py top-words\n\nPrint the words that the captions use most." in made_page(tree)


def test_an_embedder_takes_three_files(tree: Path, tmp_path: Path) -> None:
    names = extend(tree, "An embedder")
    assert names == ["report/vectors/brightness.py", "report/vectors/base.py"], "and docs/cli.md"
    said = report(tree, tmp_path, "--embedder", "brightness")
    assert "11 photos have a vector, 11 new." in said
    assert "Grouped by where pictures are light and dark" in (tmp_path / "cluster_report.md").read_text()
    assert "`brightness`" in made_page(tree)


def test_an_output_takes_four_files(tree: Path, tmp_path: Path) -> None:
    names = extend(tree, "An output")
    assert names == ["report/files/headings.py", "report/files/__init__.py"], (
        "and docs/report.md and .gitignore"
    )
    assert "cluster_headings.txt" in report(tree, tmp_path, "--embedder", "pixels")
    headings = (tmp_path / "cluster_headings.txt").read_text().splitlines()
    page = (tmp_path / "cluster_report.md").read_text()
    assert headings
    assert all(heading in page for heading in headings)
