"""Makes docs/images: a report of the example photos with captions as a model would write them, seen in Chromium.

The captions are written by hand, since the mock's say nothing: `uv run --extra dev python examples/screenshots.py`.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "examples" / "photos"
CAPTIONS = {
    "2023/birthday/IMG_0502.JPG": "Five friends in birthday hats stand close together under bunting and balloons.",
    "2023/birthday/birthday cake.jpg": "A pink birthday cake with cherries and four lit candles on a wooden table.",
    "2023/mountains/IMG_0412.JPG": "Snow-covered peaks at dawn, mirrored in a still mountain lake.",
    "2023/mountains/IMG_0413.HEIC": "A jagged white mountain under a blue sky, seen over a row of dark pines.",
    "2023/mountains/IMG_0431.JPG": "A sailing boat on a calm lake while the sun sets behind low hills.",
    "2024/city/IMG_0731.JPG": "A city skyline at night with a full moon, its lights mirrored in the water.",
    "2024/city/IMG_0732.JPG": "A city by the water at night, its windows lit under a bright moon.",
    "2024/home/IMG_0801.JPG": "An orange tabby cat sits on a round rug beside a red ball of wool.",
    "2024/home/IMG_0802.JPG": "A striped ginger cat with green eyes on a blue rug by the window.",
    "2024/home/from Mara.webp": "Pink morning light on a mountain range above a quiet lake.",
    "screenshots/Screenshot 2024-05-04.png": "A chat with Mara about a lake photo and a trip planned for August.",
}
BROKEN = {"2024/city/IMG_0733.JPG": "cut short", "2024/city/IMG_0734.MOV": "video"}


def write_journal(path: Path) -> None:
    good = [{"rel_path": name, "caption": text, "status": "success"} for name, text in CAPTIONS.items()]
    bad = [{"rel_path": n, "caption": None, "status": "error_corrupt", "error": e} for n, e in BROKEN.items()]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in good + bad))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        out = Path(folder)
        write_journal(out / "captions.jsonl")
        flags = ["--embedder", "pixels", "--photos-dir", str(PHOTOS), "--out-dir", folder]
        journal = ["--captions-jsonl", str(out / "captions.jsonl")]
        subprocess.run([sys.executable, str(ROOT / "cluster_report.py"), *flags, *journal], check=True)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, scheme in (("page", "light"), ("map", "dark")):
            page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page.clock.set_fixed_time("2026-08-12T12:00")  # three years after the mountains
            page.goto((out / "cluster_report.html").as_uri() + ("#map" if name == "map" else ""))
            page.wait_for_timeout(1500)  # thumbnails and the map are drawn
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.save(ROOT / "docs" / "images" / f"{name}.jpg", quality=85)
        browser.close()


if __name__ == "__main__":
    main()
