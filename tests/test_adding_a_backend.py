"""docs/adding_a_backend.md tells the truth: its very text makes a backend that works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.conftest import ROOT, draw

SDK = """
from types import SimpleNamespace
import base64

class Client:
    def __init__(self, api_key, retries):
        assert api_key == "k-123" and retries == 0
    def describe(self, model, jpeg, prompt):
        assert base64.b64decode(jpeg).startswith(b"\\xff\\xd8")
        return SimpleNamespace(text=f"A picture seen by {model}.", finish_reason="stop", input_tokens=7, output_tokens=3)
"""


def test_the_pages_own_text_makes_a_working_backend(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "adding_a_backend.md").read_text()
    template, line, price = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    tree = tmp_path / "tree"
    shutil.copytree(
        ROOT,
        tree,
        ignore=shutil.ignore_patterns(
            ".*", "tests", "docs", "benchmarks", "examples", "__pycache__", "*.jsonl*"
        ),
    )
    (tree / "backends" / "my_backend.py").write_text(template)
    (tree / "my_sdk.py").write_text(SDK)
    table = tree / "backends" / "__init__.py"
    table.write_text(table.read_text().replace("BACKENDS = {\n", f"BACKENDS = {{\n    {line.strip()}\n", 1))
    settings = tree / "config.py"
    field = re.search(r"`(MY_API_KEY: SecretStr[^`]*)`", page)
    assert field
    settings.write_text(
        settings.read_text().replace("    XAI_API_KEY", f"    {field[1]}\n    XAI_API_KEY", 1)
    )
    draw(tmp_path / "photos" / "a.jpg")

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        flags = ["run", "--backend", "my", "--photos-dir", "photos", *more]
        command = [sys.executable, str(tree / "caption.py"), *flags]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    refused = run()
    assert refused.returncode == 1
    assert "add the line MY_API_KEY=... to config.env" in refused.stderr
    (tmp_path / "config.env").write_text("MY_API_KEY=k-123\n")
    assert "No prices are known for the my backend" in run("--budget", "5").stderr
    assert "one server only: leave out --base-url" in run("--base-url", "http://localhost:1").stderr
    done = run()
    assert done.returncode == 0, done.stderr
    with (tree / "backends" / "my_backend.py").open("a") as file:
        file.write("\n" + textwrap.indent(textwrap.dedent(price), "    "))
    (tmp_path / "captions.jsonl").rename(tmp_path / "first.jsonl")
    flags = ["--backend", "my", "--model", "pixtral-12b-latest", "--photos-dir", "photos"]
    command = [sys.executable, str(tree / "caption.py"), "estimate", *flags]
    estimate = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Estimated cost:    ~$0.00" in estimate.stdout
    assert "genai-prices" in estimate.stdout
    assert "less than one photo may cost ($0.00" in run(*flags[2:4], "--budget", "0.000001").stderr
    (tmp_path / "first.jsonl").rename(tmp_path / "captions.jsonl")
    journal = (tmp_path / "captions.jsonl").read_text()
    assert '"A picture seen by my-model-1."' in journal
    assert '"my/my-model-1"' in journal
    assert "api.my-provider.example" in done.stderr
    assert "Used 7 input and 3 output tokens" in done.stderr


def test_five_files_are_enough() -> None:
    """What the test above has changed, and what the steps tell to change as well: nothing else knows a provider."""
    steps = (
        (ROOT / "docs" / "adding_a_backend.md").read_text().partition("## The steps")[2].partition("\n## ")[0]
    )
    files = set(re.findall(r"`((?:backends/)?\w+\.(?:py|env\.example|toml))`", steps))
    assert files == {"backends/__init__.py", "config.py", "config.env.example", "pyproject.toml"}, (
        "and its own"
    )
    knowing = {
        path.relative_to(ROOT).as_posix()
        for folder in ("backends", "cli", "costs", "engines", "library")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\b(anthropic|gemini|xai)\b", path.read_text())
    }
    assert knowing <= {"backends/__init__.py", "backends/cloud.py", *(f"backends/{name}_api.py" for name in ("openai", "anthropic", "gemini"))}  # fmt: skip
