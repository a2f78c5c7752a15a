"""`caption.py run` as its users meet it: real processes over real files."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import ALL, ROOT, Product, draw, wait_for


def test_captions_every_photo_once(product: Product) -> None:
    said = product.run()
    records = product.records()
    assert len(product.lines()) == len(records) == ALL
    assert records["2023/IMG_0003.JPG"]["caption"] == "a mock caption for IMG_0003.JPG"
    assert records["2023/IMG_0003.JPG"]["model"] == "mock"
    assert records["2024/IMG_0009.JPG"]["status"] == "error_corrupt"
    assert "cut short" in records["2024/IMG_0009.JPG"]["error"]
    assert "model" not in records["2024/IMG_0009.JPG"]
    assert records["2024/IMG_0010.MOV"]["error"] == "video"
    assert "Captioned 10 photos" in said
    assert "; 1 error (1 error_corrupt), 1 video." in said
    assert "Left out 1 file that is not a picture." in said
    assert "12/12" in said
    assert "IMG_0010.MOV" not in said, "a video is no trouble to report"


def test_a_second_run_has_nothing_to_do(product: Product) -> None:
    product.run()
    before = product.journal.read_bytes()
    said = product.run()
    assert "Skipping 12 already processed (10 success, 1 errors, 1 videos)" in said
    assert product.journal.read_bytes() == before


def test_log_is_json_lines_with_the_failures(product: Product) -> None:
    product.run()
    events = [json.loads(line) for line in (product.folder / "caption.log").read_text().splitlines()]
    (failure,) = [e for e in events if e.get("rel_path") == "2024/IMG_0009.JPG"]
    assert failure["event"] == "error_corrupt"
    assert failure["levelname"] == "WARNING"
    assert "cut short" in failure["error"]
    assert "asctime" in failure
    assert any(e.get("rel_path") == "2024/IMG_0010.MOV" for e in events)


def test_a_reader_that_has_seen_enough(product: Product) -> None:
    product.run()
    for command in (["stats"], ["compare", "captions.jsonl", "captions.jsonl"]):
        done = subprocess.run(
            ["bash", "-c", 'set -o pipefail; "$@" | true', "-", *product.command(*command)],
            cwd=product.folder,
            env=product.env | {"LC_ALL": "C"},  # bash complains on stderr of a locale that is not installed
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert done.stderr == ""


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(product: Product, closed: str) -> None:
    """What is said then goes nowhere, least of all into the file that got the stream's number."""
    words = product.command("run", "--backend", "mock", "--photos-dir", str(product.photos))
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "-", *words], cwd=product.folder, env=product.env, check=False
    )
    assert done.returncode == 0
    assert len(product.records()) == product.line_count() == ALL


def test_a_disk_error_on_one_photo_does_not_end_the_loop(product: Product) -> None:
    """Reading another process's memory file gives a real I/O error."""
    (product.photos / "2023" / "IMG_0001a.jpg").symlink_to("/proc/self/mem")
    product.run("--restart-every", "6", code=2)
    product.run("--restart-every", "6", code=2)
    said = product.run("--restart-every", "6", code=1)
    assert "Not everything could be read" in said
    assert len(product.records()) == product.line_count() == ALL


def test_a_file_name_cannot_forge_a_line(product: Product) -> None:
    (product.photos / "a\nerror_api  forged.jpg").write_bytes(b"")
    assert "\nerror_api" not in product.run()


def test_folder_troubles_are_sentences(product: Product, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, hint in [
        (tmp_path / "missing", "does not exist"),
        (Path("~nosuchuser/photos"), "does not exist"),
        (empty, "holds no photos"),
        (product.photos / "cover.bmp", "is not a folder"),
    ]:
        said = product.call("--backend", "mock", "--photos-dir", str(folder), code=1).stderr
        assert hint in said
        assert "--photos-dir" in said


def test_journal_of_another_folder_is_refused(product: Product) -> None:
    product.run()
    said = product.call("--backend", "mock", "--photos-dir", str(product.photos / "2023"), code=1).stderr
    assert "belongs to another folder" in said
    assert product.line_count() == ALL


def test_journal_that_is_a_folder_or_garbage(product: Product) -> None:
    product.journal.mkdir()
    assert "is a folder" in product.run(code=1)
    product.journal.rmdir()
    picture = (product.photos / "2023" / "IMG_0001.JPG").read_bytes()
    product.journal.write_bytes(picture)
    assert "holds no captions" in product.run(code=1)
    assert product.journal.read_bytes() == picture
    said = product.call(
        "--backend", "mock", "--photos-dir", str(product.photos), "--captions-jsonl", "no/c.jsonl", code=1
    )
    assert "does not exist: make it" in said.stderr


def test_torn_last_line_is_reported_and_its_photo_done_again(product: Product) -> None:
    product.run()
    text = product.journal.read_bytes()
    product.journal.write_bytes(text[:-20])
    said = product.run()
    assert f"Warning: discarded 1 malformed line from captions.jsonl (line {ALL})" in said
    assert product.journal.read_bytes().startswith(text[:-20] + b"\n")
    assert "compact" in said.splitlines()[-1]
    product.call("compact")
    assert len(product.records()) == product.line_count() == ALL


def test_two_runs_on_one_journal(product: Product) -> None:
    first = product.start("--mock-latency", "5")  # longer than the second run takes on a busy machine
    wait_for(lambda: product.line_count() > 1)
    said = product.run(code=1)
    assert "Another run is writing" in said
    first.send_signal(signal.SIGINT)
    code, _ = product.finish(first)
    assert code == 130
    product.run()
    assert len(product.records()) == product.line_count() == ALL


def test_photos_folder_that_vanishes_in_mid_run(product: Product) -> None:
    for number in range(40):
        draw(product.photos / "more" / f"{number}.png")
    process = product.start("--mock-latency", "0.05")
    wait_for(lambda: product.line_count() > 5)
    product.photos.rename(product.photos.with_name("elsewhere"))
    code, said = product.finish(process)
    assert code == 1
    assert "is gone or empty" in said
    assert not any("No such file" in str(r.get("error")) for r in product.lines())
    product.photos.with_name("elsewhere").rename(product.photos)
    product.run()
    assert len(product.records()) == product.line_count() == ALL + 40


def test_a_photo_deleted_in_mid_run_is_no_error(product: Product) -> None:
    process = product.start("--mock-latency", "0.3")
    wait_for(lambda: product.line_count() >= 1)
    (product.photos / "cover.bmp").unlink()
    code, said = product.finish(process)
    assert code == 0
    assert "1 photo vanished" in said
    assert "cover.bmp" not in product.records()


def test_names_that_are_hard_to_write(product: Product) -> None:
    root = product.photos / "odd"
    plain = draw(root / "plain name.png").read_bytes()
    for name in [
        "two\nlines.png",
        "emoji 🎂.png",
        "quote\"s'.png",
        "back\\slash.png",
        "bell\x07.png",
        "\u2028.png",
    ]:
        (root / name).write_bytes(plain)
    with open(os.fsencode(root) + b"/caf\xe9.png", "wb") as file:
        file.write(plain)
    (root / unicodedata.normalize("NFD", "Zoë.png")).write_bytes(plain)
    (root / ("long" * 60 + ".png")).write_bytes(plain)
    product.run()
    records = product.records()
    for name in ["two\nlines.png", "emoji 🎂.png", "caf\\xe9.png", "Zoë.png", "back\\slash.png"]:
        assert records[f"odd/{name}"]["status"] == "success", name
    assert len(records) == product.line_count() == ALL + 10
    assert "Skipping 22" in product.run()
    stats = product.call("stats", "--photos-dir", str(product.photos)).stdout
    assert "Done: 22 of 22 photos" in stats


def test_two_files_with_one_name(product: Product) -> None:
    name = "Zoë.png"
    draw(product.photos / unicodedata.normalize("NFC", name))
    draw(product.photos / unicodedata.normalize("NFD", name))
    said = product.run()
    assert "Two files have the name" in said
    assert product.line_count() == ALL + 1


def test_what_is_walked(product: Product) -> None:
    root = product.photos
    picture = (root / "2023" / "IMG_0001.JPG").read_bytes()
    for name in ["._IMG.JPG", ".thumbnails/a.jpg", "@eaDir/IMG/SYNO.jpg", ".hidden.png"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture)
    (root / "no_extension").write_bytes(picture)
    (root / "README").write_text("text")
    (root / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    os.mkfifo(root / "pipe.jpg")
    (root / "2023" / "loop").symlink_to(root)
    (root / "linked").symlink_to(root / "2023")
    (root / "dangling.jpg").symlink_to(root / "nowhere.jpg")
    (root / "a_link.jpg").symlink_to(root / "2023" / "IMG_0001.JPG")
    product.run()
    new = set(product.records()) - {f"2023/IMG_{n:04}.JPG" for n in range(7)}
    assert {n for n in new if not n.startswith("2024/")} == {
        "cover.bmp",
        "no_extension",
        "drawing.svg",
    }
    assert "SVG" in product.records()["drawing.svg"]["error"]


def test_rights(product: Product) -> None:
    """A journal's folder that may not be written, a photo that may not be read."""
    # Root may do anything; without these two capabilities rights count for root as for anybody.
    plain_user = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    command = [*plain_user, *product.command("run", "--backend", "mock", "--photos-dir", str(product.photos))]

    def run() -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=product.folder,
            env=product.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    (product.photos / "cover.bmp").chmod(0)
    product.folder.chmod(0o555)
    code, said = run()
    assert code == 1
    assert "no permission to write there" in said
    product.folder.chmod(0o755)
    code, said = run()
    assert code == 0
    assert product.records()["cover.bmp"]["status"] == "error_corrupt"
    assert product.records()["cover.bmp"]["error"] == "Permission denied"
    assert product.line_count() == ALL


def test_full_disk(product: Product, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        for number in range(400):
            draw(product.photos / "many" / f"{number:04}{'x' * 100}.png", size=(8, 8))
        product.folder, product.journal = disk, disk / "captions.jsonl"
        said = product.run(code=1)
        assert "the disk is full: free some space" in said
        kept = product.lines()  # asserts that every line is whole
        assert len(kept) > 50
        (disk / "caption.log").unlink()
        subprocess.run(["mount", "-o", "remount,size=2m", disk], check=True)
        product.run()
        assert product.lines()[: len(kept)] == kept
        assert len(product.records()) == product.line_count() == ALL + 400
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert "read-only" in product.run(code=1)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_too_many_open_files_is_not_the_photos_fault(product: Product) -> None:
    """With hardly any descriptors no decoder can start: nothing may be recorded as broken."""
    limited = subprocess.run(
        [
            "bash",
            "-c",
            'ulimit -n 14; exec "$@"',
            "-",
            *product.command("run", "--backend", "mock"),
            "--photos-dir",
            str(product.photos),
        ],
        cwd=product.folder,
        env=product.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert limited.returncode == 1, limited.stderr
    assert "Traceback" not in limited.stderr
    assert not [
        r
        for r in product.lines()
        if r["status"] != "success" and r["rel_path"] not in {"2024/IMG_0009.JPG", "2024/IMG_0010.MOV"}
    ]


def test_agrees_with_the_manifest_of_real_files(product: Product, corpora: Path) -> None:
    """Every one of the 168 real files: `decodes` -> success, everything else an error that people understand."""
    formats = corpora / "formats"
    product.photos = formats
    said = product.run(timeout=300)
    records = product.records()
    with open(formats / "MANIFEST.csv", newline="") as file:
        expected = {
            unicodedata.normalize("NFC", row["file"]): row["expected"] for row in csv.DictReader(file)
        }
    expected["other/fixture.jxl"] = "decodes"  # the manifest is older than the decoder
    expected["corrupt/truncated_jpeg.jpg"] = "decodes"  # nothing but its end mark is missing
    left_out = {"wrongext/pngtest_bad.png.bin"}  # neither by name nor by content a picture
    assert set(records) == set(expected) - left_out
    for name, record in records.items():
        wanted = "success" if expected[name] == "decodes" else "error_corrupt"
        assert record["status"] == wanted, (name, record)
        if record["status"] != "success":
            assert record["error"], name
    assert "Left out 3 files" in said


@pytest.mark.slow
def test_the_plans_phases(tmp_path: Path) -> None:
    """Phases 0, 1, 2 and the check of phase 6, with the plan's own commands in a copy of the project."""
    project = tmp_path / "project"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".*", "uv.lock", "benchmarks", "captions*.jsonl*"))
    home = tmp_path / "home"
    large = draw(home / "first.jpg", size=(4000, 3000))
    for number in range(150):
        target = home / "icloud_photos" / f"{2020 + number % 5}" / f"IMG_{number:04}.JPG"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(large.read_bytes() + b"%03d" % number)  # no copies, which would be captioned once
    env = os.environ | {
        "HOME": str(home),
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",  # the environment of this test run has all extras
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    journal = project / "captions.jsonl"

    def bash(command: str, code: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    # Phase 0: the suite that is running now; here only that the command finds its tests.
    assert "test_the_plans_phases" in bash("uv run --extra dev pytest tests/ -v --collect-only -q")

    # Phase 1
    said = bash("uv run --extra api python caption.py --backend mock --limit 20 --photos-dir ~/icloud_photos")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len(lines) == 20
    assert all(line["caption"].startswith("a mock caption for IMG_") for line in lines)
    assert all(not os.path.isabs(line["rel_path"]) and "/" in line["rel_path"] for line in lines)
    assert "20/150" in said

    # Phase 2
    command = "exec uv run python caption.py --backend mock --limit 30 --photos-dir ~/icloud_photos"
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=project, env=env, process_group=0, stderr=subprocess.PIPE
    )
    wait_for(lambda: journal.read_bytes().count(b"\n") >= 30)
    os.killpg(process.pid, 2)  # a terminal's Ctrl-C goes to the whole group
    process.communicate(timeout=30)
    assert process.returncode == 130
    part = len(journal.read_text().splitlines())
    assert 30 <= part < 50
    said = bash("uv run python caption.py --backend mock --limit 30 --photos-dir ~/icloud_photos")
    assert f"Skipping {part} already processed" in said
    check = (
        "uv run python -c \"import json; lines=[json.loads(l) for l in open('captions.jsonl')]; "
        "assert len(set(l['rel_path'] for l in lines))==len(lines), 'DUPLICATES'; "
        "print('OK —', len(lines), 'rows, no duplicates')\""
    )
    assert f"OK — {part + 30} rows, no duplicates" in bash(check)

    # Phase 6, with the mock in the model's place
    said = bash("PHOTOS_DIR=~/icloud_photos BATCH=40 bash run_loop.sh mock")
    assert "Batch of 40 done. Restarting..." in said
    assert "All photos captioned." in said
    bash("uv run python caption.py compact")
    check = """uv run python -c "
import json
lines = [json.loads(l) for l in open('captions.jsonl')]
paths = [l['rel_path'] for l in lines]
assert len(paths) == len(set(paths)), 'DUPLICATES'
print(f'{len(lines)} captions, no duplicates')
" """
    assert "150 captions, no duplicates" in bash(check)


def test_the_caption_samples_are_what_the_backends_say(product: Product) -> None:
    product.photos = ROOT / "examples" / "photos"
    product.run()
    printed = product.call("compare", "captions.jsonl", "captions.jsonl").stdout
    samples = re.findall(
        r"^\| [a-z ]+ \| (`.*`) \| (.*) \|$", (ROOT / "docs" / "caption_samples.md").read_text(), re.MULTILINE
    )
    assert len(samples) == 5
    for photo, caption in samples:
        assert f"| {photo} | {caption} | {caption} |" in printed
