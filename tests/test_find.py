"""`caption.py find` as users have it: a process over a journal and a report, its index killed, damaged, outgrown."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from cli.doors import WrongUseError
from cli.find import days_between
from cli.found import _folder as page_folder
from journal import CaptionJournal
from tests.conftest import PATIENCE, ROOT, Product, draw, wait_for
from tests.helpers.pages import Watched, browser, needs_chromium, watched
from tests.helpers.searched import shown, write_table

__all__ = ["browser", "watched"]  # fixtures

CAPTIONS = {
    "2019/IMG_0001.jpg": "A red kayak on a calm lake",
    "2019/IMG_0002.jpg": "Two people paddle a yellow canoe across a lake",
    "2020/IMG_0003.jpg": "A red bicycle leans on a wall",
    "2020/IMG_0004.jpg": "Kayaks of many colours on a beach",
}


@pytest.fixture
def lake(product: Product) -> Product:
    product.env["BROWSER"] = "true"  # a program that opens nothing
    for path, caption in CAPTIONS.items():
        write(product, path, caption)
        draw(product.photos / path)
    return product


def write(product: Product, path: str, caption: str | None, status: str = "success") -> None:
    with product.journal.open("a") as file:
        file.write(json.dumps({"rel_path": path, "caption": caption, "status": status}) + "\n")


def report(product: Product) -> None:
    write_table(
        product.folder / "cluster_export.csv",
        [
            {
                "rel_path": path,
                "taken_at": f"{path[:4]}-07-0{day}T10:00:00",
                "taken_from": "exif",
                "group_name": "Boats",
            }
            for day, path in enumerate(CAPTIONS, 1)
            if day < 4
        ],
    )


def find(product: Product, query: str) -> list[str]:
    return list(shown(product, query))


def index_of(product: Product) -> Path:
    return product.folder / "captions.jsonl.find" / "words.sqlite"


def test_paths_captions_and_why(lake: Product) -> None:
    report(lake)
    said = lake.call("find", "red", "kayak on a lake", "--limit", "2").stdout.splitlines()
    assert said == [
        "2019/IMG_0001.jpg",
        "    A red kayak on a calm lake",
        "    caption: red, kayak, lake | taken: 2019-07-01 | in: Boats",
        "2020/IMG_0004.jpg",
        "    Kayaks of many colours on a beach",
        "    caption: kayak | without: red, lake",
    ]
    line = lake.call("find", "boats july 2020", "--json", "--photos-dir", str(lake.photos)).stdout
    assert json.loads(line) == {
        "rel_path": "2020/IMG_0003.jpg",
        "path": str(lake.photos / "2020/IMG_0003.jpg"),
        "caption": CAPTIONS["2020/IMG_0003.jpg"],
        "tags": [],
        "taken": "2020-07-03",
        "belongs_to": ["Boats"],
        "words": {"names": ["boats"]},
        "missing": [],
        "picture": None,
    }
    assert lake.call("find", "--since", "july 2020").stdout.startswith("2020/IMG_0003.jpg\n")
    assert lake.call("find", "lake", "--until", "2019-07-01").stdout.count("jpg") == 1


def test_what_is_wrong_is_a_sentence(lake: Product, tmp_path: Path) -> None:
    def said(*words: str, code: int) -> str:
        done = lake.call("find", *words, code=code)
        assert not done.stdout
        return " ".join(done.stderr.split())

    assert "No photo fits. Each word must begin a word of a caption" in said("zebra", code=0)
    assert "What shall be found? Give words:" in said(code=64)
    assert "--since 'soon' is no date: give one like 2019" in said("lake", "--since", "soon", code=64)
    assert "run `" in said("--since", "2019", code=1), "without a report no date is known"
    assert "No report in" in said("lake", "--by", "image", code=1)
    assert "none.jsonl does not exist: check its name, or make it with: " in said(
        "a", "--captions-jsonl", "none.jsonl", code=1
    )
    assert "is no folder: check --report." in said("a", "--report", "nowhere", code=1)
    assert "Where are the photos?" in lake.call("find", "lake", "--open", code=1).stderr
    done = lake.call(
        "find", "lake", "--links", str(lake.photos / "links"), "--photos-dir", str(lake.photos), code=1
    )
    assert "give --links a folder outside" in done.stderr
    (lake.folder / "cluster_export.csv").write_text("a,b\n1,2\n")
    assert "is no table of a report: give --report" in said("lake", code=1)
    lake.journal.write_bytes('{"rel_path"'.encode("utf-16"))
    assert "is in UTF-16" in said("lake", code=1)


def test_days_that_are_none_are_a_sentence() -> None:
    assert days_between(None, None) is None
    for ends, why in (
        (("2019", "31 april 2019"), "--until '31 april 2019' is no date"),
        (("2020", "2019"), "--since is later than --until: swap them"),
    ):
        with pytest.raises(WrongUseError) as caught:
            days_between(*ends)
        assert why in str(caught.value)


def test_the_newest_record_of_a_photo_counts(lake: Product) -> None:
    assert find(lake, "bicycle") == ["2020/IMG_0003.jpg"]
    write(lake, "2020/IMG_0003.jpg", "A ladder")
    write(lake, "2019/IMG_0001.jpg", None, "error_api")
    assert find(lake, "bicycle") == []
    assert find(lake, "ladder") == ["2020/IMG_0003.jpg"]
    assert find(lake, "lake") == ["2019/IMG_0002.jpg"]
    write(lake, "2019/IMG_0001.jpg", "A tent by a lake")
    assert find(lake, "tent") == ["2019/IMG_0001.jpg"]
    with lake.journal.open("a") as file:
        said = {
            "rel_path": "2019/IMG_0001.jpg",
            "caption": "Anna's tent",
            "status": "success",
            "by": "person",
        }
        file.write(json.dumps(said) + "\n")
    write(lake, "2019/IMG_0001.jpg", "A box")
    write(lake, "2019/IMG_0001.jpg", None, "error_api")
    assert find(lake, "anna") == ["2019/IMG_0001.jpg"], "a person's caption stays"
    with lake.journal.open("a") as file:
        file.write('{"rel_path": "torn')
    assert find(lake, "tent") == ["2019/IMG_0001.jpg"]
    with lake.journal.open("a") as file:
        file.write("\nnot a record\n")
    write(lake, "new.jpg", "A zebra")
    assert find(lake, "zebra") == ["new.jpg"]


def test_nothing_outside_the_library_is_found(lake: Product) -> None:
    for path in ("/etc/lake.jpg", "../lake.jpg", "2019/../../lake.jpg"):
        write(lake, path, "A lake elsewhere")
    assert len(find(lake, "lake")) == 2


def test_a_page_does_not_lie_among_the_photos(lake: Product) -> None:
    inside = lake.photos / "captions.jsonl"
    lake.journal.rename(inside)
    lake.env["TMPDIR"] = str(lake.folder)
    flags = ["--captions-jsonl", str(inside), "--photos-dir", str(lake.photos), "--open"]
    page = Path(lake.call("find", "red", *flags).stdout.splitlines()[-1].removeprefix("The page is "))
    assert page.parent.parent == lake.folder
    assert not list((lake.photos / "captions.jsonl.find").rglob("*.jpg"))


def test_only_what_is_new_is_read(lake: Product) -> None:
    find(lake, "lake")
    with sqlite3.connect(index_of(lake)) as database:
        before = dict(database.execute("SELECT path, id FROM photos"))
    write(lake, "a.jpg", "A zebra")
    assert find(lake, "zebra") == ["a.jpg"]
    with sqlite3.connect(index_of(lake)) as database:
        after = dict(database.execute("SELECT path, id FROM photos"))
        assert (
            database.execute("SELECT value FROM facts WHERE name='end'").fetchone()[0]
            == lake.journal.stat().st_size
        )
    assert after.items() > before.items()


def test_a_journal_that_is_another_one_is_noticed(lake: Product) -> None:
    find(lake, "lake")
    text = lake.journal.read_text()
    at = lake.journal.stat()
    for new in (
        text.replace("bicycle", "scooter"),  # of the same length, in the middle
        text.splitlines(keepends=True)[1],
        json.dumps({"rel_path": "b.jpg", "caption": "A scooter " + "x" * 5000, "status": "success"}) + "\n",
    ):
        lake.journal.write_text(new)
        assert (find(lake, "scooter") != []) == ("scooter" in new)
        assert find(lake, "bicycle") == []
    lake.journal.unlink()
    lake.journal.write_text(text)
    os.utime(lake.journal, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert find(lake, "bicycle") == ["2020/IMG_0003.jpg"]
    write(lake, "2020/IMG_0003.jpg", "A ladder")
    CaptionJournal(lake.journal).compact()
    assert find(lake, "ladder") == ["2020/IMG_0003.jpg"]
    assert find(lake, "bicycle") == []


def test_a_report_that_is_another_one_is_noticed(lake: Product) -> None:
    assert find(lake, "boats") == []
    report(lake)
    assert len(find(lake, "boats")) == 3
    table = lake.folder / "cluster_export.csv"
    write_table(table, [{"rel_path": "2019/IMG_0001.jpg", "group_name": "Lakes"}, {"rel_path": "uncaptioned.jpg", "group_name": "Boats"}])  # fmt: skip
    assert find(lake, "boats") == ["uncaptioned.jpg"]
    table.unlink()
    assert find(lake, "boats") == []
    assert find(lake, "kayak") == ["2019/IMG_0001.jpg", "2020/IMG_0004.jpg"]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "no database": lambda data: b"\0" * 100 + b"something else",
    "cut": lambda data: data[: len(data) // 2],
    "zeroes": lambda data: data[:4096] + bytes(len(data) - 4096),
    "a text": lambda data: data.replace(b"A red kayak", b"A new kayak"),
    "another version": lambda data: data,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_index_is_made_again(lake: Product, kind: str) -> None:
    find(lake, "lake")
    before = lake.journal.read_bytes()
    index_of(lake).write_bytes(DAMAGE[kind](index_of(lake).read_bytes()))
    if kind == "another version":
        with sqlite3.connect(index_of(lake)) as database:
            database.execute("UPDATE facts SET value = '0' WHERE name = 'format'")
    assert shown(lake, "kayak lake")["2019/IMG_0001.jpg"] == CAPTIONS["2019/IMG_0001.jpg"]
    assert lake.journal.read_bytes() == before


@settings(max_examples=15, database=None)
@given(st.data())
def test_no_damage_shows_what_was_never_said(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    product = Product(tmp_path_factory.mktemp("damage"), Path())
    said = {f"{number}.jpg": f"a dog number {number} on a beach" for number in range(300)}
    for path, caption in said.items():
        write(product, path, caption)
    assert len(find(product, "dog beach")) == 20
    raw = bytearray(index_of(product).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=200)):
        raw[place] ^= data.draw(st.integers(1, 255))
    index_of(product).write_bytes(raw)
    assert shown(product, "dog beach").items() <= said.items()


def test_a_kill_while_the_index_is_made(lake: Product) -> None:
    with lake.journal.open("a") as file:
        for number in range(30_000):
            file.write(
                json.dumps({"rel_path": f"{number}.jpg", "caption": f"a dog {number}", "status": "success"})
                + "\n"
            )
    before = lake.journal.read_bytes()
    rng = random.Random(3)
    for _ in range(3):
        process = lake.popen("find", "dog", "29999", "--json")
        wait_for(index_of(lake).exists)
        time.sleep(rng.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert find(lake, "dog 29999")[0] == "29999.jpg"
    assert find(lake, "kayak") == ["2019/IMG_0001.jpg", "2020/IMG_0004.jpg"]
    with sqlite3.connect(index_of(lake)) as database:
        assert database.execute("SELECT count(*), sum(caption IS NULL) FROM photos").fetchone() == (30_004, 0)
        database.execute("INSERT INTO words(words) VALUES('integrity-check')")
    assert lake.journal.read_bytes() == before


def test_two_at_once(lake: Product) -> None:
    find(lake, "lake")
    index_of(lake).write_bytes(b"damaged")
    processes = [lake.popen("find", "kayak", "lake", "--json", "--limit", "1") for _ in range(4)]
    for process in processes:
        out, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, said) == (0, "")
        assert json.loads(out)["rel_path"] == "2019/IMG_0001.jpg"


def test_a_folder_that_cannot_be_written(lake: Product) -> None:
    (lake.folder / "captions.jsonl.find").write_text("a file where the folder would be")
    done = lake.call("find", "kayak", "lake", "--json", "--limit", "1")
    assert json.loads(done.stdout)["rel_path"] == "2019/IMG_0001.jpg"
    assert "so it is made in memory each time: make room there" in done.stderr


def test_a_python_without_fts5(lake: Product) -> None:
    program = (
        "import sqlite3, sys, runpy\n"
        "class Without:\n"
        "    def execute(self, *_): raise sqlite3.OperationalError('no such module: fts5')\n"
        "    def close(self): pass\n"
        "sqlite3.connect = lambda *_: Without()\n"
        f"sys.argv = ['caption.py', 'find', 'kayak']\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"runpy.run_path({str(ROOT / 'caption.py')!r}, run_name='__main__')\n"
    )
    done = lake.complete([sys.executable, "-c", program], code=1)
    assert "cannot search texts (it was built without FTS5): use another Python" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["kayak"]])
def test_captions_need_no_torch(lake: Product, words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "caption.py"), "find", *words]
    done = subprocess.run(command, cwd=lake.folder, env=lake.env, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {
        "torch",
        "transformers",
        "sentence_transformers",
        "umap",
        "hdbscan",
        "scipy",
        "sklearn",
        "PIL",
    }
    assert words != ["--help"] or not loaded & {"numpy", "sqlite3"}


def test_links_to_what_was_found(lake: Product) -> None:
    links = lake.folder / "links"
    flags = ["--photos-dir", str(lake.photos), "--links", str(links)]
    said = lake.call("find", "kayak", *flags).stderr
    assert said == f"Links in {links}: 2 photos (2 made, 0 removed).\n"
    assert sorted(os.listdir(links / "found" / "kayak")) == ["IMG_0001.jpg", "IMG_0004.jpg"]
    assert (links / "found/kayak/IMG_0001.jpg").readlink() == lake.photos / "2019/IMG_0001.jpg"
    lake.call("find", "red", *flags)
    write(lake, "2020/IMG_0004.jpg", "A tent")
    (lake.photos / "2019/IMG_0001.jpg").unlink()
    said = lake.call("find", "kayak", *flags).stderr
    assert "0 photos (0 made, 2 removed). 1 photo of those found is gone." in said
    assert os.listdir(links / "found") == ["red"] or sorted(os.listdir(links / "found")) == ["kayak", "red"]
    assert sorted(os.listdir(links / "found" / "red")) == ["IMG_0001.jpg", "IMG_0003.jpg"]


@needs_chromium
def test_a_page_of_what_was_found(lake: Product, watched: Watched, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    lake.env["BROWSER"] = str(program)
    said = lake.call("find", "red", "--photos-dir", str(lake.photos), "--open").stdout.splitlines()
    page = Path(said[-1].removeprefix("The page is "))
    wait_for(opened.exists)
    wait_for(lambda: opened.read_text() == f"{page.as_uri()}\n")
    shown = watched.go(page)
    expect(shown.locator("#list-title")).to_have_text("Found: red")
    expect(shown.locator(".tile img")).to_have_count(2)
    shown.locator(".tile a").first.click()
    expect(shown.locator("#facts h2")).to_have_text(said[1].strip())


def test_pages_of_earlier_searches_go(tmp_path: Path) -> None:
    folders = [page_folder(tmp_path, str(number)) for number in range(12)]
    assert [folder.exists() for folder in folders[-9:]] == [True] * 9
    assert sum(folder.exists() for folder in folders) <= 10
