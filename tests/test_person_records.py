"""What a person wrote in a journal: no record of another kind takes its place, whatever is done to the file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.known import Known
from journal import PERSON, CaptionJournal, CaptionRecord
from library.walk import Photo
from tests.conftest import ROOT
from tests.helpers.journals import line, opened

PHOTOS = ("a.jpg", "b.jpg", "ü/c.jpg")
CONTENT = "5-0123456789abcdef"

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ("machine", "error", "person", "compact", "force", "retry", "redo", "append", "before", "lose")
        ),
        st.sampled_from(PHOTOS),
    ),
    max_size=14,
)


def foreign(rel_path: str, number: int, *, person: bool) -> bytes:
    more = {"by": PERSON} if person else {"model": "openai/x"}
    return line(rel_path, f"other {number}", **more)


@settings(max_examples=150, database=None)
@given(steps)
def test_whatever_is_done_a_persons_words_stay(plan: list[tuple[str, str]]) -> None:
    """The journal against a model of it: for each photo what a person said last, and whether it has a machine's caption."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        said: dict[str, str] = {}
        for number, (what, name) in enumerate(plan):
            take(path, what, name, number, said)
            journal = CaptionJournal(path)
            journal.load()
            people = {n: e["caption"] for n, e in journal.records.items() if e.get("by") == PERSON}
            assert people == said, (what, name)


def take(path: Path, what: str, name: str, number: int, said: dict[str, str]) -> None:
    """Take one step of a plan."""
    text = f"{what} {number}"
    if what in {"append", "before"}:  # another journal is joined to this one, behind it or before it
        other = foreign(name, number, person=number % 3 == 0)
        old = path.read_bytes() if path.exists() else b""
        path.write_bytes(old + other if what == "append" else other + old)
        if number % 3 == 0 and (what == "append" or name not in said):
            said[name] = f"other {number}"
        return
    retry = {"error_api", "error_model"} if what == "retry" else set()
    with opened(path, retry, redo_mock=True) as journal:
        if what == "person":
            journal.write_many([CaptionRecord(rel_path=name, caption=text, status="success", by=PERSON)])
            said[name] = text
        elif what == "compact":
            journal.compact()
        elif what == "force":
            journal.forget_machines()
            journal.set_aside()
        elif what == "lose":
            journal.compact({n for n in PHOTOS if n not in said})
        elif what == "redo":
            journal.do_again([n for n in journal.records if n == name], keep=True)
            had = journal.entry(name)
            journal.write(name, None, "error_api")
            if had and had["status"] == "success":
                assert CaptionJournal(path).load()[name]["caption"] == had["caption"], (
                    "an error took its place"
                )
            journal.write(name, text, "success", model="openai/x")
        else:
            caption, status = (None, "error_model") if what == "error" else (text, "success")
            journal.write(name, caption, status, model="openai/x")  # type: ignore[arg-type]


def test_without_people_a_forced_start_is_empty(path: Path) -> None:
    path.write_bytes(line("a.jpg"))
    with opened(path) as journal:
        journal.forget_machines()
        backup = journal.set_aside()
    assert backup is not None
    assert not path.exists()


def test_an_error_cannot_be_by_a_person(path: Path) -> None:
    path.write_bytes(line("a.jpg", None, "error_api", by="person") + line("a.jpg", "a cat"))
    with opened(path) as journal:
        assert journal.records == {"a.jpg": {"caption": "a cat", "status": "success"}}
        path.write_bytes(line("a.jpg", by=["person"]))
        assert "by" not in journal.load()["a.jpg"], "another program's field of that name"


def test_a_kept_caption_gives_way_to_a_caption_only_and_that_has_the_mark(path: Path) -> None:
    path.write_bytes(line("a.jpg", "old") + line("b.jpg", "old"))
    with CaptionJournal(path).lock() as journal:
        journal.load(redo_mark="0123abcd")
        journal.do_again(["a.jpg"], keep=True)
        journal.write("a.jpg", None, "error_corrupt")
        assert path.read_bytes().count(b"\n") == 2
        journal.write("a.jpg", "new", "success")
        journal.write("c.jpg", "new", "success")
        journal.write("a.jpg", None, "error_api")  # no longer kept
    marks = {r["rel_path"]: r.get("redo") for r in map(json.loads, path.read_bytes().splitlines()[2:4])}
    assert marks == {"a.jpg": "0123abcd", "c.jpg": None}
    with CaptionJournal(path).lock() as journal:
        path.write_bytes(line("a.jpg", redo="0123abcd") + line("b.jpg", redo="other") + line("c.jpg"))
        journal.load(redo_mark="0123abcd")
        assert journal.remade == {"a.jpg"}


def test_a_copy_gets_a_persons_words_before_a_models() -> None:
    machine = {"caption": "a cat", "status": "success", "model": "mock", "content": CONTENT}
    person = {"caption": "Rex", "status": "success", "content": CONTENT, "by": PERSON}
    photo = Photo("copy.jpg", "copy.jpg", content=CONTENT)
    known = Known([photo], {CONTENT: [("a.jpg", machine), ("b.jpg", person)]})  # type: ignore[list-item]
    (copies, others) = known.split("any/model", "00000000")
    assert not others
    made = copies[0].record()
    assert (made.caption, made.by, made.copy_of, made.model) == ("Rex", PERSON, "b.jpg", None)


@pytest.mark.parametrize("language", ["python", "jq"])
def test_the_documented_readers_know_people(path: Path, language: str) -> None:
    path.write_bytes(
        line("a.jpg", "Rex", by="person") + line("a.jpg", "a dog") + line("b.jpg", "x") + line("b.jpg", "y")
    )
    page = (ROOT / "docs" / "journal-format.md").read_text("utf-8")
    blocks = re.findall(r"^```(python|sh)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    if language == "python":
        script = next(text for kind, text in blocks if kind == "python")
        script += "\nprint(json.dumps({name: record['caption'] for name, record in last.items()}))"
        command = [sys.executable, "-c", script]
    else:
        if not shutil.which("jq"):
            pytest.skip("jq is not installed")
        command = ["sh", "-c", next(text for _, text in blocks if "jq" in text)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True)
    parsed = [json.loads(each) for each in done.stdout.splitlines()]
    found = parsed[0] if language == "python" else {r["rel_path"]: r["caption"] for r in parsed}
    assert found == {"a.jpg": "Rex", "b.jpg": "y"}
