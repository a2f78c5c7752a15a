"""Owns the command `find`: photos by words, dates, groups and pictures. Sends nothing anywhere.

What pictures, pages and links need is imported when they are asked for: a search in captions loads no model and no torch.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cli.doors import WrongUseError
from cli.exit import ExitCode
from cli.log import printable
from cli.selection import existing_journal, photos_folder
from cli.signals import Stopper
from cli.words import advice, command
from config import load_settings
from errors import PackagesError, StopRunError
from report.vectors.cache import EmbeddingCache, embedders_in
from search.find import Asked, find, text_for_pictures
from search.kept import folder_of, with_index
from search.pictures import open_pictures
from search.query import Span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from journal import CaptionJournal
    from report.vectors.embed import Floats
    from search.find import Column, Found
    from search.index import Index

CACHE, TABLE = ".cluster_cache", "cluster_export.csv"
"""What a report leaves in its folder: its vectors, and a row for every file."""
_HUB_MODEL = re.compile(r"(\S+/\S+) \S+ \d+px")
_OF_PICTURES = re.compile(r".* \d+px")
_COLUMNS: dict[Column, str] = {"caption": "caption", "tags": "tag", "path": "name", "names": "belongs to"}
_FAR = 99_991_231
_LARGE = 20_000_000
"""Bytes of a journal that take seconds."""


@dataclass(frozen=True, slots=True)
class FindOptions:
    """What the user asked for, checked."""

    query: str
    days: Span | None
    photos_dir: Path | None
    captions_jsonl: Path
    report: Path | None
    by: Literal["caption", "image", "both"]
    clip_model: str | None
    limit: int
    as_json: bool
    open: bool
    links: Path | None

    @property
    def title(self) -> str:
        """What was asked for, in words."""
        return " ".join(self.query.split()) or "by date"

    @property
    def report_folder(self) -> Path:
        return self.report or self.captions_jsonl.parent


def days_between(since: str | None, until: str | None) -> Span | None:
    """Return the days that the two flags leave; None where they leave all.

    Raises:
        WrongUseError: one is no date, or none is left between them.
    """
    ends = []
    for flag, text in (("--since", since), ("--until", until)):
        days = Span(0, _FAR) if text is None else span_of(text)
        if days is None:
            raise WrongUseError(
                f"{flag} {text!r} is no date: give one like 2019, 2019-07, 2019-07-12 or 'july 2019'."
            )
        ends.append(days)
    if since is None and until is None:
        return None
    if ends[0].first > ends[1].last:
        raise WrongUseError("--since is later than --until: swap them, or leave one out.")
    return Span(ends[0].first, ends[1].last)


def find_photos(options: FindOptions) -> ExitCode:
    """Print the photos that fit best, best first, and show or link them.

    Raises:
        StopRunError: the journal, the report, a model or a folder is not as it must be.
    """
    Stopper("Stopped; nothing is lost. The same command begins again.")
    journal = existing_journal(options.captions_jsonl)
    if options.report and not options.report.is_dir():
        raise StopRunError(f"{options.report} is no folder: check --report.")
    cache, vector = _asked_of_pictures(options, journal)
    asked = Asked(options.query, options.days, options.limit, options.by != "image")

    def use(index: Index, folder: Path | None) -> list[Found]:
        if index.is_new and options.captions_jsonl.stat().st_size > _LARGE:
            _say("Making the index of the captions; the next search finds it made.")
        index.catch_up(journal, options.report_folder / TABLE)
        if options.days and not index.has_dates():
            raise StopRunError(
                f"When photos were taken is known from a report, and there is none in {options.report_folder}: run "
                f"`{command('report')}` first, or give its folder as --report."
            )
        pictures = open_pictures(index, folder, cache) if cache and vector is not None else None
        return find(index, asked, pictures, vector)

    found = with_index(journal, use, _say)
    _print(found, options)
    if not found:
        _say(_nothing(options))
    elif options.open or options.links:
        from cli.found import link_photos, show_page

        photos_dir = photos_folder(options.photos_dir, load_settings())
        if options.links:
            _say(link_photos(found, options.title, photos_dir, options.links))
        if options.open:
            page = show_page(found, options.title, photos_dir, folder_of(journal))
            print(f"The page is {page}", file=sys.stderr if options.as_json else sys.stdout)
    return ExitCode.DONE


def _asked_of_pictures(
    options: FindOptions, journal: CaptionJournal
) -> tuple[EmbeddingCache | None, Floats | None]:
    """Return the report's vectors, and that of the query; None where captions alone are searched, with a sentence why."""
    text = text_for_pictures(options.query)
    if options.by == "caption" or not text:
        return None, None
    folder = options.report_folder / CACHE
    names = [name for name in embedders_in(folder) if _OF_PICTURES.fullmatch(name)]
    try:
        if names:
            return _vector(text, options.clip_model, names, folder, folder_of(journal))
        if options.by == "image":
            raise StopRunError(
                f"No report in {options.report_folder} has looked at the pictures with a model: run `{command('report')}` "
                "first, or give its folder as --report."
            )
    except StopRunError as error:
        if options.by == "image":
            raise
        _say(f"Only captions are searched. {advice(error)}")
    return None, None


def _vector(
    text: str, model: str | None, names: list[str], folder: Path, own: Path
) -> tuple[EmbeddingCache, Floats]:
    """Return the vectors of the model that made those of the report, and the text's; no model is fetched from anywhere.

    Raises:
        StopRunError: the model or its packages are not here.
    """
    given = model or next((match[1] for name in names if (match := _HUB_MODEL.fullmatch(name))), None)
    if given is None:
        raise StopRunError(
            f"The report's vectors are those of a model in a folder ({names[0].split()[0]}): give that folder as --clip-model."
        )
    os.environ["HF_HUB_OFFLINE"] = "1"
    from report.vectors.clip import ClipEmbedder
    from report.vectors.embed import embed_texts

    try:
        embedder = ClipEmbedder(given)
    except PackagesError:
        raise PackagesError(
            "Pictures are searched with packages that are not installed.", extra="report"
        ) from None
    except StopRunError:
        raise StopRunError(
            f"The model of the report's vectors, {given}, is not on this machine: make the report here, or give the "
            "model's folder as --clip-model."
        ) from None
    if embedder.name not in names:
        raise StopRunError(
            f"The report's vectors were not made by {given} as it is here: make the report with it, or give --clip-model "
            "the model that made them."
        )

    def tell(known: int) -> None:
        if not known:
            _say(f"Loading {given}; --by caption does without it.")

    if os.access(own.parent, os.W_OK):  # so that the same query needs no model a second time
        vector = embed_texts([text], embedder, EmbeddingCache(own, f"{embedder.name} texts"), progress=tell)[
            0
        ]
    else:
        tell(0)
        vector = embedder.texts([text])[0]
    return EmbeddingCache(folder, embedder.name), vector


def _print(found: Iterable[Found], options: FindOptions) -> None:
    for one in found:
        path = one.photo.path
        full = os.path.join(options.photos_dir, path) if options.photos_dir else path
        if options.as_json:
            said = {
                "rel_path": path,
                "path": os.path.abspath(full) if options.photos_dir else None,
                "caption": one.photo.caption,
                "tags": _lines(one.photo.tags),
                "taken": _taken(one) or None,
                "belongs_to": _lines(one.photo.names),
                "words": one.words,
                "missing": one.missing,
                "picture": one.near,
            }
            print(json.dumps(said, ensure_ascii=False))
            continue
        print(printable(full, ""))
        if one.photo.caption:
            print(printable(f"    {one.photo.caption}", ""))
        if why := _why(one):
            print(printable(f"    {why}", ""))


def _why(one: Found) -> str:
    parts = [f"{_COLUMNS[column]}: {', '.join(words)}" for column, words in one.words.items()]
    if one.missing and (one.words or one.near is None):
        parts.append(f"without: {', '.join(one.missing)}")
    if one.near is not None:
        parts.append(f"picture: {one.near:.2f}")
    if taken := _taken(one):
        parts.append(f"taken: {taken}")
    if one.photo.names:
        parts.append(f"in: {one.photo.names.replace(chr(10), '; ')}")
    return " | ".join(parts)


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _taken(one: Found) -> str:
    """Return when the photo was taken, as far as it is known."""
    first, last = one.photo.first, one.photo.last
    if first is None or last is None:
        return ""
    text = f"{first // 10_000}-{first // 100 % 100:02}-{first % 100:02}"
    known = 10 if first == last else 7 if first // 100 == last // 100 else 4
    return text[:known]


def _nothing(options: FindOptions) -> str:
    between = " between these days" if options.days else ""
    return (
        f"No photo fits{between}. Each word must begin a word of a caption or tag, of a file's, folder's, group's, event's or trip's "
        f"name, or of a town, or say when it was: try other words, or see with `{command('stats')}` how many photos have captions."
    )


def _say(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr)
