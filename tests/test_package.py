"""The package as users install it: what a wheel holds, and both steps from an empty folder in an empty environment.

All is done with the pip that comes with Python, from the index that it is set up with. Docker is not needed: the steps of
the Dockerfile are read from it and run in the same environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from cli import VERSION
from tests.conftest import PATIENCE, ROOT
from tests.test_design import ARROWS, modules

INSTALLING = 1500.0
"""Seconds for some 400 MB of packages, which come over any line."""


class Installed:
    """An environment with the wheel in it, and its programs as commands of a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.wheels = folder / "wheels"
        self.bin = folder / "env" / "bin"
        self.work = folder / "work"
        self.work.mkdir()
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
        for name in ("PHOTOS_DIR", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"):
            kept.pop(name, None)
        self.env = kept | {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        ignore = shutil.ignore_patterns(".*", "uv.lock", "build", "*.egg-info", "__pycache__", "captions*.jsonl*")
        shutil.copytree(ROOT, self.source, ignore=ignore)
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)

    def shell(
        self, command: str, code: int = 0, seconds: float = PATIENCE, env: dict[str, str] | None = None
    ) -> str:
        """Run a command as a user types it, in an empty folder at first; return all it said."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.work,
            env=self.env | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}"
        assert "Traceback" not in done.stdout
        return done.stdout

    @property
    def wheel(self) -> Path:
        (found,) = self.wheels.glob("*.whl")
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it with `report-core`, and nothing else."""
    made = Installed(tmp_path_factory.mktemp("package"))
    made.shell(f"pip wheel --no-deps --wheel-dir {made.wheels} {made.source}", seconds=INSTALLING)
    made.shell(f"pip install '{made.wheel}[report-core]'", seconds=INSTALLING)
    return made


@pytest.mark.slow
def test_the_wheel_holds_the_program_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = message_from_string(wheel.read(metadata).decode())
        licences = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
        assert [wheel.read(name) for name in licences] == [(ROOT / "LICENSE").read_bytes()]
    folders = [path.parent for paths in modules().values() for path in paths if path.parent != ROOT]
    files = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    files |= {ROOT / f"{name}.py" for name in ARROWS if (ROOT / f"{name}.py").exists()}
    program = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert {name for name in names if ".dist-info/" not in name} == program
    assert {
        "report/files/templates/page.html",
        "engines/refusals.txt",
        "report/naming/vocabulary.txt",
    } <= program
    assert (said["Version"], said["License-Expression"]) == (VERSION, "MIT")


@pytest.mark.slow
def test_both_steps_from_an_empty_folder(installed: Installed) -> None:
    """With what `report-core` brings, and following the advice that the program gives."""
    assert installed.shell("picture-captioner --version") == f"picture-captioner {VERSION}\n"
    assert installed.shell("pip list").find("torch") < 0
    photos = installed.source / "examples" / "photos"
    assert not list(installed.work.iterdir())
    said = installed.shell(f"picture-captioner --backend mock --limit 4 --photos-dir {photos}")
    assert "uv run" not in said
    (advice,) = re.findall(r"Go on with: (.*)", said)
    assert advice.startswith("picture-captioner run --backend mock")
    said = installed.shell(advice.replace("--limit 4", "--limit 99"))
    (advice,) = re.findall(r"Count them with: (.*)", said)
    assert "captions.jsonl: 13 photos" in installed.shell(advice)
    said = installed.shell(f"picture-captioner report --embedder pixels --photos-dir {photos}")
    assert "13 files" in said
    page = (installed.work / "cluster_report.html").read_text()
    assert "Mike Bostock" in page, "the page says whose code draws its map"
    assert len((installed.work / "cluster_export.csv").read_text().splitlines()) == 14
    again = installed.shell(f"cluster-report --embedder pixels --photos-dir {photos}")
    assert "11 photos have a vector, 0 new" in again
    said = installed.shell(f"cluster-report --photos-dir {photos}", code=1)
    assert said.rstrip().endswith("-m pip install 'picture-captioner-clusterer-chunker[report]'")


@pytest.mark.slow
def test_what_is_missing_can_be_got_by_the_command_that_is_shown(installed: Installed) -> None:
    """In an environment without any extra, made by pip or by uv."""
    made = installed.folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", made], check=True)
    by_pip = f"{made}/bin/pip install {installed.wheel}"
    by_uv = f"uv pip install --reinstall-package picture-captioner-clusterer-chunker --python {made}/bin/python {installed.wheel}"
    try_it = f"{made}/bin/picture-captioner run --backend openai --base-url http://127.0.0.1:9/v1 --model a --photos-dir {installed.source}/examples/photos --limit 1"
    for install in (by_pip, by_uv if shutil.which("uv") else by_pip):
        installed.shell(install, seconds=INSTALLING)
        said = installed.shell(try_it, code=1)
        (way,) = re.findall(r"Get them with: (.*)", said)
        assert way.endswith("'picture-captioner-clusterer-chunker[api]'")
        assert way.startswith("uv" if install is by_uv else str(made))
        installed.shell(way, seconds=INSTALLING)
        assert "Nothing answers" in installed.shell(try_it, code=1)
        installed.shell(f"{made}/bin/pip uninstall --yes openai anthropic google-genai httpx2")
    said = installed.shell(f"{made}/bin/cluster-report --embedder pixels", code=1)
    assert said.rstrip().endswith("[report-core]'")


@pytest.mark.slow
def test_the_steps_of_the_dockerfile(installed: Installed) -> None:
    """What it copies, each RUN and ENV, and its two commands, by somebody who may write nothing but his own folder."""
    text = (ROOT / "Dockerfile").read_text()
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert ["COPY", ". /source"] in steps
    root = installed.folder / "image"
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        for path in installed.source.glob(line[1:]) if line.startswith("!") else ():
            (root / "source").mkdir(parents=True, exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copy)(path, root / "source" / path.name)
    env: dict[str, str] = {}
    for word, rest in steps:
        if word == "RUN":
            installed.shell(re.sub(r"(?<= )/(?=source|wheels)", f"{root}/", rest), seconds=INSTALLING)
        elif word == "ENV":
            env |= dict(pair.split("=", 1) for pair in rest.split())
    (wheel,) = (root / "wheels").glob("*.whl")
    with zipfile.ZipFile(installed.wheel) as ours, zipfile.ZipFile(wheel) as its:
        assert sorted(ours.namelist()) == sorted(its.namelist())
    # In the image all files are root's, and the user is not. Here the user may be root, who without rights is as good.
    bare = "setpriv --bounding-set=-all --inh-caps=-all -- " if os.geteuid() == 0 else ""
    installed.shell(f"chmod -R a-w {installed.bin.parent}")
    try:
        installed.shell(f"{bare}touch {installed.bin}/x", code=1)
        commands = re.findall(r"(?<= )(picture-captioner (?:--backend|report) .*)", text)
        photos = str(installed.source / "examples" / "photos")
        said = [installed.shell(bare + one.replace("/photos", photos), env=env) for one in commands]
        assert "Every photo has a record." in said[0]
        assert "Written to ." in said[1]
        installed.shell(
            f"{bare}python -c 'import umap, hdbscan, openai, anthropic, google.genai'",
            seconds=INSTALLING,
            env=env,
        )
    finally:
        installed.shell(f"chmod -R u+w {installed.bin.parent}")
    assert dict(steps)["ENTRYPOINT"] == '["picture-captioner"]'
