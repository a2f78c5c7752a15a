"""The way through the page in Firefox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.firefox import FIREFOX, firefox
from tests.helpers.pages import DESKTOP, PHONE, small

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason="no firefox here: apt-get install firefox-esr"),
]
_COLOURS = """(() => {
  const canvas = document.getElementById("canvas"), context = canvas.getContext("2d");
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})()"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_through_the_page_in_firefox(tmp_path: Path, size: tuple[int, int]) -> None:
    page = small(tmp_path / "library").write()
    with firefox(tmp_path / "profile") as fox:
        fox.size(*size)
        fox.go(page)
        fox.until(
            "!document.getElementById('view-memories').hidden && document.querySelector('.flow img').naturalWidth"
        )
        assert fox.get("document.documentElement.scrollWidth") <= size[0]
        fox.click("#tab-groups")
        fox.until("document.activeElement.tagName === 'H2'")
        fox.click("#view-groups .card")
        fox.until("document.activeElement.id === 'list-title'")
        assert fox.text("#list-title") == "Dogs on the beach"
        fox.click(".tile a")
        fox.until("document.getElementById('large').naturalWidth === 96")
        first = fox.text("#facts h2")
        fox.type("ArrowRight")
        fox.until(f"document.querySelector('#facts h2').innerText !== {first!r}")
        fox.type("Escape")
        fox.until("!document.getElementById('photo').open")
        assert fox.text("#list-title") == "Dogs on the beach"
        fox.click("#words")
        fox.type("cafe")
        fox.until("document.querySelectorAll('.tile').length === 6")
        fox.click("#tab-map")
        fox.until("document.getElementById('hint').innerText === '6 photos highlighted'")
        fox.until(f"{_COLOURS} > 30")  # pictures are drawn
        fox.click("#clear")
        fox.until("document.getElementById('words').value === ''")
        fox.click("#zoom-in")
        fox.click("#tab-events")
        fox.until("document.querySelectorAll('#view-events h2').length > 2")
        fox.click("#view-events .card, #view-events .small-event")
        fox.until("!document.getElementById('view-list').hidden")
        fox.click("#tab-about")
        fox.until("document.querySelectorAll('#counts li').length > 2")
        fox.go(page, "#photo=31")
        fox.until("document.getElementById('photo').open")
        fox.type("Escape")
        fox.until("document.getElementById('list-title').innerText === 'Birthday cakes'")
        assert not fox.errors
