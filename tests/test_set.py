"""The command `set`, and what the others make of what a person wrote."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caption import app
from cli.corrections import set_caption, set_captions
from errors import StopRunError
from tests.conftest import ROOT, Product, draw
from tests.helpers.journals import line

NAME = "2023/Käse.jpg"


@pytest.fixture
def done(product: Product, tmp_path: Path) -> Product:
    """Three photos with captions."""
    product.photos = tmp_path / "library"
    for name in (NAME, "2023/b.png", "c.bmp"):
        draw(product.photos / name)
    product.journal.write_bytes(
        line(NAME, "a cheese", model="mock")
        + line("2023/b.png", "a lawn", model="mock")
        + line("c.bmp", "a car")
    )
    return product


def setting(product: Product, *words: str, code: int = 0) -> str:
    end = product.call("set", *words, "--photos-dir", str(product.photos), code=code)
    return end.stdout + end.stderr


def test_no_other_command_replaces_a_persons_words(done: Product) -> None:
    assert setting(done, NAME, "Ein  Käse\nauf dem Tisch") == (
        f"{NAME} has your caption now, and no other command replaces it.\n"
    )
    record = done.records()[NAME]
    assert record["caption"] == "Ein Käse auf dem Tisch"
    assert record["by"] == "person"
    assert record.keys() == {"rel_path", "caption", "status", "at", "content", "by"}
    assert "has this caption of yours already" in setting(done, NAME, "Ein Käse auf dem Tisch")
    done.run("--redo", "path=*")
    done.run("--retry-status", "error_api,error_model,error_corrupt,replaced")
    (done.photos / NAME).rename(done.photos / "moved.jpg")
    done.run()
    assert done.records()["moved.jpg"]["by"] == "person"
    assert done.records()["moved.jpg"]["copy_of"] == NAME
    done.run("--force")
    assert {name: r["caption"] for name, r in done.records().items() if r.get("by")} == {
        NAME: "Ein Käse auf dem Tisch",
        "moved.jpg": "Ein Käse auf dem Tisch",
    }
    assert done.records()["c.bmp"]["model"] == "mock"
    said = done.call("stats", "--photos-dir", str(done.photos)).stdout
    assert "By a person: 2" in said
    assert "Records of photos that are no longer there: 1" in said
    done.call("compact", "--drop-gone", "--photos-dir", str(done.photos))
    assert sorted(done.records()) == ["2023/b.png", "c.bmp", "moved.jpg"]


def test_what_cannot_be_set_is_a_sentence(done: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done.folder)
    before = done.journal.read_bytes()

    def refused(name: str, photos: Path | None = done.photos) -> str:
        with pytest.raises(StopRunError) as caught:
            set_caption(done.journal, photos, name, "words")
        return str(caught.value)

    assert "'no.jpg' is not in captions.jsonl" in setting(done, "no.jpg", "words", code=1)
    assert "is empty: give it some words." in setting(done, NAME, " \n", code=64)
    (done.photos / NAME).unlink()
    assert f"'{NAME}' is not in {done.photos}" in refused(NAME)
    assert "The photos folder nowhere does not exist" in refused(NAME, Path("nowhere"))
    assert done.journal.read_bytes() == before
    monkeypatch.delenv("PHOTOS_DIR", raising=False)
    set_caption(done.journal, None, NAME, "words")  # without a folder the journal alone says what there is
    set_caption(done.journal, done.photos, str(done.photos / "c.bmp"), "words")  # a path from here
    assert done.records()["c.bmp"]["caption"] == "words"
    done.journal.unlink()
    assert "does not exist: check its name" in refused(NAME)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((NAME,), "Give a photo and its caption"),
        ((NAME, "words", "--from", "x.csv"), "leave out the others"),
        ((), "Give a photo and its caption"),
    ],
)
def test_wrong_use_is_64(words: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(app, ["set", *words])
    assert result.exit_code == 64
    assert sentence in result.output


HEADS = {"commas": ",", "semicolons": ";", "tabs": "\t", "told": ";"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", HEADS)
def test_a_table_as_a_spreadsheet_saves_it(
    done: Product,
    form: str,
    encoding: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(done.folder)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=HEADS[form])
    writer.writerows(
        [
            ("Nr", "Caption", "PATH"),
            ("1", 'Grüße; "vom", See\nhier', NAME),
            ("2", " a  lawn", "2023/b.png"),
            ("3", "", "c.bmp"),
            ("4", "words", "gone.jpg"),
        ]
    )
    table = done.folder / "Tabelle.csv"
    content = ("sep=;\r\n" if form == "told" else "") + text.getvalue()
    table.write_bytes(content.encode(encoding))
    set_captions(done.journal, done.photos, table)
    assert capsys.readouterr().out == (
        "1 caption set, 1 unchanged, 1 empty.\nNot in captions.jsonl, left out: 1 ('gone.jpg').\n"
    )
    assert done.records()[NAME]["caption"] == 'Grüße; "vom", See hier'
    assert done.line_count() == 4
    set_captions(done.journal, done.photos, table)
    assert done.line_count() == 4, "a second time nothing has changed"


def test_an_edited_table_of_the_report(done: Product) -> None:
    done.journal.write_bytes(done.journal.read_bytes() + line("d.bmp", None, "error_api"))
    done.journal.write_bytes(done.journal.read_bytes() + line("e.bmp", "=a sum"))
    for name in ("d.bmp", "e.bmp", "none.bmp"):
        draw(done.photos / name)
    out = done.folder / "out"
    program = [sys.executable, str(ROOT / "cluster_report.py"), "--captions-jsonl", str(done.journal)]
    done.complete([*program, "--photos-dir", str(done.photos), "--embedder", "pixels", "--out-dir", str(out)])
    table = out / "cluster_export.csv"
    raw = table.read_bytes()
    assert raw.startswith(codecs.BOM_UTF8 + b"rel_path,")
    assert "0 captions set, 4 unchanged, " in setting(done, "--from", str(table))
    text = raw.decode("utf-8-sig").replace("a cheese", "Käse").replace(",", ";")
    table.write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    assert "1 caption set, 3 unchanged, " in setting(done, "--from", str(table))
    assert done.records()[NAME]["caption"] == "Käse"
    # The words of a person in a sidecar are not called a machine's.
    done.call("export-xmp", "--photos-dir", str(done.photos), "--groups", str(table))
    sidecar = (done.photos / f"{NAME}.xmp").read_text()
    assert "Käse" in sidecar
    assert "CaptionWriter" not in sidecar
    assert "captionModel" not in sidecar


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("rel_path;caption\nK\xe4se;x\n".encode("latin-1"), "it is not in UTF-8: save it as"),
        (b"rel_path,words\na,b\n", "must name a column rel_path and a column caption"),
        (b"", "must name a column rel_path"),
        (b'rel_path,caption\n"a\n', "it is no table"),
        (b"rel_path,caption\nno.jpg,x\n", "names no photo of captions.jsonl, but others, such as 'no.jpg'"),
    ],
)
def test_a_table_of_no_use_is_a_sentence(
    done: Product, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(done.folder)
    table = done.folder / "t.csv"
    table.write_bytes(content)
    before = done.journal.read_bytes()
    with pytest.raises(StopRunError) as caught:
        set_captions(done.journal, done.photos, table)
    assert sentence in str(caught.value)
    assert done.journal.read_bytes() == before


def test_gone_is_only_what_is_surely_gone(done: Product) -> None:
    def drop(folder: Path, code: int = 0) -> str:
        end = done.call("compact", "--drop-gone", "--photos-dir", str(folder), code=code)
        return end.stdout + end.stderr

    before = done.journal.read_bytes()
    other = done.folder / "other"
    draw(other / "x.jpg")
    (done.folder / "empty").mkdir()
    assert "does not exist" in drop(done.folder / "nowhere", 1)
    assert "holds no photos" in drop(done.folder / "empty", 1)
    assert "belongs to another folder" in drop(other, 1)
    assert "has one line per photo already" in drop(done.photos)
    away = done.folder / "away"
    (done.photos / "2023").rename(away)
    (done.photos / "2023").mkdir()  # as where a disk is not mounted
    assert f"{done.photos / '2023'} is empty, as where a disk is not mounted" in drop(done.photos, 1)
    assert done.journal.read_bytes() == before
    (done.photos / "2023").rmdir()
    assert "Photos that are gone: 2, such as '2023/K" in drop(done.photos)
    assert [record["rel_path"] for record in done.lines()] == ["c.bmp"]
    (backup,) = done.folder.glob("captions.jsonl.*.bak")
    assert backup.read_bytes() == before
    away.rename(done.photos / "2023")


def test_a_moved_photo_is_not_gone_before_a_run_has_seen_it(done: Product) -> None:
    done.journal.unlink()
    done.run()
    (done.photos / NAME).rename(done.photos / "new.jpg")
    (done.photos / "2023" / "b.png").unlink()
    draw(done.photos / "2023" / "x.png")
    done.call("compact", "--drop-gone", "--photos-dir", str(done.photos))
    assert done.records().keys() == {NAME, "c.bmp"}
    assert "1 caption carried over" in done.run()


@pytest.mark.slow
def test_a_killed_table_is_gone_on_with(done: Product) -> None:
    names = [f"{number:05}.jpg" for number in range(6_000)]
    done.journal.write_bytes(b"".join(line(name, "old") for name in names))
    table = done.folder / "t.csv"
    table.write_text("rel_path,caption\n" + "".join(f"{name},mine {name}\n" for name in names))
    killed = 0
    for turn in range(12):
        process = done.popen("set", "--from", str(table))
        time.sleep(0.3 + 0.1 * turn)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        lines = done.journal.read_bytes().splitlines()
        assert all(json.loads(each)["rel_path"] == name for each, name in zip(lines, names, strict=False))
    assert killed
    done.call("set", "--from", str(table))
    assert all(record["caption"] == f"mine {name}" for name, record in done.records().items())
    assert done.line_count() <= 2 * len(names) + killed, "nothing is set twice, but for a torn line"
