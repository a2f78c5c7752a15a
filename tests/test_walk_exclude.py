"""`--exclude GLOB` by the rules of .gitignore, on every command that looks at the library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from library.exclusion import Exclusion
from library.walk import walk
from tests.conftest import ROOT, Product, draw
from tests.helpers.loops import loop

UV = """#!/bin/sh
printf '%s|' "$@" >>"$CALLS"
echo >>"$CALLS"
case "$*" in *"caption.py run"*) [ -e "$CALLS.once" ] || { touch "$CALLS.once"; exit 2; } ;; esac
"""
"""Writes down what it is told; the first batch leaves photos to do."""


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.png", {"a.png", "2023/b.PNG", "2023/Trash/c.png"}),
        ("2023/*.png", {"2023/b.PNG"}),
        ("Trash", {"2023/Trash/c.png", "2023/Trash/d.jpg"}),
        ("trash/", {"2023/Trash/c.png", "2023/Trash/d.jpg"}),
        ("2023/*", {"2023/b.PNG", "2023/Trash/c.png", "2023/Trash/d.jpg"}),
        ("2023/**", {"2023/b.PNG", "2023/Trash/c.png", "2023/Trash/d.jpg"}),
        ("**/trash/*.jpg", {"2023/Trash/d.jpg"}),
        ("*/Trash/*", {"2023/Trash/c.png", "2023/Trash/d.jpg"}),
        ("/a.png", {"a.png"}),
        ("b", set()),
        ("zoe\u0308", {"Zo\u00eb/e.jpg"}),
        ("#recycle", {"#recycle/f.jpg"}),
        ("[ab].png", {"a.png", "2023/b.PNG"}),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, left_out: set[str]) -> None:
    names = {
        "a.png",
        "2023/b.PNG",
        "2023/Trash/c.png",
        "2023/Trash/d.jpg",
        "Zo\u00eb/e.jpg",
        "#recycle/f.jpg",
        "keep.jpg",
    }
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    # `#recycle` is left out by every walk.
    seen = {photo.rel_path for photo in walk(tmp_path, Exclusion([pattern])).photos}
    assert seen == names - left_out - {"#recycle/f.jpg"}


@pytest.mark.parametrize("patterns", [["#a"], ["*", "!keep.jpg"], ["!keep.jpg", "*.png"]])
def test_several_patterns_and_signs(tmp_path: Path, patterns: list[str]) -> None:
    for name in ("#a", "keep.jpg"):
        draw(tmp_path / "picture.png").rename(tmp_path / name)
    expected = ["#a", "keep.jpg"] if patterns[-1] == "*.png" else ["keep.jpg"]
    assert [photo.rel_path for photo in walk(tmp_path, Exclusion(patterns)).photos] == expected


def test_a_folder_that_is_covered_is_not_read(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    (tmp_path / "private" / "deep").mkdir(parents=True)
    (tmp_path / "private" / "loop").symlink_to("loop")  # reading it would be a warning
    found = walk(tmp_path, Exclusion(["private"]))
    assert not found.warnings
    assert found.left_out() == ["Left out by --exclude: 1 folder and 0 files."]


@pytest.mark.parametrize("pattern", ["", "!", "/", "a\\", "  "])
def test_what_is_no_pattern_is_wrong_use(product: Product, pattern: str) -> None:
    with pytest.raises(ValueError):
        Exclusion([pattern])
    if pattern in {"", "!"}:
        said = product.call("stats", "--exclude", pattern, "--photos-dir", ".", code=64).stderr
        assert "is not a pattern: give one like" in said


def test_run_estimate_and_stats(product: Product) -> None:
    flags = ["--exclude", "2023/", "--exclude", "*.MOV"]
    said = product.run("--limit", "1", *flags)
    assert "Left out by --exclude: 1 folder and 1 file." in said
    assert "Photos left: 3." in said
    assert "--exclude 2023/ --exclude '*.MOV'" in said.splitlines()[-1], "the command that goes on"
    estimate = product.call(
        "estimate", "--backend", "mock", "--photos-dir", str(product.photos), *flags
    ).stdout
    assert "Photos remaining:  3 / 4 (1 already done)" in estimate
    assert "Left out by --exclude: 1 folder and 1 file." in estimate
    said = product.run(*flags)
    assert "--exclude 2023/ --exclude '*.MOV'" in said.splitlines()[-1], "the command that counts them"
    stats = product.call("stats", "--photos-dir", str(product.photos), *flags).stdout
    assert "Done: 4 of 4 photos" in stats
    assert "add --photos-dir" in product.call("stats", "--exclude", "x", code=64).stderr


def test_the_journal_keeps_what_is_left_out_later(product: Product) -> None:
    product.run()
    before = product.journal.read_bytes()
    assert "Skipping 5 already" in product.run("--exclude", "2023")
    assert product.journal.read_bytes() == before
    stats = product.call("stats", "--photos-dir", str(product.photos), "--exclude", "2023").stdout
    assert "Done: 5 of 5 photos" in stats
    assert "Records of files that are left out: 7" in stats
    said = product.run("--exclude", "2023", "--exclude", "202*", "--exclude", "*.bmp", code=1)
    assert "holds no photos." in said
    assert "Left out by --exclude: 2 folders and 1 file." in said
    for name in ("2024", "cover.bmp"):
        os.rename(product.photos / name, product.folder / name)
    draw(product.photos / "new.jpg")
    said = product.run("--exclude", "2023")
    assert "belongs to another folder" not in said
    assert "new.jpg" in product.records()


def test_the_loop_passes_it_on_in_every_batch(tmp_path: Path) -> None:
    (tmp_path / "uv").write_text(UV)
    (tmp_path / "uv").chmod(0o755)
    calls = tmp_path / "calls"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = loop(
        ROOT / "run_loop.sh", "mock", "--exclude", "My Trash/", "--exclude=*.png", PATH=path, CALLS=str(calls)
    )
    assert ended.code == 0
    runs = [line for line in calls.read_text().splitlines() if "caption.py|run|" in line]
    assert len(runs) == 2
    assert all("|--exclude|My Trash/|--exclude=*.png|" in line for line in runs)


def test_the_report(product: Product) -> None:
    """Photos that are left out have no row, and are not called gone."""
    for number in range(3):
        draw(product.photos / "private" / f"{number}.jpg", shade=30 * number)
    product.run()
    out_dir = product.folder / "report"
    said = product.call(
        *("report", "--photos-dir", str(product.photos), "--out-dir", str(out_dir)),
        *("--embedder", "pixels", "--exclude", "private", "--exclude", "*.mov"),
    ).stderr
    assert "Left out by --exclude: 1 folder and 1 file." in said
    assert "are gone from" not in said
    table = (out_dir / "cluster_export.csv").read_text()
    assert "private" not in table
    assert len(table.splitlines()) == 12
