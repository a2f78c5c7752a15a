"""cluster_report.py as users run it: a process over real pictures, whose files are read as a stranger would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from pyarrow import parquet

from report.naming.naming import counted
from tests.conftest import Product, draw, wait_for
from tests.helpers.reports import EXAMPLES, FILES, Report, clip, report, said

__all__ = ["clip", "report"]  # fixtures


def test_the_plans_phase_3(report: Report, clip: Path) -> None:
    """Mock captions of some photos, none of others: captions where there are, the vocabulary where not."""
    mock = Product(report.folder, EXAMPLES)
    mock.run("--limit", "6")
    captioned = {path for path, line in mock.records().items() if line["status"] == "success"}
    report.with_model("--photos-dir", str(EXAMPLES), "--clip-model", str(clip))
    rows = report.rows()
    assert len(rows) == 13
    for path, row in rows.items():
        if path in captioned:
            assert row["label"].startswith("a mock caption for")
            assert row["label_source"] == "caption"
        elif row["cluster_id"]:
            assert row["label_source"] == "vocabulary"
            assert row["label"]
    assert rows["2024/city/IMG_0734.MOV"]["cluster_id"] == ""
    assert rows["2024/city/IMG_0733.JPG"]["cluster_id"] == ""
    fallbacks = sum(row["label_source"] == "vocabulary" for row in rows.values())
    errors, unlabelled = (
        sum(row["label_source"] == source and not path.endswith(".MOV") for path, row in rows.items())
        for source in ("error", "none")
    )
    assert len(captioned) + errors + fallbacks + unlabelled + 1 == 13
    assert ", 1 video" in report.text()
    assert f"{len(captioned)} captioned, {counted(errors, 'error')}, {counted(fallbacks, 'vocabulary fallback')}" in report.text()


def test_the_same_again_is_the_same_and_embeds_nothing(report: Report) -> None:
    Product(report.folder, EXAMPLES).run()
    assert "11 new" in report.make()
    before = [(report.folder / name).read_bytes() for name in FILES[:2]]
    assert "0 new" in report.make()
    assert [(report.folder / name).read_bytes() for name in FILES[:2]] == before
    [chunk] = (report.folder / ".cluster_cache").rglob("*.chunk")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    for harm in ("damaged", "gone"):
        if harm == "gone":
            shutil.rmtree(report.folder / ".cluster_cache")
        told = report.make()
        assert "11 new" in told
        assert ("is damaged: its photos are embedded again" in told) == (harm == "damaged")
        assert [(report.folder / name).read_bytes() for name in FILES[:2]] == before


def test_without_a_model_nothing_of_torch_is_imported(report: Report) -> None:
    arguments = ["--embedder", "pixels", "--photos-dir", str(EXAMPLES)]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *report.command(*arguments)[1:]],
        cwd=report.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "numpy" in loaded
    assert not loaded & {"torch", "transformers", "umap", "numba", "openai", "anthropic", "google"}
    assert "no model: it groups what looks alike" in report.text()
    assert "Group 0" in report.text()  # nothing to be named by


@pytest.mark.parametrize("number", [1, 2, 5, 150])
def test_small_libraries(report: Report, number: int, tmp_path: Path) -> None:
    report.photos = tmp_path / "few"
    for i in range(number):
        draw(report.photos / f"{i}.jpg", size=(64 + i, 48), shade=50 * i % 256)
    report.journal.touch()
    report.make()
    assert len(report.rows()) == number
    assert f"{number} file" in report.text()
    assert "average linkage" in report.text()
    assert f"Only {number} distinct photos: too few for UMAP and HDBSCAN" in report.text()
    assert f"0 captioned, 0 errors, 0 vocabulary fallbacks, {number} unlabelled" in report.text()


def test_the_plans_bare_command(report: Report) -> None:
    """The folder from PHOTOS_DIR, ./captions.jsonl, files into the folder it runs in."""
    report.write(said("2024/home/IMG_0801.JPG", "A ginger cat."))
    report.env["PHOTOS_DIR"] = str(EXAMPLES)
    report.call("--embedder", "pixels")
    assert report.rows()["2024/home/IMG_0801.JPG"]["label"] == "A ginger cat."
    assert all((report.folder / name).exists() for name in FILES)


def test_no_group_is_smaller_than_asked(report: Report, tmp_path: Path) -> None:
    report.photos = tmp_path / "scenes"
    report.photos.mkdir()
    for number in range(9):
        scene = (20, 90, 250) if number < 6 else (180, 30, 40)
        Image.new("RGB", (64 + number, 48), scene).save(report.photos / f"{number}.png")
    for size, groups in ((2, ["0"] * 6 + ["1"] * 3), (4, ["0"] * 6 + ["-1"] * 3)):
        report.make("--min-cluster-size", str(size))
        assert [row["cluster_id"] for row in report.rows().values()] == groups


def test_identical_photos_are_one_group(report: Report, tmp_path: Path) -> None:
    report.photos = tmp_path / "same"
    for i in range(12):
        draw(report.photos / f"{i}.png")
    report.make()
    assert {row["cluster_id"] for row in report.rows().values()} == {"0"}


def test_nothing_but_broken_files(report: Report, tmp_path: Path) -> None:
    report.photos = tmp_path / "broken"
    report.photos.mkdir()
    for i in range(3):
        (report.photos / f"{i}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100))
    (report.photos / "clip.mov").write_bytes(b"\0\0\0\x14ftypqt  ")
    report.make()
    assert [row["cluster_id"] for row in report.rows().values()] == [""] * 4


def test_what_a_journal_says_of_other_files(report: Report) -> None:
    name = "2023/mountains/IMG_0412.JPG"
    report.write(
        said(name, '=HYPERLINK("http://x") | <script>\nsecond line'),
        said("2022/gone.jpg", "A photo that was moved."),
        said("../outside.jpg", "A secret."),
        said("2024/city/IMG_0731.JPG", None, "error_api", error="timeout"),
    )
    told = report.make()
    assert "1 photos of the journal are gone" in told
    assert "1 records name files outside the photos folder" in told
    rows = report.rows()
    assert rows[name]["label"].startswith("'=HYPERLINK")
    assert "\n" not in rows[name]["label"]
    assert rows["2024/city/IMG_0731.JPG"]["label_source"] == "error"
    assert "<script>" not in report.text()
    assert "secret" not in report.text() + (report.folder / FILES[0]).read_text()
    log = (report.folder / "cluster_report.log").read_text()
    assert '"error_api"' in log
    assert "1 captioned, 1 error, 0 vocabulary fallbacks, 10 unlabelled, 1 video" in report.text()


def test_several_journals_the_last_wins(report: Report) -> None:
    first, second = report.folder / "a.jsonl", report.folder / "b.jsonl"
    name = "2023/mountains/IMG_0412.JPG"
    report.write(said(name, "Old."), said("2024/home/IMG_0801.JPG", "A cat."))
    report.journal.rename(first)
    report.write(said(name, "New."))
    report.journal.rename(second)
    report.make("--captions-jsonl", str(first), "--captions-jsonl", str(second))
    rows = report.rows()
    assert rows[name]["label"] == "New."
    assert rows["2024/home/IMG_0801.JPG"]["label"] == "A cat."


def test_captions_alone_need_no_photo(report: Report, clip: Path) -> None:
    cats = [said(f"{i}.jpg", f"A ginger cat asleep on a chair, number {i}.") for i in range(6)]
    boats = [said(f"b{i}.jpg", f"Wooden boats in a quiet harbour, number {i}.") for i in range(6)]
    report.write(*cats, *boats, said("v.mov", None, "error_corrupt", error="video"))
    report.with_model("--cluster-by", "caption", "--text-model", str(clip))
    rows = report.rows()
    assert len(rows) == 13
    assert rows["v.mov"]["cluster_id"] == ""
    assert {row["label_source"] for row in rows.values()} == {"caption", "error"}


def test_both_pictures_and_captions(report: Report, clip: Path) -> None:
    Product(report.folder, EXAMPLES).run("--limit", "8")
    report.with_model(
        *("--photos-dir", str(EXAMPLES), "--embedder", "pixels"),
        *("--cluster-by", "both", "--text-model", str(clip)),
    )
    assert len(report.rows()) == 13
    assert "and captions" in report.text()


def test_names_stay_when_photos_arrive(report: Report, tmp_path: Path) -> None:
    report.photos = tmp_path / "growing"
    report.photos.mkdir()
    for i in range(30):
        scene = ((20, 90, 250), (180, 30, 40), (240, 220, 90))[i // 10]
        Image.new("RGB", (64 + i, 48), scene).save(report.photos / f"{i:02}.png")
    report.write(*(said(f"{i:02}.png", f"Scene {i // 10}, picture {i}.") for i in range(30)))
    report.make()
    before = report.rows()
    for i in range(30, 36):
        Image.new("RGB", (90, 10 + i), (20, 90, 250)).save(report.photos / f"{i:02}.png")
    report.make()
    after = report.rows()
    assert len(after) == 36
    kept = [name for name in before if after[name]["cluster_label"] == before[name]["cluster_label"]]
    assert len(kept) >= 0.95 * len(before)


@pytest.mark.slow
def test_photos_stay_where_it_is_asked_for_in_the_same_way(report: Report) -> None:
    stay = "Photos stay in their groups of the earlier report"
    last = report.folder / "last_report.json"
    assert stay not in report.make()
    left = last.read_bytes()
    assert stay in report.make()
    assert last.read_bytes() == left
    assert stay not in report.make("--seed", "7")
    assert stay in report.make("--seed", "7")
    last.unlink()
    assert stay not in report.make()
    # As a report of 0.1 left it: in the CSV and in the Parquet file.
    table = parquet.read_table(report.folder / FILES[2])
    asked = json.loads(last.read_bytes())["grouped_by"]
    parquet.write_table(table.replace_schema_metadata({"grouped_by": asked}), report.folder / FILES[2])
    last.unlink()
    assert stay in report.make()
    assert last.read_bytes() == left
    last.write_bytes(left[:-1])
    said = report.make()
    assert stay not in said
    assert "Names of the earlier report were not kept: last_report.json cannot be used" in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--out-dir", "{photos}"), "lies in the photos folder"),
        (("--out-dir", "{photos}/2024/report"), "lies in the photos folder"),
        (("--captions-jsonl", "none.jsonl"), "does not exist: check --captions-jsonl"),
        (("--out-dir", "no/such/place"), "cannot be made"),
    ],
)
def test_what_cannot_be(report: Report, flags: tuple[str, ...], sentence: str) -> None:
    assert sentence in report.make(*(flag.format(photos=EXAMPLES) for flag in flags), code=1)


def test_a_journal_of_another_folder_stops_it(report: Report) -> None:
    report.write(said("other/1.jpg", "A boat."))
    assert "belong to another folder" in report.make(code=1)


def test_a_hub_that_cannot_be_reached_is_a_sentence(report: Report) -> None:
    report.env |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(report.folder / "hf")}
    told = report.call("--photos-dir", str(EXAMPLES), code=1).stderr
    assert "--embedder pixels" in told
    assert not (report.folder / FILES[0]).exists()


@pytest.mark.parametrize(
    "flags", [("--embedder", "clap"), ("--cluster-by", "x"), ("--min-cluster-size", "1")]
)
def test_wrong_flags(report: Report, flags: tuple[str, ...]) -> None:
    report.call("--photos-dir", str(EXAMPLES), *flags, code=64)


def test_ctrl_c_keeps_what_was_embedded(report: Report, tmp_path: Path) -> None:
    report.photos = tmp_path / "many"
    source = draw(report.photos / "0000.jpg", size=(2400, 1800))
    for number in range(1, 1500):
        shutil.copy(source, report.photos / f"{number:04}.jpg")
    process = report.popen("--photos-dir", str(report.photos), "--embedder", "pixels")
    wait_for(lambda: any((report.folder / ".cluster_cache").rglob("*.chunk")), seconds=60)
    os.killpg(process.pid, signal.SIGINT)
    code, told = report.finish(process, 60)
    assert code == 130, told
    assert "The same command goes on" in told
    assert not (report.folder / FILES[0]).exists()
    new = report.make().partition(" new")[0].rpartition(" ")[2]
    assert int(new.replace(",", "")) < 1100
