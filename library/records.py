"""Owns what a record of the journal is: its fields, how a line is read and written, how records are counted.

docs/journal-format.md explains every field. `journal.py` passes these names on, so that its users import from there.
"""

from __future__ import annotations

import json
import unicodedata
from codecs import BOM_UTF8
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, cast, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator
from typing_extensions import NotRequired, TypedDict  # noqa: UP035 - pydantic takes typing's own from 3.12 on

from library.identity import is_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Status = Literal["success", "error_corrupt", "error_api", "error_model"]
STATUSES: tuple[Status, ...] = get_args(Status)
VIDEO = "video"
"""The `error` of a record for a video. Videos are counted apart, because nothing is wrong with them."""
MOCK = "mock"
"""The `model` of a record that the mock made. A run with a real backend never counts it as done."""
PERSON = "person"
"""The `by` of a caption that a person wrote. No record of another kind ever takes its place."""
_MARK = 8
"""How many letters of the prompt's hash a record keeps."""


class CaptionRecord(BaseModel):
    """One line of captions.jsonl."""

    rel_path: str
    caption: str | None
    status: Status
    model: str | None = None
    at: str | None = None
    error: str | None = None
    prompt: str | None = None
    content: str | None = None
    copy_of: str | None = None
    tags: list[str] | None = None
    by: str | None = None
    redo: str | None = None

    @model_validator(mode="after")
    def _success_has_caption(self) -> CaptionRecord:
        if self.status == "success" and not self.caption:
            raise ValueError("a success needs a caption")
        return self

    def line(self) -> bytes:
        """Return the record as it stands in the file, newline included."""
        fields = {
            name: value for name, value in self.__dict__.items() if value is not None or name == "caption"
        }
        # Some APIs send half an emoji (a lone surrogate). It is not UTF-8 and would make the line unreadable.
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class Fields(TypedDict):
    """The fields of `CaptionRecord` as a plain dict. It validates in half the time, which counts at a million lines."""

    rel_path: str
    caption: str | None
    status: Status
    model: NotRequired[str | None]
    at: NotRequired[str | None]
    error: NotRequired[str | None]
    # Before 0.2 another program could have fields of these names. Its values must not make the line malformed.
    prompt: NotRequired[object]
    content: NotRequired[object]
    copy_of: NotRequired[object]
    tags: NotRequired[object]
    by: NotRequired[object]
    redo: NotRequired[object]


class Entry(TypedDict):
    """What `CaptionJournal.load` keeps of a photo's last record."""

    caption: str | None
    status: Status
    model: NotRequired[str]
    error: NotRequired[str]
    prompt: NotRequired[str]
    content: NotRequired[str]
    copy_of: NotRequired[str]
    tags: NotRequired[tuple[str, ...]]
    by: NotRequired[str]


_validate_line = TypeAdapter(Fields).validator.validate_json


def parse_line(line: bytes) -> Fields | None:
    """Return the record that a line holds, None if it is malformed."""
    try:
        record: Fields = _validate_line(line)
    except ValidationError:
        # Windows editors put a byte-order mark before the first line.
        return parse_line(line.lstrip(BOM_UTF8)) if line.startswith(BOM_UTF8) else None
    if record["status"] == "success" and not record["caption"]:
        return None
    if not record["rel_path"].isascii():  # another program's journal may spell names as macOS stores them
        record["rel_path"] = unicodedata.normalize("NFC", record["rel_path"])
    return record


def entry_of(record: Fields, shared: dict[str, str]) -> Entry:
    """Return what is kept of a record. `shared` holds each status, model and error once for all records."""
    status = cast("Status", shared.setdefault(record["status"], record["status"]))
    entry: Entry = {"caption": record["caption"], "status": status}
    if model := record.get("model"):
        entry["model"] = shared.setdefault(model, model)
    if error := record.get("error"):
        entry["error"] = shared.setdefault(error, error)
    if isinstance(prompt := record.get("prompt"), str) and len(prompt) == _MARK:
        entry["prompt"] = shared.setdefault(prompt, prompt)
    # A success has five fields at most unless it is a copy; with a sixth the dict takes half as much memory again.
    if is_content(content := record.get("content")):
        entry["content"] = cast("str", content)
        if isinstance(copy_of := record.get("copy_of"), str):
            entry["copy_of"] = copy_of
    # The same few words come up again and again.
    tags = tuple(shared.setdefault(tag, tag) for tag in tags_of(record))
    if tags and entry["caption"]:
        entry["tags"] = tags
    if record.get("by") == PERSON and status == "success":
        entry["by"] = PERSON
    return entry


def tags_of(record: Fields) -> list[str]:
    """Return the tags of a record, best first."""
    tags = record.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def takes_over(new: Mapping[str, object], old: Mapping[str, object] | None) -> bool:
    """Tell whether a record takes the place of an older one of the same photo; both may be lines or what is kept of them."""
    return old is None or not is_by_person(old) or is_by_person(new)


def is_by_person(record: Mapping[str, object]) -> bool:
    """Tell whether a person wrote this caption."""
    return record.get("by") == PERSON and record["status"] == "success"


@lru_cache(4096)  # many records are made in the same second
def seconds_of(at: str | None) -> int | None:
    """Return a record's time in whole seconds since 1970; None if it is not readable."""
    try:
        time = datetime.fromisoformat(at or "")
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def prompt_mark(prompt: str) -> str:
    """Return the mark that a record keeps of its prompt: it tells prompts apart and cannot be read."""
    return sha256(unicodedata.normalize("NFC", prompt.strip()).encode("utf-8", "replace")).hexdigest()[:_MARK]


def is_video(status: str | None, error: str | None) -> bool:
    """Tell the record of a video from that of a broken photo."""
    return status == "error_corrupt" and error == VIDEO


@dataclass(slots=True)
class Tally:
    """How many photos have which status. A video counts as a video, not as an error.

    Attributes:
        statuses: photos by the status of their records; a video's is `error_corrupt`.
        videos: how many of them are videos.
    """

    statuses: Counter[str]
    videos: int = 0

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def done(self) -> int:
        return self.statuses["success"]

    @property
    def errors(self) -> int:
        return self.total - self.done - self.videos

    @property
    def failed(self) -> Counter[str]:
        """The errors by status; a status without errors is left out."""
        return +Counter({**self.statuses, "success": 0}) - Counter(error_corrupt=self.videos)

    def line(self) -> str:
        """Return the counts for people: `1,198 captioned, 30 errors, 12 videos`; videos only if there are any."""
        parts = [f"{self.done:,} captioned", f"{self.errors:,} error{'' if self.errors == 1 else 's'}"]
        if self.videos:
            parts.append(f"{self.videos:,} video{'' if self.videos == 1 else 's'}")
        return ", ".join(parts)

    def summary(self) -> str:
        """Say that these photos are skipped: `Skipping 1240 already processed (1198 success, 42 errors)`."""
        videos = f", {self.videos} videos" if self.videos else ""
        return f"Skipping {self.total} already processed ({self.done} success, {self.errors} errors{videos})"


def tally(entries: Iterable[Entry]) -> Tally:
    """Count entries by status, and the videos among them."""
    counted = Tally(Counter())
    for entry in entries:
        counted.statuses[entry["status"]] += 1
        counted.videos += is_video(entry["status"], entry.get("error"))
    return counted
