"""Owns what photos and groups are called, and the counts of where names come from. Never opens a file or a model.

Everything here works on plain lists. What a model has to say comes through a `Match`, which is called only when some
photo or group has no caption to be named by.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from journal import MOCK

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from journal import Entry
    from report.naming.inheritance import Heirs

Match = Callable[[Sequence[str]], Sequence[str]]
"""Takes the rel_paths of photos that have a vector, returns for each the subject of `VOCABULARY` it is most like."""
Source = Literal["caption", "error", "vocabulary", "none"]
UNCLUSTERED = "Unclustered"
"""What stands where a heading would for photos outside every group; no group is called so."""
HEADING_LENGTH = 80
_CENTRE = 9
"""How many photos around the centre vote on the vocabulary heading: one photo alone may be untypical."""
_TERMS = 10
_SUFFIX_TERMS = 2
_LONGEST_TERM = 24
_LIFT = 1.5
"""A term sets a group apart if its photos have it so much more often than all others: that drops "a" and "der" alike."""


_Source = Literal["caption", "vocabulary", "number", "kept"]
_Named = tuple[str, _Source]


class Label(NamedTuple):
    """What one photo is called, on one line, and where that comes from; and its tags."""

    text: str
    source: Source
    is_mock: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A cluster with its name.

    `id` is what files call it, `terms` set it apart from all other photos, strongest first; `members` are rows of the
    clustered photos, those nearest to the centroid first. `short` is a name as a person would give it, `given` the one that a
    person gave; a group that a person has `hidden` has no card.
    """

    id: int
    heading: str
    source: _Source
    terms: tuple[str, ...]
    members: tuple[int, ...]
    short: str = ""
    given: str = ""
    hidden: bool = False

    @property
    def name(self) -> str:
        """What a person gave, else the short name, or where nothing gives one the heading."""
        return self.given or self.short or self.heading


@dataclass(frozen=True, slots=True)
class Theme:
    """Several groups that lie close together; `groups` are indexes into the list of groups, largest first."""

    name: str
    groups: tuple[int, ...]


@dataclass(slots=True)
class Counts:
    """How many files got their label from where; `sources` add up to all files, a video counts there as `video` alone."""

    sources: Counter[str]
    mocks: int = 0

    def line(self) -> str:
        """Return the summary line: `N captioned, M errors, K vocabulary fallbacks`, and what else there is to say."""
        sources = self.sources
        line = (
            f"{sources['caption']:,} captioned, {counted(sources['error'], 'error')}, "
            f"{counted(sources['vocabulary'], 'vocabulary fallback')}"
        )
        if sources["none"]:
            line += f", {sources['none']:,} unlabelled"
        if sources["video"]:
            line += f", {counted(sources['video'], 'video')}"
        return line + (f" ({self.mocks:,} of the captions are the mock's)" if self.mocks else "")


def label_photos(
    rel_paths: Sequence[str],
    records: Mapping[str, Entry],
    *,
    placed: Container[str] = (),
    match: Match | None = None,
) -> dict[str, Label]:
    """Label every file: its caption, nothing after an error, else the best match if it is among the `placed`.

    `placed` are the photos that have a vector; without `match` what has no record stays without a label.
    """
    labels: dict[str, Label] = {}
    unknown = []
    for rel_path in rel_paths:
        entry = records.get(rel_path)
        if entry is None:
            labels[rel_path] = Label("", "none")
            if match is not None and rel_path in placed:
                unknown.append(rel_path)
        elif entry["status"] == "success":
            is_mock, tags = entry.get("model") == MOCK, tuple(map(one_line, entry.get("tags", ())))
            labels[rel_path] = Label(one_line(entry["caption"] or ""), "caption", is_mock, tags)
        else:
            labels[rel_path] = Label("", "error")
    if match is not None and unknown:
        for rel_path, subject in zip(unknown, match(unknown), strict=True):
            labels[rel_path] = Label(subject, "vocabulary")
    return labels


def count(labels: Mapping[str, Label], videos: Container[str]) -> Counts:
    """Count labels by their source, videos apart, and the mock's captions."""
    sources = Counter("video" if name in videos else label.source for name, label in labels.items())
    return Counts(sources, sum(label.is_mock for label in labels.values()))


def name_groups(
    rel_paths: Sequence[str],
    clusters: NDArray[np.integer],
    distances: NDArray[np.floating],
    labels: Mapping[str, Label],
    *,
    match: Match | None = None,
    heirs: Heirs | None = None,
) -> list[Group]:
    """Name the clusters 0 to k-1, in this order; no two headings are equal, whatever their case and punctuation.

    Args:
        rel_paths: the clustered photos, a row each.
        clusters: (n,) the cluster of each row, -1 for none.
        distances: (n,) to the own centroid; ties go to the earlier row.
        labels: of at least those photos.
        match: None if there is no text model to ask.
        heirs: what clusters keep from an earlier report: what files call each, if not by its number, and headings, which
            win over new ones.
    """
    members = members_of(clusters, distances)
    ids = heirs.ids if heirs else {cluster: cluster for cluster in range(len(members))}
    texts = [[labels[rel_paths[row]].text for row in rows] for rows in members]
    rest = [labels[rel_paths[row]].text for row in np.flatnonzero(clusters < 0).tolist()]
    terms = contrast_terms(texts, rest)
    taken = {key(UNCLUSTERED)}
    headings = _kept(heirs, taken) if heirs else {}
    # The largest first: where only numbers tell groups apart, it goes without one.
    new = [cluster for cluster in range(len(members)) if cluster not in headings]
    new.sort(key=lambda cluster: (-len(members[cluster]), ids[cluster]))
    photos = {cluster: [rel_paths[row] for row in members[cluster]] for cluster in new}
    found = _new_headings(photos, ids, labels, match)
    unlike = _unlike([found[cluster][0] for cluster in new], [terms[cluster] for cluster in new], taken)
    for cluster, heading in zip(new, unlike, strict=True):
        headings[cluster] = heading, found[cluster][1]
    return [
        Group(ids[cluster], *headings[cluster], tuple(terms[cluster]), tuple(rows))
        for cluster, rows in enumerate(members)
    ]


def _kept(heirs: Heirs, taken: set[str]) -> dict[int, _Named]:
    """Return the headings that clusters keep, no two alike and none of `taken`, which they are added to."""
    headings: dict[int, _Named] = {}
    for cluster, heading in sorted(heirs.headings.items(), key=lambda item: heirs.ids[item[0]]):
        if key(heading) not in taken:
            taken.add(key(heading))
            headings[cluster] = heading, "kept"
    return headings


def _new_headings(
    photos: Mapping[int, Sequence[str]],
    ids: Mapping[int, int],
    labels: Mapping[str, Label],
    match: Match | None,
) -> dict[int, _Named]:
    """Return a heading for each cluster: the caption at its centre, what its centre is most like, else its number.

    Without `match` the caption nearest to the centre will do.
    """
    headings: dict[int, _Named] = {}
    asked: list[int] = []
    for cluster, inside in photos.items():
        captions = [labels[path] for path in inside]
        if any(it.source == "caption" and not it.is_mock for it in captions):
            captions = [it for it in captions if not it.is_mock]  # the next report would not keep the mock's
        captions = captions[:1] if match else captions
        heading = next((shorten(it.text) for it in captions if it.source == "caption" and it.text), "")
        headings[cluster] = (heading, "caption") if heading else (f"Group {ids[cluster]}", "number")
        if not heading:
            asked.append(cluster)
    for cluster, subject in _votes({cluster: photos[cluster][:_CENTRE] for cluster in asked}, match):
        headings[cluster] = subject, "vocabulary"
    return headings


def gathered(groups: Sequence[Group], themes: Sequence[int]) -> list[list[int]]:
    """Return the groups of each theme, largest first, and the theme of most photos first; `themes` has -1 for no theme."""
    sizes = [len(group.members) for group in groups]
    inside: dict[int, list[int]] = {}
    for index in sorted(range(len(groups)), key=lambda index: (-sizes[index], groups[index].id)):
        if themes[index] >= 0:
            inside.setdefault(int(themes[index]), []).append(index)
    return sorted(inside.values(), key=lambda groups: -sum(sizes[index] for index in groups))


def contrast_terms(groups: Sequence[Sequence[str]], rest: Sequence[str] = ()) -> list[list[str]]:
    """Return up to 10 words per group of texts that set it apart from all other texts, strongest first.

    Class-based TF-IDF (Grootendorst 2022, arXiv:2203.05794): how often the group has the word, times
    log(1 + words per group / how often all have it). A word counts once a text, and only if at least two texts of the
    group have it (one, in a group of one) and 1.5 times the share that have it elsewhere.
    """
    inside = [_frequencies(texts) for texts in groups]
    total = _frequencies(rest)
    for frequencies in inside:
        total.update(frequencies)
    photos = sum(map(len, groups)) + len(rest)
    average = sum(total.values()) / max(1, len(groups) + bool(rest))
    ranked = []
    for texts, frequencies in zip(groups, inside, strict=True):
        size, others = len(texts), photos - len(texts)
        words = sum(frequencies.values())
        scores = {
            word: number / words * math.log(1 + average / total[word])
            for word, number in frequencies.items()
            if number >= min(2, size) and number * others > _LIFT * (total[word] - number) * size
        }
        ranked.append(sorted(scores, key=lambda word: (-scores[word], word))[:_TERMS])
    return ranked


def shorten(text: str, length: int = HEADING_LENGTH) -> str:
    """Cut a text of one line to at most `length` characters, at a word's end where there is one."""
    if len(text) <= length:
        return text
    end = text.rfind(" ", length // 2, length)
    if end < 0:  # one long word, or a script without spaces
        end = length - 1
        while end > length // 2 and (
            unicodedata.category(text[end])[0] == "M" or "\u200d" in text[end - 1 : end + 1]
        ):
            end -= 1  # never between a letter and its marks, nor inside a joined emoji
    return text[:end].rstrip(" ,;:.-\u2013\u2014\u3001\u3002\uff0c") + "\u2026"


def one_line(text: str) -> str:
    """Fold white space, and drop what no text needs: control characters, half emoji, overrides of the direction."""
    return " ".join(_UNSEEN.sub("", _CONTROL.sub(" ", text)).split())


def counted(number: int, thing: str) -> str:
    """Return `1 photo` or `1,234 photos`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def key(heading: str) -> str:
    """Return what two headings have in common if a reader would take them for the same."""
    words = "".join(_words(heading))
    return words or "".join(heading.split())  # emoji and punctuation alone


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNSEEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb]")
_UNSPACED = re.compile("[\u3040-\u309f]+|[\u30a0-\u30ff]+|[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_FUNCTION_WORDS = frozenset(
    "a an the and or but of in on at to by for from with without into onto over under near next behind beside between "
    "through is are was be being been it its this that these those there their his her he she they who which while as "
    "has have having not no some several one two three up down out off very more other another "
    "\u7684 \u4e86 \u5728 \u662f \u548c \u4e00 \u4e2a \u7740 \u6709 \u4e0a \u4e0b".split()
)
"""English, the language of the default prompt, and Chinese, whose words are cut blindly. Other languages have the lift."""


class _WordCharacters(dict[int, int]):
    """For `str.translate`: letters, their marks and digits stay, all else is a space. Fills itself as it is asked."""

    def __missing__(self, code: int) -> int:
        self[code] = code if unicodedata.category(chr(code))[0] in "LMN" else ord(" ")
        return self[code]


_WORD_CHARACTERS = _WordCharacters()


def _words(text: str) -> list[str]:
    """Split a text into words without case; what has no spaces in its script stays together."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_WORD_CHARACTERS).split()


def terms_of(text: str) -> set[str]:
    """Return the words of a text that may name a group.

    Chinese has no spaces: every pair of neighbouring characters stands for a word. In Japanese the hiragana between
    is grammar and left out, katakana is a word as it is.
    """
    found: set[str] = set()
    for word in _words(text):
        if word.isascii():
            found.add(word)
            continue
        found.update(_UNSPACED.split(word))
        for run in _UNSPACED.findall(word):
            if run[0] >= "\u3400":
                pairs = (run[i : i + 2] for i in range(len(run) - 1))
                found.update(pair for pair in pairs if _FUNCTION_WORDS.isdisjoint(pair))
            elif run[0] >= "\u30a0":
                found.add(run)
    return {
        word for word in found - _FUNCTION_WORDS if 1 < len(word) <= _LONGEST_TERM and not word.isdecimal()
    }


def _frequencies(texts: Iterable[str]) -> Counter[str]:
    return Counter(word for text in texts for word in terms_of(text))


def members_of(clusters: NDArray[np.integer], distances: NDArray[np.floating]) -> list[list[int]]:
    """Return the rows of each cluster, those nearest to its centroid first."""
    order = np.lexsort((distances, clusters))
    count = int(clusters.max(initial=-1)) + 1
    ends = np.searchsorted(clusters[order], np.arange(count + 1))
    return [order[ends[i] : ends[i + 1]].tolist() for i in range(count)]


def _votes(centres: Mapping[int, Sequence[str]], match: Match | None) -> Iterator[tuple[int, str]]:
    """Yield the subject that most of the photos around the centre of each cluster are like; a tie goes to the nearest."""
    if match is None or not centres:
        return
    subjects = iter(match([path for centre in centres.values() for path in centre]))
    for cluster, centre in centres.items():
        votes = Counter(next(subjects) for _ in centre)
        yield cluster, votes.most_common(1)[0][0]


def _unlike(names: Sequence[str], terms: Sequence[Sequence[str]], taken: set[str]) -> list[str]:
    """Make names unlike each other and `taken` (which they are added to): by terms, and by a number as the last resort."""
    alike: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        alike.setdefault(key(name), []).append(index)
    single = {twins[0] for shared, twins in alike.items() if len(twins) == 1 and shared not in taken}
    taken |= {key(names[index]) for index in single}
    result = list(names)
    for index, name in enumerate(names):
        if index not in single:
            apart = _apart(name, index, alike[key(name)], terms)
            result[index] = next(each for each in _variants(name, apart) if key(each) not in taken)
            taken.add(key(result[index]))
    return result


def _apart(name: str, index: int, twins: Sequence[int], terms: Sequence[Sequence[str]]) -> list[str]:
    """Return the terms that set one apart from its twins; its best ones where none do."""
    theirs = {term for twin in twins if twin != index for term in terms[twin]}
    own = [term for term in terms[index] if term not in terms_of(name)]
    return ([term for term in own if term not in theirs] or own)[:_SUFFIX_TERMS]


def _variants(name: str, terms: Sequence[str]) -> Iterator[str]:
    if terms:
        yield f"{name} ({', '.join(terms)})"
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1
