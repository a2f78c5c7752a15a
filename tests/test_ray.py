"""The contract of both engines, and what only the Ray engine can meet: workers, nodes and a driver that die.

A real cluster of two nodes serves all tests of this file. The contract runs inside pytest, which joins it once; promises
about processes are kept by the product as a process (test_ray_product.py).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backends import BACKENDS, BackendInfo, load_backend
from backends.base import CaptionBackend
from cli.keeping import keep_records
from config import Settings
from costs.prices import Price, price_of
from costs.spending import Spending
from engines.captioning import Captioner
from engines.driver import Result, drive
from engines.ray.session import ray_cluster
from engines.threads import GRACE, caption_photos, local_decoders
from errors import RateLimitError, StopRunError, TransientAPIError, UnavailableImageError
from journal import CaptionJournal
from library.walk import walk
from tests.conftest import draw, wait_for
from tests.helpers.provider import KEY, Provider
from tests.helpers.ray_cluster import LOOPBACK, RayNodes, nodes, provider

__all__ = ["nodes", "provider"]  # fixtures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def joined(nodes: RayNodes) -> Iterator[RayNodes]:
    """The cluster, with pytest itself as a driver."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LOOPBACK.items():
            patch.setenv(name, value)
        for name in ("fragile", "fragile-batches"):
            patch.setitem(
                BACKENDS, name, BackendInfo("tests.helpers.fragile", _class(name), None, None, "fragile")
            )
        with ray_cluster(nodes.address, max_workers=None, max_side=64, stop=threading.Event(), photos=0):
            yield nodes


def _class(name: str) -> str:
    return "FragileBatches" if name.endswith("batches") else "FragileBackend"


class Run:
    """A library of tiny pictures, its journal, and runs over them with one of the engines."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.photos_dir = folder / "photos"
        self.journal = CaptionJournal(folder / "captions.jsonl")
        self.engine = engine
        self.stop = threading.Event()
        self.spending = Spending()

    def draw(self, *names: str) -> None:
        for name in names:
            draw(self.photos_dir / name, size=(8, 8))

    def __call__(self, name: str, *, workers: int = 4, **options: object) -> Result:
        self.stop.clear()
        settings = Settings(OPENAI_API_KEY=SecretStr(KEY))
        if self.engine == "threads":
            backend = load_backend(name, None, settings, "prompt", **options)
            try:
                return self._drive(backend, None, workers)
            finally:
                if hasattr(backend, "_http"):
                    backend._http.close()
        from engines.ray.cluster import Cluster  # noqa: PLC0415 - Ray is only for those who ask for it

        cluster = Cluster(max_workers=workers, max_side=64, stop=self.stop, photos=5_000)
        try:
            remote = cluster.load_backend(name, None, settings, "prompt", **options)
            return self._drive(remote, cluster.decoders, workers)
        finally:
            cluster.close()

    def _drive(self, backend: CaptionBackend, decoders: Any, workers: int) -> Result:
        self.journal.load()
        photos = [photo for photo in walk(self.photos_dir).photos if not self.journal.is_done(photo.rel_path)]
        captioner = Captioner(backend, "test/model", stop=self.stop, spending=self.spending)
        engine = caption_photos(photos, captioner, decoders or local_decoders(64), workers=workers)
        with self.journal.lock():
            return drive(
                engine,
                keep_records(self.journal),
                stop=self.stop,
                photos_dir=self.photos_dir,
                redone=frozenset(),
                seen=lambda _: None,
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return the journal's records, of which no photo may have two."""
        text = self.journal.path.read_text() if self.journal.path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        assert len({line["rel_path"] for line in lines}) == len(lines)
        return lines

    def records(self) -> dict[str, dict[str, Any]]:
        return {line["rel_path"]: line for line in self.lines()}


@pytest.fixture(params=["threads", "ray"])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    if request.param == "ray":
        request.getfixturevalue("joined")
    for name in ("fragile", "fragile-batches"):
        monkeypatch.setitem(
            BACKENDS, name, BackendInfo("tests.helpers.fragile", _class(name), None, None, "fragile")
        )
    return Run(tmp_path, request.param)


@pytest.fixture
def on_ray(joined: RayNodes, tmp_path: Path) -> Run:
    return Run(tmp_path, "ray")


@pytest.mark.parametrize("backend", ["fragile", "fragile-batches"])
def test_workers_get_ready_for_their_share_of_the_run(on_ray: Run, backend: str) -> None:
    on_ray.draw("ready.png")
    on_ray(backend)
    words = str(on_ray.records()["ready.png"]["caption"]).split()
    share = int(words[words.index("for") + 1])
    assert 0 < share <= 5_000
    assert 5_000 // share in range(1, 9)  # as many as there are workers


# --- the contract ----------------------------------------------------------------------------------------------------


def test_every_photo_has_one_record_of_the_right_kind(run: Run, photos: Path) -> None:
    """Broken ones, videos and what a backend can raise included."""
    run.draw("odd.png", "api.png", *(f"{n:02}.png" for n in range(12)))
    result = run("fragile")
    assert result.stopped is None
    assert result.statuses == {"success": 12 + 9 + 1, "error_corrupt": 2, "error_model": 1, "error_api": 1}
    assert result.videos == 1
    records = run.records()
    assert set(records) == {photo.rel_path for photo in walk(photos).photos}
    assert records["odd.png"]["error"] == "ValueError: no such shape"
    assert records["api.png"]["error"] == "HTTP 500"
    assert records["2024/IMG_0009.JPG"]["error"].startswith("cut short")
    assert records["2024/IMG_0010.MOV"]["error"] == "video"
    assert records["05.png"]["caption"].startswith("A photo called 05.png by ")
    where = {line["caption"].rpartition(" ")[2] for line in run.lines() if line["status"] == "success"}
    assert len(where) == (2 if run.engine == "ray" else 1), "both nodes have captioned"


def test_batches(run: Run) -> None:
    run.draw("odd.png", *(f"{n:02}.png" for n in range(30)), *(f"vague {n}.png" for n in range(12)))
    result = run("fragile-batches")
    assert result.statuses == {"success": 42, "error_model": 1}
    again = [line["caption"] for line in run.lines() if "again with" in (line.get("caption") or "")]
    assert all("vague" in caption for caption in again)
    assert any(
        "with 1 more" in caption or "with 2 more" in caption or "with 3 more" in caption for caption in again
    )


def test_answers_are_judged_and_asked_for_again(run: Run, provider: Provider) -> None:
    run.draw(*(f"{n:02}.png" for n in range(10)))
    provider.script = lambda number, _: (
        provider.good("I'm sorry, I can't help with that.")
        if number == 0
        else provider.good("A  dog\n on a lawn.")
        if number % 2
        else None
    )
    result = run("openai", base_url=provider.base_url)
    assert result.statuses == {"success": 10}
    assert len(provider.requests) == 11
    assert {line["caption"] for line in run.lines()} == {"A brown dog on a lawn.", "A dog on a lawn."}
    assert provider.most_at_once <= 4
    assert run.spending.input_tokens == 11_000


def test_a_streak_of_failures_is_not_recorded(run: Run, provider: Provider) -> None:
    run.draw(*(f"{n:02}.png" for n in range(30)))
    provider.script = lambda number, _: provider.error(400, message="no credit") if number >= 3 else None
    result = run("openai", workers=1, base_url=provider.base_url)
    assert result.stopped
    assert "20 photos in a row failed" in str(result.stopped)
    assert {line["status"] for line in run.lines()} == {"success"}


def test_a_refused_key_stops_the_run(run: Run, provider: Provider) -> None:
    run.draw(*(f"{n:02}.png" for n in range(20)))
    provider.script = lambda number, _: provider.error(401) if number == 5 else None
    result = run("openai", base_url=provider.base_url)
    assert "refuses the key" in str(result.stopped)
    assert KEY not in str(result.stopped)
    assert 5 <= len(run.lines()) == len(provider.requests) - 1 <= 12


def test_one_server_one_rate(run: Run, provider: Provider) -> None:
    """A 429 is everybody's, on whichever node: nobody sends for as long as the server asks."""
    run.draw(*(f"{n:02}.png" for n in range(24)))
    provider.script = lambda number, _: provider.error(429, Retry_After="2") if number == 6 else None
    result = run("openai", base_url=provider.base_url)
    assert result.statuses == {"success": 24}
    times = [request.at for request in provider.requests]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert max(pauses) > 1.5
    assert len(provider.requests) == 25


def test_a_budget_holds_over_all_workers(run: Run, provider: Provider) -> None:
    run.draw(*(f"{n:02}.png" for n in range(12)))
    price: Price = price_of("openai", "gpt-4o-mini")
    run.spending = Spending(price, Decimal("0.001"), Decimal("0.00061"))
    result = run("openai", base_url=provider.base_url)
    assert "The budget of $0.001 has no room for another photo" in str(result.stopped)
    assert len(provider.requests) == 3 == len(run.lines())


def test_a_stop_leaves_the_rest_undone(run: Run, provider: Provider) -> None:
    run.draw(*(f"{n:02}.png" for n in range(20)))
    stopped: list[float] = []

    def answer(number: int, _: object) -> Any:
        reply = provider.good()
        if number >= 5:
            stopped.append(time.monotonic())
            run.stop.set()
            reply.delay = 30
        return reply

    provider.script = answer
    result = run("openai", workers=1, base_url=provider.base_url)
    assert time.monotonic() - stopped[0] < GRACE + 5
    assert result.stopped is None
    assert len(run.lines()) == 5


def test_an_sdk_that_ends_the_program_ends_no_worker(run: Run) -> None:
    run.draw("exit.png")
    result = run("fragile")
    assert (
        str(result.stopped) == "The backend gave up (SystemExit: 3): fix it and run the same command again."
    )
    assert not run.lines()


def test_a_missing_key_is_said_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.draw("1.png")
    with pytest.raises(StopRunError, match="XAI_API_KEY is not set: add the line"):
        run("xai")


# --- what dies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["fragile", "fragile-batches"])
def test_a_photo_that_kills_its_worker_again_and_again(on_ray: Run, backend: str) -> None:
    on_ray.draw("killer.png", *(f"{n:02}.png" for n in range(30)))
    result = on_ray(backend)
    assert result.stopped is None
    assert result.statuses == {"success": 30, "error_corrupt": 1}
    assert on_ray.records()["killer.png"]["error"] == "it crashes its worker (3 times)"


def test_workers_that_die_of_everything_stop_the_run(on_ray: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.ray.remote.DEATHS", 2)  # each takes seconds
    on_ray.draw(*(f"killer{n}.png" for n in range(12)))
    result = on_ray("fragile", workers=1)
    assert "die one after another" in str(result.stopped)
    assert len(on_ray.lines()) < 6


def killed_midway(run: Run, kill: Callable[[], object], count: int = 150) -> None:
    """Run over `count` photos, and call `kill` when a fifth of them is done; every photo must have its caption."""
    run.draw(*(f"{n:03}.png" for n in range(count)))
    answers: list[Result] = []
    thread = threading.Thread(target=lambda: answers.append(run("fragile")))
    thread.start()
    path = run.journal.path
    wait_for(lambda: path.exists() and path.read_bytes().count(b"\n") > count // 5, 120)
    kill()
    thread.join(timeout=120)
    assert answers[0].stopped is None
    assert answers[0].statuses == {"success": count}
    assert len(run.lines()) == count


@pytest.mark.parametrize("kind", ["CaptioningWorker", "DecodingWorker"])
def test_a_worker_that_dies(on_ray: Run, joined: RayNodes, kind: str) -> None:
    killed_midway(on_ray, lambda: os.kill(joined.workers(kind)[0], signal.SIGKILL))


@pytest.mark.parametrize("victim", ["OOMCHILD", "OOMOWNER"])
def test_decoding_that_is_killed_from_outside_condemns_no_photo(on_ray: Run, victim: str) -> None:
    """The system ends a process for want of memory, the child that decodes or its worker, whenever this photo is in hand."""
    on_ray.draw(*(f"{n:02}.png" for n in range(30)))
    (on_ray.photos_dir / "heavy.jpg").write_bytes(victim.encode() + bytes(100))
    result = on_ray("fragile")
    assert result.stopped is None
    assert result.statuses == {"success": 30}
    assert result.unread == 1
    assert "heavy.jpg" not in on_ray.records()


def test_a_node_that_dies(on_ray: Run, joined: RayNodes) -> None:
    killed_midway(on_ray, lambda: os.kill(joined.raylets.pop(), signal.SIGKILL))
    joined.add()


def test_the_driver_knows_all_that_a_backend_says_about_itself() -> None:
    from engines.ray.workers import FACTS  # noqa: PLC0415 - Ray is only for those who ask for it

    said = set(re.findall(r"^ {8}(\w+): ", CaptionBackend.__doc__ or "", re.MULTILINE))
    assert {"max_workers", "batch_size", "end_date"} <= said <= set(FACTS)
    assert "settings" not in FACTS, "they hold keys"


def test_errors_survive_the_way_between_processes() -> None:
    stop = StopRunError("spent")
    for error in (
        UnavailableImageError("a.jpg", "gone", gone=True),
        RateLimitError("429", retry_after=2.0, exhausted=stop),
        TransientAPIError("500", retry_after=None),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert {k: str(v) for k, v in vars(again).items()} == {k: str(v) for k, v in vars(error).items()}
