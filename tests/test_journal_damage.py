"""Journals that are torn, spoiled, foreign, or saved by another program in its own form."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import re
import subprocess
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal
from tests.helpers.journals import (
    captions,
    line,
    names,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# --- torn, cut and spoiled files -------------------------------------------------------------------------------------

WHOLE = (
    line("a.jpg", "一只猫 🐈 on a mat")
    + line("é/ü.jpg", None, "error_model", error="empty caption")
    + line("a.jpg", "again: ñandú")
    + line("b.mov", None, "error_corrupt", error="video")
)


def test_every_beginning_of_a_journal_can_be_opened_and_appended_to(path: Path) -> None:
    lines = WHOLE.splitlines(keepends=True)
    ends = list(itertools.accumulate(map(len, lines), initial=0))
    for cut in range(len(WHOLE) + 1):
        path.write_bytes(WHOLE[:cut])
        start = max(end for end in ends if end <= cut)
        # All of a record but its newline is a whole record.
        whole = [json.loads(each) for each, end in zip(lines, ends[1:], strict=True) if cut >= end - 1]
        torn = bool(WHOLE[start:cut]) and cut + 1 not in ends
        expected = {record["rel_path"]: record["caption"] for record in whole}

        reader = CaptionJournal(path)
        assert {name: entry["caption"] for name, entry in reader.load().items()} == expected, cut
        assert reader.malformed == [], "a writer may be at work on the last line"

        with opened(path) as journal:
            assert len(journal.malformed) == torn, cut
            journal.write("new.jpg", "ein Hund", "success")
            journal.write("newer.jpg", "ein Pferd", "success")
        raw = path.read_bytes()
        assert raw.startswith(WHOLE[:cut]), "nothing is ever taken away"
        assert raw.endswith(b"\n")
        assert raw.count(b"\n") == WHOLE[:cut].count(b"\n") + (cut not in ends) + 2, cut
        with opened(path) as journal:
            assert len(journal.malformed) == torn, cut
            found = {name: entry["caption"] for name, entry in journal.records.items()}
            assert found == expected | {"new.jpg": "ein Hund", "newer.jpg": "ein Pferd"}, cut


# None of it is a whole record.
junk = (
    st.binary(max_size=120)
    | st.sampled_from(
        [
            b"\0" * 5000,
            b"\xef\xbb\xbf",
            b"{",
            b'{"a": ' * 150,
            b"[" * 9000,
            b"9" * 9000,
            b'"' * 99,
            b"\xed\xa0\x80",
        ]
    )
    | st.integers(0, len(WHOLE)).map(lambda cut: WHOLE[:cut].rpartition(b"\n")[2][:-1])
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["rel_path", "x"]), inner, max_size=2)
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)


@settings(deadline=None, database=None, max_examples=200)
@given(pieces=st.lists(junk, min_size=6, max_size=6), tail=junk)
@example(pieces=[b""] * 6, tail=b"\0" * 4096)
def test_junk_between_the_lines_harms_no_line(pieces: list[bytes], tail: bytes) -> None:
    good = [line(f"{i}.jpg", f"caption {i} é") for i in range(5)]
    spoiled = b"".join(piece + b"\n" + each for piece, each in zip(pieces, good, strict=False)) + tail
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(spoiled)
        CaptionJournal(path).load()
        with opened(path) as journal:
            warned = bool(malformed_warning(journal))
            assert warned == any(piece.strip() for each in [*pieces[:5], tail] for piece in each.split(b"\n"))
            journal.write("new.jpg", "a dog", "success")
        assert path.read_bytes().startswith(spoiled)
        assert captions(path) == {f"{i}.jpg": f"caption {i} é" for i in range(5)} | {"new.jpg": "a dog"}


@settings(deadline=None, database=None, max_examples=150)
@given(place=st.integers(0, 5 * len(line("0.jpg"))), piece=junk, overwrite=st.booleans())
def test_junk_inside_a_line_harms_only_what_it_touches(place: int, piece: bytes, overwrite: bool) -> None:
    good = [line(f"{i}.jpg") for i in range(5)]
    size = len(good[0])
    whole = b"".join(good)
    end = min(place + len(piece), len(whole)) if overwrite else place
    touched = set(range(max(place - 1, 0) // size, end // size + 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(whole[:place] + piece + whole[end:])
        # Where an end of line is gone, two whole records may stand on one line: that is refused, and proved further down.
        assume(not re.search(rb"\}[ \t\r]*\{", path.read_bytes()))
        if len(touched) < 5:
            found = captions(path)
            assert {f"{i}.jpg" for i in range(5) if i not in touched} <= set(found)


@pytest.mark.parametrize("start", [b'{"a":', b'{"rel_path":"a","caption":"b","status":"success","x":['])
def test_deeply_nested_junk_is_only_malformed(path: Path, start: bytes) -> None:
    path.write_bytes(line("a.jpg") + start * 100_000 + b"\n" + line("b.jpg"))
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_a_tail_of_zero_bytes_is_closed_off(path: Path) -> None:
    path.write_bytes(line("a.jpg") + b"\0" * 4096)
    with opened(path) as journal:
        assert journal.malformed == [2]
        journal.write("b.jpg", "a dog", "success")
    assert path.read_bytes().startswith(line("a.jpg") + b"\0" * 4096 + b"\n{")
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_a_first_record_that_is_torn_is_no_foreign_file(path: Path) -> None:
    for torn in (line("a.jpg")[:30], b"\0" * 512, b"{"):
        path.write_bytes(torn)
        with opened(path) as journal:
            assert journal.malformed == [1]
            journal.write("a.jpg", "a cat", "success")
        assert captions(path) == {"a.jpg": "a cat"}


# --- files that are no journals --------------------------------------------------------------------------------------


def a_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "JPEG")
    return buffer.getvalue()


FOREIGN = {
    "a JPEG": a_jpeg(),
    "JSON lines": b'{"path": "a.jpg", "text": "a cat"}\n{"path": "b.jpg", "text": "a dog"}\n',
    "other statuses": line("a.jpg", status="ok") + line("b.jpg", status="ok"),
    "CSV": b"path,caption\na.jpg,a cat\n",
    "pretty JSON": json.dumps([{"rel_path": "a", "caption": "b"}], indent=2).encode() + b"\n",
    "a database": b"SQLite format 3\0" + b"\0" * 4000 + b"\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for use in (CaptionJournal.load, CaptionJournal.compact):
        with CaptionJournal(path).lock() as journal, pytest.raises(StopRunError) as caught:
            use(journal)
        assert str(caught.value) == (
            f"{path} holds no captions but something else: it is left as it is; give --captions-jsonl another file."
        )
    assert path.read_bytes() == content
    assert names(path.parent) == ["captions.jsonl", "captions.jsonl.lock"]


def test_a_folder_is_refused(path: Path) -> None:
    path.mkdir()
    with (
        pytest.raises(StopRunError, match="is a folder: give --captions-jsonl the name of a file in it"),
        CaptionJournal(path).lock(),
    ):
        pass
    with pytest.raises(StopRunError, match="cannot be read"):
        CaptionJournal(path).load()
    assert names(path) == []


# --- what other programs do to a journal ------------------------------------------------------------------------------


def test_a_byte_order_mark_costs_no_record(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + line("a.jpg") + line("b.jpg"))
    assert list(captions(path)) == ["a.jpg", "b.jpg"]


def test_compact_takes_blank_lines_out(path: Path) -> None:
    path.write_bytes(line("a.jpg") + b"\n\r\n" + line("b.jpg"))
    with opened(path) as journal:
        assert journal.compact() is not None
    assert path.read_bytes() == line("a.jpg") + line("b.jpg")


def test_a_rewritten_photo_moves_to_the_end_of_the_records(path: Path) -> None:
    with opened(path) as journal:
        for name in ("a.jpg", "b.jpg", "a.jpg"):
            journal.write(name, "a cat", "success")
        assert list(journal.records) == ["b.jpg", "a.jpg"]
    assert list(captions(path)) == ["b.jpg", "a.jpg"]


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "UTF-16 with a mark": lambda text: b"\xff\xfe" + text.decode().encode("utf-16-le"),
    "UTF-16 with a mark, larger byte first": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "UTF-16LE": lambda text: text.decode().encode("utf-16-le"),
    "UTF-16BE": lambda text: text.decode().encode("utf-16-be"),
    "UTF-16LE with CRLF": lambda text: text.decode().replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-32 with a mark": lambda text: b"\xff\xfe\0\0" + text.decode().encode("utf-32-le"),
    "UTF-32LE": lambda text: text.decode().encode("utf-32-le"),
    "UTF-32BE": lambda text: text.decode().encode("utf-32-be"),
    "CR alone": lambda text: text.replace(b"\n", b"\r"),
    "a mark and CR alone": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r"),
    "no ends of lines": lambda text: text.replace(b"\n", b""),
    "spaces for ends of lines": lambda text: text.replace(b"\n", b"  "),
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "Windows-1252": lambda text: text.decode().encode("cp1252"),
}
OLD = line("é/a.jpg", "ein Hund }{ und ü") + line("é/b.jpg", None, "error_api") + line("é/a.jpg", "néw")
OLD_CAPTIONS = {"é/a.jpg": "néw", "é/b.jpg": None}


def refusals(path: Path) -> set[str]:
    """Return what a reader, a writer, and `compact` say of the file; it stays as it is."""
    before = path.read_bytes()
    said = set()
    with pytest.raises(StopRunError) as caught:
        CaptionJournal(path).load()
    said.add(str(caught.value))
    for use in (CaptionJournal.load, CaptionJournal.compact):
        with CaptionJournal(path).lock() as journal, pytest.raises(StopRunError) as caught:
            use(journal)
        said.add(str(caught.value))
    assert path.read_bytes() == before
    return said


@pytest.mark.parametrize("form", FORMS)
def test_another_form_is_refused_with_the_command_that_mends_it(tmp_path: Path, form: str) -> None:
    path = tmp_path / "Anna's captions.jsonl"
    path.write_bytes(FORMS[form](OLD))
    (said,) = refusals(path)
    assert "it is left as it is; give --captions-jsonl the file that this makes" in said
    command = said.rpartition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert captions(tmp_path / "Anna's captions.fixed.jsonl") == OLD_CAPTIONS


@settings(deadline=None, database=None, max_examples=400)
@given(
    form=st.sampled_from([*FORMS, "UTF-8"]),
    texts=st.lists(st.text(st.characters(codec="cp1252"), min_size=1, max_size=9), min_size=1, max_size=3),
    data=st.data(),
)
def test_a_torn_line_is_told_from_another_form_at_every_cut(
    form: str, texts: list[str], data: st.DataObject
) -> None:
    whole = b"".join(line(f"é{i}.jpg", text) for i, text in enumerate(texts))
    saved = FORMS[form](whole) if form in FORMS else whole
    cut = saved[: data.draw(st.integers(0, len(saved)) | st.just(len(saved)))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "captions.jsonl")
        path.write_bytes(cut)
        try:
            found = captions(path)
        except StopRunError:
            assert form != "UTF-8"
            assert len(refusals(path)) == 1
            return
        if form == "UTF-8":
            ended = cut.count(b"\n") + (cut != b"" and cut + b"\n" == saved[: len(cut) + 1])
            assert len(found) == ended
            return
        # It was taken for a journal: then no record is in it that was not found.
        if form == "gzip":
            assert cut == b""
            return
        single = [len(FORMS[form](whole[: m.end() - 1])) for m in re.finditer(rb"\n", whole)]
        assert len(found) == sum(end <= len(cut) for end in single)


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize(
    "appended",
    [
        line("c.jpg").decode().encode("utf-16-le"),
        (line("c.jpg") + line("d.jpg")).replace(b"\n", b"\r"),
        line("c.jpg")[:-1] + line("d.jpg"),
    ],
    ids=["UTF-16", "CR", "one line"],
)
def test_a_journal_that_another_program_wrote_on_in_its_own_form_is_refused(
    path: Path, appended: bytes, locked: bool
) -> None:
    before = line("a.jpg") + line("b.jpg") + appended
    path.write_bytes(before)
    with CaptionJournal(path).lock() if locked else nullcontext(CaptionJournal(path)) as journal:  # noqa: SIM117
        with pytest.raises(StopRunError, match="it is left as it is; "):
            journal.load()
    assert path.read_bytes() == before


def test_a_spoiled_byte_in_a_line_is_no_other_encoding(path: Path) -> None:
    bad = line("b.jpg", "caf\xe9").decode().encode("latin-1")
    for good in (line("a.jpg"), line("é.jpg") + bad):
        path.write_bytes(good + bad)
        assert len(captions(path)) == 1


def test_a_record_that_lost_only_its_end_of_line_is_no_foreign_file(path: Path) -> None:
    for tail in (b"\0" * 512, b"\0" * 512 + b"\n"):
        path.write_bytes(line("a.jpg")[:-1] + tail)
        with opened(path) as journal:
            assert journal.malformed == [1]
            journal.write("a.jpg", "a cat", "success")
        assert captions(path) == {"a.jpg": "a cat"}
