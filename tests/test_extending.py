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
            table = place.removeprefix("in ")
            imports = "".join(line for line in code.splitlines(keepends=True) if line.startswith("from "))
            entry = code.removeprefix(imports).strip()
            new = old.replace(f"\n{table} = {{", f"\n{table} = {{{entry} ", 1)
            new = new.replace("\nfrom ", f"\n{imports}from ", 1)
        assert new != old, (name, place)
        path.write_text(new)
    return names


def run(tree: Path, folder: Path, script: str, *flags: str) -> str:
    command = [sys.executable, str(tree / script), *flags]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def made_page(tree: Path) -> str:
    command = [sys.executable, "-m", "docs.make_cli"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout


def test_a_command_takes_three_files(tree: Path, product: Product) -> None:
    names = extend(tree, "A command")
    assert names == ["cli/top_words.py", "caption.py"], "and docs/cli.md"
    run(tree, product.folder, "caption.py", "run", "--backend", "mock", "--photos-dir", str(product.photos))
    assert "10 mock\n" in run(tree, product.folder, "caption.py", "top-words")
    assert "## caption.py top-words\n\nPrint the words that the captions use most." in made_page(tree)
