"""`--shard`: machines that share nothing each do their part, and the parts make the whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from cli.doors import Shard
from tests.conftest import Product, draw


@pytest.fixture
def many(product: Product) -> Product:
    """The library of the tests, and 60 photos besides whose names are not all plain."""
    for number in range(60):
        draw(product.photos / "Größe" / f"Straße {number:02}.png", size=(8, 8))
    return product


def parts(product: Product, count: int) -> list[Path]:
    """Caption every shard into a journal of its own, as `count` machines do."""
    journals = []
    for number in range(1, count + 1):
        journals.append(product.folder / f"shard-{number}.jsonl")
        product.run("--shard", f"{number}/{count}", "--captions-jsonl", str(journals[-1]))
    return journals


def join(product: Product, journals: list[Path]) -> None:
    """As docs/scaling.md says."""
    with product.journal.open("wb") as file:
        subprocess.run(["awk", "1", *journals], stdout=file, check=True)


@pytest.mark.parametrize("count", [1, 3])
def test_the_parts_make_the_whole(many: Product, count: int) -> None:
    journals = parts(many, count)
    with journals[-1].open("rb+") as file:
        file.truncate(
            journals[-1].stat().st_size - 1
        )  # a torn end glues nothing to the next shard's first line
    join(many, [journals[-1], *journals[:-1]])
    whole = Product(many.folder / "whole", many.photos)
    whole.folder.mkdir()
    whole.run()
    assert set(many.records()) == set(whole.records())
    assert len(many.lines()) == len(many.records()) == 72
    stats = many.call("stats", "--photos-dir", str(many.photos)).stdout
    assert "captions.jsonl: 72 photos" in stats
    assert re.search(r"success +70\n", stats)
    assert re.search(r"error_corrupt +1\n", stats)
    assert "Done: 72 of 72 photos" in stats
    assert "Malformed lines: 0" in stats
    assert "Skipping 72 already processed" in many.run()


def test_photos_that_come_later_move_no_other(many: Product) -> None:
    before = {path: Shard(2, 5).holds(path) for path in (f"a/{n}.jpg" for n in range(500))}
    assert 60 < sum(before.values()) < 140
    assert sum(Shard(n, 5).holds("2019/IMG_0001.jpg") for n in range(1, 6)) == 1
    # The split is part of what users have on disk: it may not change with a new version.
    names = [f"2019/IMG_000{n}.jpg" for n in range(4)]
    assert [n for name in names for n in range(1, 9) if Shard(n, 8).holds(name)] == [8, 3, 5, 6]


def test_a_shard_goes_on_from_a_joined_journal(many: Product) -> None:
    """Other shards' records are no other library's, and count neither as done here nor as missing."""
    journals = parts(many, 3)
    join(many, journals[:2])
    said = many.run("--shard", "3/3", "--limit", "5")
    number, total = re.findall(r"Shard 3 of 3: (\d+) of (\d+) photos", said)[0]
    assert total == "72"
    assert f"Captioning 5 of {number} photos" in said
    assert "Skipping" not in said
    assert "--shard 3/3" in said[said.index("Go on with:") :]
    estimate = many.call("estimate", "--backend", "mock", "--shard", "3/3", "--photos-dir", str(many.photos))
    assert f"Photos remaining:  {int(number) - 5} / {number} (5 already done)" in estimate.stdout
    said = many.run("--shard", "3/3")
    assert "Every photo has a record." in said
    assert "Skipping 5 already processed" in said
    assert len(many.lines()) == len(many.records()) == 72


def test_a_wrong_folder_is_still_noticed(many: Product, tmp_path: Path) -> None:
    many.run("--shard", "1/2")
    draw(tmp_path / "other" / "x.png")
    many.photos = tmp_path / "other"
    assert "belongs to another folder" in many.run("--shard", "1/2", code=1)


def test_a_shard_without_photos_is_done(product: Product, tmp_path: Path) -> None:
    draw(tmp_path / "few" / "x.png")
    product.photos = tmp_path / "few"
    said = [product.run("--shard", f"{number}/2", "--captions-jsonl", f"{number}.jsonl") for number in (1, 2)]
    assert sum("0 of 1 photos" in one for one in said) == 1
    assert all("Every photo has a record." in one for one in said)


@pytest.mark.parametrize(
    "shard", ["0/8", "9/8", "2", "2/0", "-1/8", "1/8/2", "1.5/8", "", "a/b", "²/8", "1/9999999999"]
)
def test_a_part_of_nothing_is_wrong_use(product: Product, shard: str) -> None:
    for command in (["run"], ["estimate"]):
        flags = ["--backend", "mock", "--photos-dir", str(product.photos), f"--shard={shard}"]
        assert "is not a shard: give N/COUNT, such as 2/8" in product.call(*command, *flags, code=64).stderr
