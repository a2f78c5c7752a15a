"""
Measures cluster_report.html of a large library: its size, how long it is built, and how it feels in Chromium.

The library is made up: captions as a model writes them, groups of very unequal size, events, and real thumbnails for
a part of the photos. "interactive" is from the call to open until the first card is painted and a search was answered.
A keystroke counts until its results are painted. The map is panned and zoomed for two seconds without a graphics card.
Yardstick of the same run: a bare page that parses the same data and draws a square for each photo.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from report.build import Report  # noqa: E402 - the root is found above
from report.events import Event  # noqa: E402
from report.files.page import write_page  # noqa: E402
from report.files.table import Row  # noqa: E402
from report.files.thumbnails import FOLDER, Picture  # noqa: E402
from report.naming.naming import UNCLUSTERED, Group, Theme  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SUBJECTS = (
    "beach dog birthday mountain kitchen garden wedding train harbour cat forest concert museum bicycle "
    "snow market bridge sunset playground desk flower church airport boat castle picnic lake street tower horse"
).split()
THINGS = (
    "a wooden table, two children, an old man in a red coat, a blue sky with clouds, some people in the back, "
    "a bowl of fruit, a parked car, wet stones, a paper lantern, tall grass, a striped umbrella, a cup of coffee"
).split(", ")
DRAWN = 500
"""Of each shape; the other thumbnails are the same files under other names."""
KEYS = ("b", "be", "beach", "beach dog", '"blue sky"', "july 2019", "IMG_01")
_FRAMES = """
async (gesture) => {
  const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
  const at = { clientX: box.left + box.width * 0.45, clientY: box.top + box.height * 0.5, bubbles: true, cancelable: true, view: window };
  const times = [];
  const begin = performance.now();
  let last = begin, x = 0;
  if (gesture === "pan") canvas.dispatchEvent(new MouseEvent("mousedown", at));
  while (last - begin < 2000) {
    if (gesture === "pan") {
      x += 9;
      window.dispatchEvent(new MouseEvent("mousemove", { ...at, clientX: at.clientX + 260 * Math.sin(x / 120), clientY: at.clientY + 160 * Math.sin(x / 90) }));
    } else canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: last - begin < 1000 ? -60 : 60 }));
    const now = await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - last);
    last = performance.now();
  }
  if (gesture === "pan") window.dispatchEvent(new MouseEvent("mouseup", at));
  return times;
}
"""
_KEYSTROKE = """
async (text) => {
  const field = document.getElementById("words");
  field.value = text;
  const begin = performance.now();
  field.dispatchEvent(new Event("input"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
}
"""
_OPENED = """
() => new Promise((done) => {
  const look = () => {
    const image = document.querySelector(".card img, .flow img");
    if (!(image && image.complete && image.naturalWidth)) return requestAnimationFrame(look);
    find("beach", null, null);
    requestAnimationFrame(() => setTimeout(() => done(performance.now())));
  };
  look();
})
"""
_BARE = """<!doctype html><canvas width="1440" height="900"></canvas>
<script type="application/json" id="data">%s</script>
<script>
const data = JSON.parse(document.getElementById("data").textContent), { x, y } = data.photos;
const context = document.querySelector("canvas").getContext("2d");
for (let photo = 0; photo < x.length; photo++) if (x[photo] !== null) context.fillRect(x[photo] / 60, y[photo] / 90, 3, 3);
requestAnimationFrame(() => setTimeout(() => (window.took = performance.now())));
</script>"""


def draw(path: Path, size: tuple[int, int], chance: random.Random) -> None:
    hue = chance.randrange(256)
    image = Image.new("HSV", size, (hue, 60 + chance.randrange(90), 120 + chance.randrange(120)))
    pen = ImageDraw.Draw(image)
    for _ in range(5):
        (x0, x1), (y0, y1) = (sorted(chance.choices(range(256), k=2)) for _ in "xy")
        pen.ellipse((x0, y0, x1, y1), ((hue + chance.randrange(60)) % 256, 120, 90 + chance.randrange(160)))
    image.convert("RGB").save(path, quality=70)


def library(folder: Path, count: int) -> Report:
    """Return a report of `count` photos of 24 years; most thumbnails are links to the drawn ones."""
    chance = random.Random(7)
    sizes = [chance.lognormvariate(0, 1) for _ in range(max(3, count // 150))]
    share = 0.73 * count / sum(sizes)
    clusters = [group for group, size in enumerate(sizes) for _ in range(max(1, int(size * share)))][:count]
    clusters += [-1] * (count - len(clusters))
    chance.shuffle(clusters)
    theme_of = [chance.randrange(14) for _ in sizes]
    subjects = [f"{chance.choice(SUBJECTS)} {chance.choice(SUBJECTS)}" for _ in sizes]
    centres = [
        (
            8 * math.cos(theme * 2.4) * (theme + 4) ** 0.4 + chance.gauss(0, 2.2),
            6 * math.sin(theme * 2.4) * (theme + 4) ** 0.4 + chance.gauss(0, 2.2),
        )
        for theme in theme_of
    ]
    names = [f"A {subject} beside {chance.choice(THINGS)}" for subject in subjects]
    headings = [f"{name} ({number})" for number, name in enumerate(names)]
    at = datetime(2003, 5, 1, 9)  # noqa: DTZ001 - a wall clock
    pictures_folder = folder / FOLDER
    pictures_folder.mkdir(parents=True)
    rows, pictures, starts = [], [], []
    drawn: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for index, cluster in enumerate(clusters):
        if chance.random() < 0.09:
            at += timedelta(hours=26 + chance.expovariate(1 / 22))
            starts.append((index, at))
        at += timedelta(seconds=chance.expovariate(1 / 600))
        x, y = centres[cluster] if cluster >= 0 else (chance.gauss(0, 9), chance.gauss(0, 7))
        subject = subjects[cluster] if cluster >= 0 else " and a ".join(chance.sample(SUBJECTS, 2))
        fate = chance.random()
        path = f"{at:%Y}/{at:%m} {subjects[len(starts) % len(subjects)]}/IMG_{index:05}.{'MOV' if fate < 0.002 else 'jpg'}"
        label = f"A photograph of a {subject} with {chance.choice(THINGS)} and {chance.choice(THINGS)}, seen from {chance.choice(THINGS)}."
        placed = fate >= 0.002
        rows.append(
            Row(
                path,
                (cluster if placed else None),
                (headings[cluster] if cluster >= 0 else UNCLUSTERED) if placed else "",
                label if fate > 0.004 else "",
                "caption" if fate > 0.004 else "error",
                chance.betavariate(2, 9) if placed else None,
                chance.randrange(len(sizes)) if placed else None,
                x + chance.gauss(0, 0.6) if placed else None,
                y + chance.gauss(0, 0.6) if placed else None,
                at.replace(microsecond=0).isoformat(),
                "exif" if chance.random() < 0.95 else "file",
                len(starts),
            )
        )
        name = f"{FOLDER}/{index % 256:02x}/{chance.getrandbits(64):016x}.jpg"
        shape = (256, 171) if index % 3 else (171, 256)
        drawn[shape].append(folder / name)
        (folder / name).parent.mkdir(exist_ok=True)
        if len(drawn[shape]) <= DRAWN:
            draw(folder / name, shape, chance)
        else:
            os.link(drawn[shape][index % DRAWN], folder / name)
        pictures.append(Picture(name, None, shape) if placed else Picture())
    members: list[list[int]] = [[] for _ in sizes]
    for index, row in enumerate(rows):
        if row.cluster_id is not None and row.cluster_id >= 0:
            members[row.cluster_id].append(index)
    groups = [
        Group(number, headings[number], "caption", (*subjects[number].split(), "beside"), tuple(inside))
        for number, inside in enumerate(members)
    ]
    themes = []
    for theme in range(14):
        inside = sorted(
            (g for g in range(len(sizes)) if theme_of[g] == theme), key=lambda g: -len(members[g])
        )
        if inside:
            themes.append(
                Theme(
                    ", ".join(dict.fromkeys(subjects[inside[0]].split())) + f", {SUBJECTS[theme]}",
                    tuple(inside),
                )
            )
    themes.sort(key=lambda theme: -sum(len(members[group]) for group in theme.groups))
    ends = [first for first, _ in starts[1:]] + [count]
    events = [
        Event(
            number,
            f"{begin_at:%-d %b %Y}: {subjects[number % len(subjects)]}",
            begin_at,
            datetime.fromisoformat(rows[end - 1].taken_at),
            (),
            tuple(range(first, end)),
        )
        for number, ((first, begin_at), end) in enumerate(zip(starts, ends, strict=True), 1)
    ]
    alike = np.random.default_rng(7).integers(0, count, (count, 24))
    return Report(
        rows,
        groups,
        themes,
        events,
        pictures,
        summary=f"{count:,} captioned",
        method="Made up",
        link="photos/",
        alike=alike,
    )


def opened(browser: Browser, page: Path, route: str = "") -> Page:
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(page.as_uri() + route)
    return tab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=44_583)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="keep the page in this folder")
    parser.add_argument("--quick", action="store_true", help="few photos, one round")
    options = parser.parse_args()
    count, rounds = (400, 1) if options.quick else (options.photos, options.rounds)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no chromium on this machine: `apt-get install chromium`.")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = options.out or Path(temporary)
        report = library(folder, count)
        page, bare = folder / "cluster_report.html", folder / "bare.html"
        built = []
        for _ in range(rounds):
            begin = time.perf_counter()
            write_page(report, folder)
            built.append(time.perf_counter() - begin)
        text = page.read_text(encoding="utf-8")
        bare.write_text(_BARE % text.split('id="data">')[1].split("</script>")[0], encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        ready, plain, keys, pans, zooms = [], [], [], [], []
        for _ in range(rounds):
            tab = opened(browser, bare)
            plain.append(tab.wait_for_function("window.took").json_value())
            tab.close()
            tab = opened(browser, page)
            ready.append(tab.evaluate(_OPENED))
            keys.append([tab.evaluate(_KEYSTROKE, text) for text in KEYS])
            tab.close()
            tab = opened(browser, page, "#map")
            tab.wait_for_timeout(1500)
            pans.append(tab.evaluate(_FRAMES, "pan"))
            zooms.append(tab.evaluate(_FRAMES, "zoom"))
            tab.close()
        browser.close()

    print(
        f"{count:,} photos, {len(report.groups)} groups, {len(report.events):,} events; medians of {rounds}"
    )
    print(f"{'page':<34} {page_size(text):>8.1f} MB   (goal 25)")
    print(f"{'built':<34} {statistics.median(built):>8.2f} s    (goal 30)")
    print(f"{'interactive after':<34} {statistics.median(ready) / 1e3:>8.2f} s    (goal 3)")
    print(f"{'  a bare page of the same data':<34} {statistics.median(plain) / 1e3:>8.2f} s")
    for number, text in enumerate(KEYS):
        print(
            f"{f'search for {text!r}':<34} {statistics.median(round_[number] for round_ in keys):>8.0f} ms   (goal 100)"
        )
    for name, runs in (("pan", pans), ("zoom", zooms)):
        middle = statistics.median(frame for run in runs for frame in run)
        worst = statistics.median(max(run) for run in runs)
        print(f"{f'map, {name}: a frame / the worst':<34} {middle:>8.0f} ms / {worst:.0f} ms   (goal 250)")


def page_size(text: str) -> float:
    return len(text.encode()) / 1e6


if __name__ == "__main__":
    main()
