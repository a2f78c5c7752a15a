"""The thread engine and the driver, with small real backends in place of a model."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backends.base import APIError, Caption, CaptionBackend, StopRunError
from cli.keeping import keep_records  # the very function that a run writes with
from config import Settings
from engines.captioning import Captioner
from engines.driver import Result, drive
from engines.outcome import Outcome
from engines.threads import GRACE, caption_photos, cores, local_decoders
from journal import CaptionJournal
from library.identity import content_of
from library.walk import Photo, walk
from tests.conftest import draw, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image


class Script(CaptionBackend):
    """Answers as a function of the file's name says, and counts the calls at once."""

    def __init__(self, answer: Callable[[str], Caption | str]) -> None:
        super().__init__("script", Settings(), "prompt")
        self.script = answer
        self.calls: list[
            str
        ] = []  # in their order, which two decoders make a little different from that of the names
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    def caption(self, image: Image) -> Caption | str:
        name = vars(image)["filename"]
        with self.lock:
            self.calls.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.script(name)
        finally:
            with self.lock:
                self.at_once -= 1


class Batches(Script):
    """A model on one card: one batch at a time, in which only so many pictures fit; it notes every batch's size."""

    single_threaded = True

    def __init__(self, answer: Callable[[str], Caption | str], *, size: int, fits: int = 99) -> None:
        super().__init__(answer)
        self.batch_size = size
        self.fits = fits
        self.sizes: list[int] = []
        self.in_model = threading.Lock()

    def caption(self, image: Image) -> Caption | str:
        return self.caption_batch([image])[0]

    def caption_batch(self, images: Sequence[Image]) -> list[Caption | str]:
        with self.in_model:
            self.sizes.append(len(images))
            if len(images) > self.fits:
                raise MemoryError
            return [super(Batches, self).caption(image) for image in images]


def fail(error: Exception) -> str:
    raise error


def by_turn(answer: Callable[[int], str]) -> Callable[[str], str]:
    """Answer by the number of the call, from 0, whichever photo it is about."""
    turns = itertools.count()
    return lambda _: answer(next(turns))


def slowly(seconds: float) -> str:
    time.sleep(seconds)
    return "slow"


class Library:
    """A folder of tiny pictures, its journal, and a run over them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.photos_dir = folder / "photos"
        for number in range(count):
            draw(self.photos_dir / f"{number:03}.png", size=(8, 8))
        self.journal = CaptionJournal(folder / "captions.jsonl")
        self.stop = threading.Event()

    def run(self, answer: Callable[[str], Caption | str], *, workers: int = 1) -> tuple[Result, Script]:
        backend = Script(answer)
        return self.run_with(backend, workers=workers), backend

    def run_with(self, backend: CaptionBackend, *, workers: int = 1) -> Result:
        self.journal.load()
        photos = [photo for photo in walk(self.photos_dir).photos if not self.journal.is_done(photo.rel_path)]
        captioner = Captioner(backend, "script/script", stop=self.stop)
        engine = caption_photos(photos, captioner, local_decoders(64), workers=workers)
        with self.journal.lock():
            return drive(
                engine,
                keep_records(self.journal),
                stop=self.stop,
                photos_dir=self.photos_dir,
                redone=frozenset(),
                seen=lambda _: None,
            )

    def statuses(self) -> Counter[str]:
        return Counter(entry["status"] for entry in CaptionJournal(self.journal.path).load().values())


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path, 60)


def test_every_photo_once_and_no_more_calls_than_workers(library: Library) -> None:
    result, backend = library.run(lambda name: f"{slowly(0.01)} {name}", workers=7)
    assert library.statuses() == {"success": 60}
    assert sorted(backend.calls) == [f"{n:03}.png" for n in range(60)]
    assert 2 <= backend.most_at_once <= 7
    assert result.stopped is None
    record = library.journal.records["007.png"]
    assert record.pop("content") == content_of(str(library.photos_dir / "007.png"))
    assert record == {"caption": "slow 007.png", "status": "success", "model": "script/script"}


def test_captions_are_folded_to_one_line(library: Library) -> None:
    library.run(lambda name: Caption(f"  A {name}\n\non  two lines\t"))
    assert library.journal.records["001.png"]["caption"] == "A 001.png on two lines"


def test_what_each_error_becomes(library: Library) -> None:
    errors = {"001.png": APIError("HTTP 500\nserver"), "002.png": RuntimeError("CUDA error")}

    def answer(name: str) -> str:
        if name in errors:
            raise errors[name]
        return {"003.png": "  ", "004.png": None}.get(name, "fine")  # type: ignore[return-value]  # as some SDKs answer

    library.run(answer)
    records = library.journal.records
    assert records["001.png"]["caption"] is None
    assert records["001.png"]["status"] == "error_api"
    assert records["001.png"]["error"] == "HTTP 500 server"
    assert records["002.png"].get("error") == "RuntimeError: CUDA error"
    assert {records[f"00{n}.png"]["status"] for n in (2, 3, 4)} == {"error_model"}
    assert library.statuses()["success"] == 56


@pytest.mark.parametrize("error", [APIError("spent credit"), RuntimeError("CUDA error")])
def test_a_streak_of_failures_stops_the_run_and_is_not_recorded(library: Library, error: Exception) -> None:
    result, backend = library.run(by_turn(lambda turn: "fine" if turn < 10 else slowly(0.02) and fail(error)))
    assert result.stopped
    assert "20 photos in a row failed" in str(result.stopped)
    assert library.statuses() == {"success": 10}
    assert len(backend.calls) < 40
    library.stop.clear()
    result, _ = library.run(lambda _: "fine")
    assert result.stopped is None
    assert library.statuses() == {"success": 60}


def test_failures_between_successes_are_recorded(library: Library) -> None:
    result, _ = library.run(by_turn(lambda turn: "fine" if turn % 20 == 19 else fail(APIError("no"))))
    assert result.stopped is None
    assert library.statuses() == {"error_api": 57, "success": 3}


def test_a_short_streak_at_the_end_is_recorded(library: Library) -> None:
    library.run(by_turn(lambda turn: "fine" if turn < 50 else fail(APIError("no"))))
    assert library.statuses() == {"success": 50, "error_api": 10}


def test_broken_photos_neither_count_in_a_streak_nor_end_it(library: Library) -> None:
    for number in range(0, 60, 2):
        (library.photos_dir / f"{number:03}.png").write_bytes(b"broken")
    result, _ = library.run(lambda _: fail(APIError("no")))
    assert result.stopped
    assert set(library.statuses()) == {"error_corrupt"}


def test_trouble_of_the_account_stops_the_run(library: Library) -> None:
    refused = StopRunError("The key is refused: fix it in config.env.")
    result, backend = library.run(by_turn(lambda turn: "fine" if turn != 20 else fail(refused)))
    assert str(result.stopped) == "The key is refused: fix it in config.env."
    assert library.statuses() == {"success": 20}
    assert len(backend.calls) == 21, "nothing more is begun"


def test_calls_that_succeed_while_the_run_stops_are_kept(library: Library) -> None:
    """What was paid for is kept, though another worker has met the end of the account."""

    def answer(turn: int) -> str:
        if turn == 0:
            time.sleep(0.5)
            return fail(StopRunError("spent"))
        time.sleep(1)
        return "paid for"

    _, backend = library.run(by_turn(answer), workers=4)
    assert library.statuses() == {"success": len(backend.calls) - 1}


def test_memory_trouble_leaves_photos_open_and_stops_after_twenty(library: Library) -> None:
    result, _ = library.run(lambda _: fail(MemoryError()))
    assert result.stopped
    assert "could not be read" in str(result.stopped)
    assert library.statuses() == {}


def test_files_that_vanish_are_counted_and_not_recorded(library: Library) -> None:
    def answer(turn: int) -> str:
        if turn == 0:
            for number in range(40, 45):
                (library.photos_dir / f"{number:03}.png").unlink()
        return "fine"

    result, _ = library.run(by_turn(answer))
    assert result.gone == 5
    assert result.unread == 0
    assert library.statuses() == {"success": 55}


def test_a_fault_in_the_engine_is_not_swallowed(tmp_path: Path) -> None:
    def photos() -> Iterator[Photo]:
        yield Photo("a.png", str(draw(tmp_path / "a.png")))
        raise ZeroDivisionError

    captioner = Captioner(Script(lambda _: "fine"), "x", stop=threading.Event())
    engine = caption_photos(photos(), captioner, local_decoders(64), workers=1)
    with pytest.raises(ZeroDivisionError), closing(engine):
        list(engine)


def test_the_window_bounds_what_is_taken(tmp_path: Path) -> None:
    """While the backend is slow, decoding runs ahead by a window and no further."""
    picture = str(draw(tmp_path / "a.png", size=(8, 8)))
    taken = 0
    release = threading.Event()

    def photos() -> Iterator[Photo]:
        nonlocal taken
        for number in range(500):
            taken += 1
            yield Photo(f"{number}.png", picture)

    backend = Script(lambda _: "fine" if release.wait(30) else "late")
    stop = threading.Event()
    outcomes: list[Outcome] = []
    engine = caption_photos(photos(), Captioner(backend, "x", stop=stop), local_decoders(64), workers=3)
    thread = threading.Thread(target=lambda: outcomes.extend(itertools.chain.from_iterable(engine)))
    thread.start()
    wait_for(lambda: taken > 3)
    time.sleep(1)
    assert taken <= 3 + 2 * cores()
    release.set()
    thread.join(timeout=60)
    assert len(outcomes) == 500


def test_a_slow_photo_holds_no_other_back(library: Library) -> None:
    """No barrier at the end of a batch: one call that takes long leaves the other workers busy."""

    start = time.monotonic()
    library.run(by_turn(lambda turn: slowly(2 if turn == 0 else 0.02)), workers=4)
    assert time.monotonic() - start < 2 + 60 * 0.02 + 3


def test_stop_ends_within_the_grace(library: Library) -> None:
    def answer(turn: int) -> str:
        if turn < 5:
            return "fine"
        library.stop.set()
        stopped.append(time.monotonic())
        return slowly(60)

    stopped: list[float] = []
    result, _ = library.run(by_turn(answer))
    assert time.monotonic() - stopped[0] < GRACE + 2
    assert result.stopped is None
    assert library.statuses() == {"success": 5}


def test_a_real_backend_does_mock_captions_again(tmp_path: Path) -> None:
    library = Library(tmp_path, 3)
    with library.journal.lock():
        library.journal.write("000.png", "a mock caption for 000.png", "success", model="mock")
        library.journal.write("001.png", "a real one", "success", model="openai/gpt")
    journal = CaptionJournal(library.journal.path)
    assert set(journal.load(redo_mock=True)) == {"001.png"}
    assert set(journal.load()) == {"000.png", "001.png"}


def test_batches_fill_while_the_model_works(library: Library) -> None:
    """The first photo does not wait for company; those that come while the model works go together."""
    backend = Batches(lambda name: f"{slowly(0.01)} {name}", size=8)
    result = library.run_with(backend)
    assert result.statuses == {"success": 60}
    assert sorted(backend.calls) == [f"{number:03}.png" for number in range(60)]
    assert max(backend.sizes) <= 8
    assert backend.most_at_once == 1
    assert len(backend.sizes) < 20  # 60 photos one by one would be 60 calls


def test_what_does_not_fit_is_halved_and_tried_again(library: Library) -> None:
    backend = Batches(lambda name: f"{slowly(0.01)} {name}", size=16, fits=3)
    result = library.run_with(backend)
    assert result.statuses == {"success": 60}
    assert sorted(backend.calls) == [f"{number:03}.png" for number in range(60)]
    too_large = [size for size in backend.sizes if size > 3]
    assert too_large  # it was really too much
    assert len(too_large) < 6  # 16, 8, 4, and what the other thread had in hand: it was learned


def test_memory_for_not_even_one_leaves_photos_open(library: Library) -> None:
    backend = Batches(lambda _: "a caption", size=8, fits=0)
    result = library.run_with(backend)
    assert result.stopped
    assert "memory" in str(result.stopped)
    assert not library.statuses()


def test_one_photo_that_the_model_cannot_take_harms_no_other(library: Library) -> None:
    def answer(name: str) -> str:
        return fail(ValueError("no such shape")) if name == "031.png" else f"{slowly(0.01)} {name}"

    result = library.run_with(Batches(answer, size=8))
    assert result.statuses == {"success": 59, "error_model": 1}
    records = CaptionJournal(library.journal.path).load()
    assert records["031.png"]["error"] == "ValueError: no such shape"


def test_captions_of_a_batch_are_judged_each(library: Library) -> None:
    """What is unusable is asked for once more, by itself."""
    seen: Counter[str] = Counter()

    def answer(name: str) -> str:
        seen[name] += 1
        time.sleep(0.01)
        return "I'm sorry, I can't help with that." if name < "010.png" and seen[name] == 1 else f"A {name}."

    result = library.run_with(Batches(answer, size=8))
    assert result.statuses == {"success": 60}
    assert {name for name, times in seen.items() if times == 2} == {f"00{n}.png" for n in range(10)}


def test_a_stop_between_halves_begins_no_more(library: Library) -> None:
    def answer(name: str) -> str:
        library.stop.set()
        return f"A {name}."

    backend = Batches(answer, size=16, fits=1)
    library.run_with(backend)
    assert set(library.statuses()) <= {"success"}
    assert len(backend.calls) < 20


def test_trouble_of_the_model_in_a_batch_stops_the_run(library: Library) -> None:
    result = library.run_with(Batches(lambda _: fail(StopRunError("The card is gone: restart.")), size=8))
    assert str(result.stopped) == "The card is gone: restart."
    assert not library.statuses()
