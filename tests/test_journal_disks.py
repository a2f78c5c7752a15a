"""The journal on disks that are full, read-only, gone or slow."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backends.base import StopRunError
from journal import CaptionJournal, CaptionRecord
from tests.conftest import ROOT
from tests.helpers.journals import (
    captions,
    line,
    needs_mount,
    on_small_disk,
    opened,
    python,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# --- disks that fail -------------------------------------------------------------------------------------------------


FILL = """
import json, os, sys
from pathlib import Path
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal

path = Path(sys.argv[1])
filler = path.with_name("filler")
limit = int(sys.argv[2]) if len(sys.argv) > 2 else 0
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
else:
    filler.write_bytes(b"x" * 20_000)
acknowledged, sentences, whole = [], [], []
with CaptionJournal(path).lock() as journal:
    journal.load()
    while len(acknowledged) < 500 and len(sentences) < 3:
        name = f"{len(acknowledged)}.jpg"
        try:
            journal.write(name, "é" * 347, "success")
            acknowledged.append(name)
        except StopRunError as error:
            sentences.append(str(error))
            whole.append(path.read_bytes().endswith(b"}\\n") and path.read_bytes().count(b"\\n") == len(acknowledged))
            assert not journal.is_done(name)
    compacted = None
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        # Room for one more line but not for a second copy of the file.
        os.truncate(filler, 12_000)
        journal.write("0.jpg", "again", "success")
        before = path.read_bytes()
        try:
            journal.compact()
        except StopRunError as error:
            compacted = str(error)
        assert path.read_bytes() == before
        filler.unlink()
    for number in range(3):
        journal.write(f"after {number}.jpg", "there is room again", "success")
with CaptionJournal(path).lock() as journal:
    found = journal.load()
    print(json.dumps({"acknowledged": acknowledged, "sentences": sentences, "whole": whole, "compacted": compacted,
        "found": sorted(found), "malformed": journal.malformed, "names": sorted(os.listdir(path.parent))}))
"""


def check_full_disk(answer: dict[str, Any], sentence: str) -> None:
    assert len(answer["acknowledged"]) > 5
    assert len(answer["sentences"]) == 3
    assert all(each == sentence for each in answer["sentences"])
    assert answer["whole"] == [True] * 3, "cut back to the last whole line"
    assert answer["malformed"] == []
    assert answer["found"] == sorted(
        [*answer["acknowledged"], *(f"after {number}.jpg" for number in range(3))]
    )


@needs_mount
def test_a_full_disk_stops_the_run_and_harms_nothing(tmp_path: Path) -> None:
    answer = on_small_disk(tmp_path / "disk", FILL)
    sentence = (
        f"{tmp_path}/disk/captions.jsonl cannot be written, the disk is full: free some space and run the same command "
        "again; nothing that was written is lost."
    )
    check_full_disk(answer, sentence)
    assert answer["compacted"] == sentence
    assert answer["names"] == ["captions.jsonl", "captions.jsonl.lock"], "no temporary file is left"


def test_a_file_that_may_not_grow_is_cut_back_to_its_last_line(path: Path) -> None:
    done = subprocess.run(python(FILL, path, 20_000), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_full_disk(
        json.loads(done.stdout),
        f"{path} cannot be written, File too large: check the disk and run the same command again; "
        "nothing that was written is lost.",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_the_device_that_is_always_full(path: Path) -> None:
    path.symlink_to("/dev/full")
    journal = CaptionJournal(path)
    with pytest.raises(StopRunError, match="the disk is full: free some space"):
        journal.write("a.jpg", "a cat", "success")
    assert journal.records == {}


READ_ONLY = """
import json, os, subprocess, sys
from pathlib import Path
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal

path = Path(sys.argv[1])
how = sys.argv[2] if len(sys.argv) > 2 else "mount"
def write():
    with CaptionJournal(path).lock() as journal:
        journal.load()
        journal.write("b.jpg", "a dog", "success")
def write_without_lock():
    CaptionJournal(path).write("b.jpg", "a dog", "success")
def compact():
    CaptionJournal(path).compact()
def set_aside():
    CaptionJournal(path).set_aside()
with CaptionJournal(path).lock() as journal:
    for caption in ("old", "new"):
        journal.write("a.jpg", caption, "success")
before = path.read_bytes()
if how == "mount":
    subprocess.run(["mount", "-o", "remount,ro", path.parent], check=True)
else:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    if os.geteuid() == 0:
        os.setuid(65534)  # chmod does not bind root
sentences = {}
for work in (write, write_without_lock, compact, set_aside):
    try:
        work()
    except (StopRunError, OSError) as error:
        sentences[work.__name__] = f"{type(error).__name__}: {error}"
assert path.read_bytes() == before
found = CaptionJournal(path).load()
print(json.dumps({"sentences": sentences, "found": found, "names": sorted(os.listdir(path.parent))}))
"""


def check_read_only(answer: dict[str, Any], reason: str) -> None:
    for work in ("write", "write_without_lock", "compact", "set_aside"):
        sentence = answer["sentences"][work]
        assert sentence.startswith("StopRunError: "), sentence
        assert f"cannot be written, {reason}: give --captions-jsonl a file elsewhere" in sentence
    assert answer["found"] == {"a.jpg": {"caption": "new", "status": "success"}}, "reading goes on"
    assert answer["names"] == ["captions.jsonl", "captions.jsonl.lock"]


@needs_mount
def test_a_read_only_disk(tmp_path: Path) -> None:
    check_read_only(on_small_disk(tmp_path / "disk", READ_ONLY), "the folder is read-only")


def test_a_folder_without_the_right_to_write() -> None:
    with tempfile.TemporaryDirectory() as outer:
        os.chmod(outer, 0o755)  # the other user must get as far as the folder
        folder = Path(outer, "folder")
        folder.mkdir()
        done = subprocess.run(
            python(READ_ONLY, folder / "captions.jsonl", "chmod"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    check_read_only(json.loads(done.stdout), "no permission to write there")


def test_a_journal_that_may_not_be_read() -> None:
    script = """
import os, sys
from backends.base import StopRunError
from cli.selection import malformed_warning
from journal import CaptionJournal
os.chmod(sys.argv[1], 0)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    CaptionJournal(sys.argv[1]).load()
except StopRunError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "captions.jsonl")
        path.write_bytes(line("a.jpg"))
        done = subprocess.run(python(script, path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (
        done.stdout
        == f"{path} cannot be read (Permission denied): check the disk and the file's permissions.\n"
    ), done.stderr


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StopRunError, match=r"the folder .* does not exist: make it"):
        CaptionJournal(tmp_path / "no" / "captions.jsonl").write("a.jpg", "a cat", "success")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StopRunError, match="is not a folder"):
        CaptionJournal(tmp_path / "file" / "captions.jsonl").write("a.jpg", "a cat", "success")


@pytest.mark.parametrize("torn", [b"", b'{"rel_path": "torn'])
@pytest.mark.parametrize("failing", ["write", "write after 9 bytes", "fsync", "fsync and ftruncate"])
def test_trouble_while_writing_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, torn: bytes
) -> None:
    real_write = os.write

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def short(descriptor: int, data: bytes) -> int:
        if len(data) > 60:
            return real_write(descriptor, data[:9])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    before = line("a.jpg") + torn
    path.write_bytes(before)
    with opened(path) as journal:
        with monkeypatch.context() as patched:
            if failing.startswith("write"):
                patched.setattr(os, "write", broken if failing == "write" else short)
            if "fsync" in failing:
                patched.setattr(os, "fsync", broken)
            if "ftruncate" in failing:
                patched.setattr(os, "ftruncate", broken)
            with pytest.raises(
                StopRunError, match="Input/output error: check the disk and run the same command again"
            ):
                journal.write("b.jpg", "x" * 80, "success")
        assert not journal.is_done("b.jpg")
        after = path.read_bytes()
        assert after == before if "ftruncate" not in failing else after.startswith(before)
        journal.write("c.jpg", "a dog", "success")
        assert path.read_bytes().startswith(after)
    assert set(captions(path)) - {"b.jpg"} == {"a.jpg", "c.jpg"}


def test_a_disk_that_takes_few_bytes_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    with opened(path) as journal, monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:7]))
        journal.write("é.jpg", "一只猫", "success")
        journal.write("b.jpg", "a dog", "success")
    assert captions(path) == {"é.jpg": "一只猫", "b.jpg": "a dog"}


def test_records_that_are_ready_together_cost_one_write_and_one_fsync(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()
    path.write_bytes(line("a.jpg"))

    def counting(name: str, real: Callable[..., int | None]) -> Callable[..., int | None]:
        def counted(*arguments: object) -> int | None:
            calls[name] += 1
            return real(*arguments)

        return counted

    with opened(path) as journal:
        for name in ("write", "fsync"):
            monkeypatch.setattr(os, name, counting(name, getattr(os, name)))
        journal.write_many(
            [CaptionRecord(rel_path=f"{i}", caption="x", status="success") for i in range(100)]
        )
    assert calls == {"write": 1, "fsync": 1}
    assert len(captions(path)) == 101


def test_a_name_that_is_too_long_is_said_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(StopRunError, match="cannot be written"),
        CaptionJournal(tmp_path / ("x" * 300)).lock(),
    ):
        pass
