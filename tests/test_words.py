"""What messages tell people to type, in a checkout and where the program is installed."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, Product, wait_for

PROGRAM = "picture-captioner"


def install(product: Product) -> Path:
    """Make what pip makes of a console script, beside nothing; the code stays where it is."""
    script = product.folder / "bin" / PROGRAM
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom caption import main\nsys.exit(main())\n")
    script.chmod(0o755)
    product.env["PYTHONPATH"] = str(ROOT)
    return script


def call(product: Product, *command: str, code: int = 0) -> str:
    done = product.complete(list(command), code)
    return done.stdout + done.stderr


def advised(said: str) -> list[str]:
    """Return the command that the last line ends with, in words."""
    return shlex.split(said.rstrip().splitlines()[-1].partition(" with: ")[2])


@pytest.mark.parametrize("on_path", [True, False])
def test_an_installed_program_advises_its_own_name(product: Product, on_path: bool) -> None:
    script = install(product)
    if on_path:
        product.env["PATH"] = f"{script.parent}:{product.env['PATH']}"
    said = call(product, str(script), "--backend", "mock", "--photos-dir", str(product.photos), "--limit=3")
    way = advised(said)
    assert way[:2] == [PROGRAM if on_path else str(script), "run"]
    assert "3 photos" in call(product, *way)
    call(product, *(word for word in way if word != "--limit=3"))
    way = advised(call(product, *way))
    assert way[1] == "stats"
    assert "12 photos" in call(product, *way)


def test_a_program_of_the_same_name_is_not_advised(product: Product) -> None:
    script = install(product)
    (product.folder / "other").mkdir()
    other = product.folder / "other" / PROGRAM
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    product.env["PATH"] = f"{other.parent}:{product.env['PATH']}"
    said = call(
        product, str(script), "--backend", "mock", "--photos-dir", str(product.photos), "--limit", "3"
    )
    assert advised(said)[0] == str(script)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["--force", "--limit", "3"], ["--limit", "3"]),
        (["--limit=3", "--restart-every=4"], ["--limit=3"]),
        (["--restart-every", "4", "--limit=3", "--force"], ["--limit=3"]),
        (["--prompt", "it's --force, or $HOME", "--limit", "3", "--force"], ["--prompt", "it's --force, or $HOME", "--limit", "3"]),
    ],
)  # fmt: skip
def test_the_way_on_is_the_command_without_what_begins_anew(
    product: Product, given: list[str], left: list[str]
) -> None:
    begin = ["--backend", "mock", "--photos-dir", str(product.photos)]
    way = advised(product.call(*begin, *given).stderr)
    assert way == ["uv", "run", "python", str(ROOT / "caption.py"), "run", *begin, *left]


def test_the_report_is_a_command_too(product: Product) -> None:
    script = install(product)
    said = call(product, str(script), "report", "--help")
    assert f"Usage: {PROGRAM} report" in said
    assert "--embedder" in said
    said = call(product, str(script), "report", "--photos-dir", "", code=64)
    assert "--photos-dir is empty" in said


@pytest.mark.parametrize("installed", [True, False])
def test_a_ctrl_c_during_the_imports_ends_without_a_traceback(product: Product, installed: bool) -> None:
    command = [str(install(product))] if installed else product.command()
    (product.folder / "shim").mkdir()
    (product.folder / "shim" / "typer.py").write_text(
        f"import time\nopen({str(product.folder / 'begun')!r}, 'w')\ntime.sleep({PATIENCE})\n"
    )
    product.env["PYTHONPATH"] = f"{product.folder / 'shim'}:{ROOT}"
    process = subprocess.Popen(
        [*command, "--version"], cwd=product.folder, env=product.env, stderr=subprocess.PIPE, text=True
    )
    wait_for((product.folder / "begun").exists)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == -signal.SIGINT
