"""The shape of the project: arrows between files, imports at start, docs that tell the truth."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backends import BACKENDS
from cli.exit import ExitCode
from config import Settings
from journal import STATUSES, CaptionRecord
from tests.conftest import ROOT, Product

ARROWS = {
    "caption": {"backends", "cli", "cluster_report", "journal"},
    "cluster_report": {"backends", "cli", "errors", "report"},
    "cli": {
        "backends",
        "config",
        "costs",
        "engines",
        "errors",
        "image_loader",
        "journal",
        "library",
        "report",
        "search",
        "sidecars",
    },
    "search": {"errors", "journal", "library", "report"},
    "report": {"backends", "decoding", "errors", "journal", "library"},
    "sidecars": {"errors", "library"},
    "engines": {"backends", "config", "costs", "decoding", "errors", "journal", "library"},
    "journal": {"errors", "library"},
    "costs": {"backends", "errors", "library"},
    "decoding": {"errors", "image_loader", "library"},
    "backends": {"config", "errors", "image_loader", "library"},
    "image_loader": {"errors", "library"},
    "library": {"errors"},
    "config": {"errors"},
    "errors": set[str](),
}
"""What each file or package may import of the others; the design's arrows, which go down only."""
PLAIN = (
    "engines/*.py",
    "library/*.py",
    "decoding/*.py",
    "cli/*.py",
    "costs/*.py",
    "backends/*.py",
    "engines/ray/*.py",
    "report/**/*.py",
    "search/*.py",
    "sidecars/*.py",
    "report/files/templates/*",
    "errors.py",
    "README.md",
    "journal.py",
    "image_loader.py",
    "config.py",
    "caption.py",
    "cluster_report.py",
    "run_loop.sh",
    "docs/journal-format.md",
    "docs/exit-codes.md",
)
"""What is held to plain words so far: globs from the project's folder."""
NOT_PLAIN = re.compile(
    r"\b(?:anew|besides|heed(?:s|ed|ing)?|reckon(?:s|ed|ing)?|vouch(?:es|ed|ing)?|mend(?:s|ed|ing)?|nobody"
    r"|(?:so many|so long|in vain|of its own|makes no event of)".replace(" ", r"[\s#\"]+")
    + r")\b",
    re.IGNORECASE,
)
"""Words that a newcomer stumbles over, also where a line ends within them."""
ALLOWED: dict[str, set[str]] = {}
"""Files that may use such a word, because it is part of a name or means something else there."""
SLOW = {
    "torch",
    "transformers",
    "numpy",
    "umap",
    "hdbscan",
    "openai",
    "anthropic",
    "google.genai",
    "genai_prices",
    "pillow_heif",
    "PIL",
}


def modules() -> dict[str, list[Path]]:
    return {name: [ROOT / f"{name}.py"] if (ROOT / f"{name}.py").exists() else sorted((ROOT / name).rglob("*.py")) for name in ARROWS}  # fmt: skip


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", ARROWS)
def test_arrows_go_down_only(name: str) -> None:
    for path in modules()[name]:
        assert imports(path) & set(ARROWS) - {name} <= ARROWS[name], path.name


def test_only_the_journal_and_its_driver_know_the_journal() -> None:
    for path in modules()["backends"] + modules()["decoding"]:
        assert "journal" not in imports(path)


def test_the_report_knows_only_the_hub_of_the_backends() -> None:
    for path in modules()["report"]:
        assert set(re.findall(r"from (backends\S*) import", path.read_text())) <= {"backends.hub"}, path.name


def test_every_file_says_what_it_owns() -> None:
    for paths in modules().values():
        for path in paths:
            docstring = ast.get_docstring(ast.parse(path.read_text()))
            assert docstring, path
            assert docstring.splitlines()[0].endswith("."), path


@pytest.mark.parametrize(
    ("arguments", "too_slow"),
    [
        (["--help"], SLOW | {"pydantic"}),
        (["run", "--help"], SLOW),
        (["estimate", "--help"], SLOW),
        (["stats"], SLOW),
        (
            [
                "estimate",
                "--all",
                "--captions-jsonl",
                "none.jsonl",
                "--photos-dir",
                str(ROOT / "examples" / "photos"),
            ],
            SLOW - {"PIL", "pillow_heif", "genai_prices"},
        ),
    ],
)
def test_what_is_quick_imports_nothing_slow(
    product: Product, arguments: list[str], too_slow: set[str]
) -> None:
    product.journal.write_text('{"rel_path": "a.jpg", "caption": "a", "status": "success"}\n')
    program = (
        "import json, runpy, sys\n"
        f"sys.argv = ['caption.py', *{arguments!r}]\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "try:\n"
        f"    runpy.run_path({str(ROOT / 'caption.py')!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=product.folder, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & too_slow


def test_the_reports_help_imports_nothing_slow(product: Product) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "cluster_report.py"), "--help"],
        cwd=product.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & (SLOW | {"pydantic", "scipy", "sklearn", "numba", "sentence_transformers"})


def test_the_page_of_flags_is_what_the_commands_say() -> None:
    command = [sys.executable, "-m", "docs.make_cli"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "cli.md").read_text()
    assert page == made, "make it again: uv run python -m docs.make_cli > docs/cli.md"


def test_exit_codes_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == {
        int(code) for code in ExitCode
    }


def test_journal_page_names_every_field_and_status() -> None:
    page = (ROOT / "docs" / "journal-format.md").read_text()
    for name in [*CaptionRecord.model_fields, *STATUSES]:
        assert f"`{name}`" in page, name


def test_example_settings_name_every_setting() -> None:
    names = re.findall(r"^([A-Z_]+)=", (ROOT / "config.env.example").read_text(), re.MULTILINE)
    assert set(names) == set(Settings.model_fields)
    assert {info.key for info in BACKENDS.values() if info.key} <= set(names)


def test_the_readmes_first_command_captions_the_examples(product: Product) -> None:
    """Its exact words, but for `uv run`, which the test already runs under, and the folder it writes to."""
    first = (ROOT / "README.md").read_text().split("```bash\n")[1].splitlines()[0]
    assert len(first) < 110
    script = first.removeprefix("uv run --extra report-core python ")
    done = subprocess.run(
        [sys.executable, ROOT / script],
        cwd=product.folder,
        env=product.env,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [p for p in (ROOT / "examples" / "photos").rglob("*") if p.is_file()]
    product.journal = product.folder / "demo" / "captions.jsonl"
    assert len(product.records()) == len(files)
    assert sum(r["status"] == "error_corrupt" for r in product.lines()) == 2, (
        "one truncated photo and one video"
    )
    assert "; 1 error (1 error_corrupt), 1 video." in done.stderr
    assert "11 captioned, 1 error, 0 vocabulary fallbacks, 1 video" in done.stderr
    page = Path(done.stdout.splitlines()[-1].removeprefix("Open "))
    assert len((page.parent / "cluster_export.csv").read_text().splitlines()) == len(files) + 1
    assert page.exists()


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), (page.name, target)


@pytest.mark.parametrize("room", PLAIN)
def test_the_words_are_plain(room: str) -> None:
    paths = sorted(ROOT.glob(room))
    assert paths, "the room has moved: name its new place"
    for path in paths:
        text = path.read_text("utf-8")
        found = {" ".join(re.split(r"[\s#\"]+", match[0].lower())) for match in NOT_PLAIN.finditer(text)}
        assert found <= ALLOWED.get(path.relative_to(ROOT).as_posix(), set()), path


def test_a_word_that_is_not_plain_is_found() -> None:
    text = 'Begin anew.\n# So\n# many photos, "of its own", and it was mended. Nobody MENDS a sentiment or a vouchsafe.'
    assert [match[0].split()[0].lower() for match in NOT_PLAIN.finditer(text)] == [
        *("anew", "so", "of", "mended", "nobody", "mends"),
    ]


def test_nothing_private_is_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text()
    for name in (
        "config.env",
        "captions*.jsonl*",
        "*.log",
        "uv.lock",
        "cluster_export.*",
        "cluster_report.md",
    ):
        assert name in ignored.splitlines()
