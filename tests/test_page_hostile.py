"""Captions and names stay text on the page, and only its own code runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from playwright.sync_api import expect

from report.events import Event
from report.files.thumbnails import FOLDER
from report.naming.naming import Group, Theme
from tests.conftest import draw
from tests.helpers.pages import Library, Watched, browser, library, needs_chromium, watched

__all__ = ["browser", "library", "watched"]  # fixtures
HOSTILE = [
    "<script>window.hacked=1;alert(1)</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<!--<script>",
    "javascript:window.hacked=1",
    "{{7*7}} {% raw %} ${7*7}",
    "\"'`><b onmouseover=alert(1)>",
    "line\u2028and\u2029paragraph",
    "\u202egpj.exe\u2066",
    "half \ud83d of an emoji",
    "&lt;b&gt; &amp; ]]>",
    "http://evil.example/x.png //evil.example",
]
HOSTILE_PATHS = [
    "a#b?c%d\"e'f.jpg",
    "new\nline.jpg",
    "</script>.jpg",
    "javascript:alert(1).jpg",
    "../../outside.jpg",
    "a/../../../outside.jpg",
    "/etc/passwd.jpg",
    "<img src=x onerror=alert(1)>/x.jpg",
    "C:\\windows\\x.jpg",
    "//evil.example/x.jpg",
    "half \udcff byte.jpg",
    "\u202egpj.exe.jpg",
]


def test_the_policy_lets_only_its_own_hashes_run(library: Library) -> None:
    text = library.write().read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for rule in ("default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;"):
        assert rule in policy[1]
    assert "unsafe" not in policy[1]
    assert "Mike Bostock" in text
    assert not re.search(
        r"\son[a-z]+=|\sstyle=|https?://(?!www\.w3\.org|d3js\.org)", text.split("<script")[0]
    )


@needs_chromium
def test_hostile_texts_stay_texts(watched: Watched, tmp_path: Path) -> None:
    bad = Library(tmp_path / "report")
    for number, text in enumerate(HOSTILE + [""] * len(HOSTILE_PATHS)):
        path = HOSTILE_PATHS[number - len(HOSTILE)] if number >= len(HOSTILE) else f"{number}.jpg"
        bad.add(path, text, cluster_id=number % len(HOSTILE), cluster_label=HOSTILE[number % len(HOSTILE)], x=number, y=number % 3,
                taken_at="2020-01-01T00:00:00+02:00", taken_from="exif")  # fmt: skip
    size = len(HOSTILE)
    bad.groups = [Group(g, text, "caption", (text,), (g,)) for g, text in enumerate(HOSTILE)]
    bad.themes = [Theme(HOSTILE[g], (g, g + 1)) for g in range(0, size, 2)]
    bad.events = [Event(1, HOSTILE[0], datetime(2020, 1, 1), datetime(2020, 1, 1), (), tuple(range(size))),  # noqa: DTZ001
                  Event(-1, HOSTILE[1], None, None, (), tuple(range(size, len(bad.rows))))]  # fmt: skip
    draw(tmp_path / "outside.jpg")
    draw(tmp_path / "report" / "outside.jpg")
    page = watched.go(bad.write())
    expect(page.locator(".card h3").first).to_have_text(HOSTILE[0])
    for route in (
        "#events",
        "#map",
        "#group=0",
        "#group=9",
        "#event=-1",
        "#q=%3Cscript%3E",
        "#q=alert",
        "#photo=x",
        "#group=x",
        "#event=77",
        "#theme=99",
        "#only=zzz",
        "#q=(%5B*",
    ):
        page.evaluate(f"location.hash = '{route}'")
        page.wait_for_timeout(80)
    for number in range(len(bad.rows)):
        page.evaluate(f"location.hash = '#photo={number}'")
        page.wait_for_timeout(30)
    expect(page.locator("#photo")).to_be_visible()
    own = [(tmp_path / "report" / part).as_uri() for part in ("cluster_report.html", FOLDER, "photos/")]
    outside = [url for url in watched.requests if not url.startswith((*own, "data:"))]
    assert not outside
    assert page.locator("main script, main iframe, dialog script").count() == 0
    # Files that were not drawn cannot be found, which Chromium says; nothing else may be said.
    watched.trouble = [said for said in watched.trouble if "ERR_FILE_NOT_FOUND" not in said]


def test_the_data_holds_every_text_as_it_was(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for number, text in enumerate(HOSTILE * 2):
        library.add(f"{number}.jpg", text, drawn=False)
    text = library.write().read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    labels: Sequence[str | int] = data["photos"]["label"]
    assert [label if isinstance(label, str) else labels[label] for label in labels] == HOSTILE * 2
    assert len(os.fsencode(text)) < 400_000
