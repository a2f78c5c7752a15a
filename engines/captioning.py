"""Owns how one picture gets its caption: attempts, waits, the check of the answer, the second try.

All retries are here; backends never retry. An engine does this for many pictures in parallel.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential_jitter,
)
from tenacity.nap import sleep_using_event

from backends.base import Caption
from costs.spending import Spending
from engines.checks import Judgement, judged, one_line
from engines.outcome import Outcome
from engines.pacing import ROOM_PAUSES, Pacer
from engines.tags import judged_with_tags, parted
from engines.vocabulary import LEAST, Vocabulary
from errors import (
    OUT_OF_FILES,
    APIError,
    CorruptImageError,
    NoRoomError,
    NotReadyError,
    RateLimitError,
    StopRunError,
    TransientAPIError,
    UnavailableImageError,
    out_of_files,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from PIL.Image import Image
    from tenacity import RetryCallState

    from backends.base import CaptionBackend
    from journal import Status
    from library.walk import Photo

Tags = tuple[str, ...] | None
ATTEMPTS = 5
LONGEST_WAIT = 300.0
"""Seconds. A server that asks for a longer wait stops the run."""

LONGEST_OUTAGE = 600.0
"""Seconds that a server has to load its model."""
ONLY_THOUGHTS = "the model only thought and gave no answer: switch its thinking off (docs/api_providers.md)"

_LONG_WAIT = 10.0
"""Seconds. A wait as long as this or longer is logged."""

_log = logging.getLogger("captioner.engine")
_T = TypeVar("_T")
_backoff = wait_exponential_jitter(initial=1, max=60, jitter=1)


class Captioner:
    """Captions pictures with one backend. Safe from several threads."""

    def __init__(
        self,
        backend: CaptionBackend,
        model: str,
        *,
        stop: threading.Event,
        spending: Spending | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """`model` is the name that outcomes carry; `spending` counts what is used; after `stop` no call begins.

        `vocabulary`: which tags count, if the backend gives any.
        """
        self.backend = backend
        self.stop = stop
        self._model = model
        self._spending = spending or Spending()
        self._pacer = Pacer(stop.wait)
        self._vocabulary = vocabulary or Vocabulary()
        self._admitted = 0
        self._served = False  # at the tier asked for
        self._dearer: StopRunError | None = None
        self.batch_size = backend.batch_size

    def caption_batch(self, batch: Sequence[tuple[Photo, Image]]) -> Iterator[Outcome | None]:
        """Yield the outcome of each photo. The backend gets them together; if memory is short, in halves.

        If the call fails, each photo goes alone, so that one that the model cannot take harms no other.
        """
        if self.stop.is_set():
            return
        if len(batch) == 1:
            yield self.caption(*batch[0])
            return
        if len(batch) > (size := self.batch_size):  # meanwhile another thread found that fewer fit
            yield from self.caption_batch(batch[:size])
            yield from self.caption_batch(batch[size:])
            return
        failed: Exception | None = None
        try:
            answers = self.backend.caption_batch([image for _, image in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers for {len(batch)} photos")  # each goes alone
        except MemoryError:
            self._shrink(batch)
            yield from self.caption_batch(batch)
            return
        except Exception as error:  # noqa: BLE001 - a model can raise anything, and each photo alone shows what it was
            failed = error
        else:
            for (photo, image), answer in zip(batch, answers, strict=True):
                yield self._outcome(photo, image, answer)
            return
        failures = 0
        for one in batch:
            for outcome in self.caption_batch([one]):
                failures += outcome is None or outcome.status != "success"
                yield outcome
        if not failures and not self.stop.is_set():
            _log.info(f"{type(failed).__name__}: {one_line(str(failed))}"[:200])
            self._shrink(batch)  # each alone worked, so there were too many

    def _shrink(self, batch: Sequence[object]) -> None:
        half = len(batch) // 2
        if half < self.batch_size:
            self.batch_size = half
            _log.info(f"{len(batch)} photos together do not fit into memory: going on with {half}.")

    def caption(self, photo: Photo, image: Image) -> Outcome | None:
        """Return the photo's outcome; None if the run stops in the middle, and the photo stays open."""
        return self._outcome(photo, image, None)

    def answer(self, text: str) -> str:
        """Return the backend's answer to a question without a picture.

        Raises:
            APIError: there is none; every further one may have an answer.
            StopRunError: there will be none.
        """
        answer = self._ask(self.backend.answer, text)
        return answer.text if isinstance(answer, Caption) else answer

    def _outcome(self, photo: Photo, image: Image, answer: Caption | str | None) -> Outcome | None:
        """Check the answer, or ask for one if there is none yet. Every failure is mapped to an Outcome (errors.py)."""
        try:
            if answer is None:
                answer = self._ask(self.backend.caption, image)
            (text, reason), tags = self._judged(answer)
            if self.backend.checked and self._is_worth_another(reason, tags):
                (text, reason), tags = self._second(image, (Judgement(text, reason), tags))
        except StopRunError as error:
            return Outcome(photo, None, stop=error)
        except (MemoryError, UnavailableImageError) as error:  # unavailable: lost with its machine
            reason = getattr(error, "reason", "not enough memory to caption it")
            return Outcome(photo, None, error=reason, gone=getattr(error, "gone", False))
        except CorruptImageError as error:
            return Outcome(photo, "error_corrupt", error=error.reason, model=self._model)
        except APIError as error:
            if isinstance(error, TransientAPIError) and self.stop.is_set():
                return None
            full = isinstance(error, NoRoomError)
            status: Status | None = None if full else "error_api"
            return Outcome(photo, status, error=one_line(str(error)), model=self._model, no_room=full)
        except Exception as error:  # noqa: BLE001 - a model can raise anything
            reason = one_line(f"{type(error).__name__}: {error}")
            return (
                Outcome(photo, None, stop=StopRunError(OUT_OF_FILES))
                if out_of_files(error)
                else Outcome(photo, "error_model", error=reason, model=self._model)
            )
        except BaseException as error:  # noqa: BLE001 - an SDK must not end the program with its own exit code
            reason = f"The backend gave up ({type(error).__name__}: {error}): fix it and run the same command again."
            return Outcome(photo, None, stop=StopRunError(reason))
        if reason:
            # A model that only thinks does so for every photo: let the streak stop the run.
            answered, stop = reason != ONLY_THOUGHTS, self._dearer
            return Outcome(
                photo, "error_model", error=reason, model=self._model, answered=answered, stop=stop
            )
        return Outcome(
            photo, "success", caption=text, tags=tags or None, model=self._model, stop=self._dearer
        )

    def _is_worth_another(self, reason: str | None, tags: Tags) -> bool:
        """Tell whether to ask for the photo once more: its caption is of no use, or it has too few tags.

        Of a list a photo may well show nothing.
        """
        if reason:
            return reason not in {"content filter", ONLY_THOUGHTS}
        few = tags is None if self._vocabulary.is_strict else len(tags or ()) < LEAST
        return self.backend.tags and few

    def _second(self, image: Image, first: tuple[Judgement, Tags]) -> tuple[Judgement, Tags]:
        """Ask once more; a good caption of the first time stays if that brings nothing better."""
        try:
            second = self._judged(self._ask(self.backend.recaption, image))
        except Exception:
            if first[0].problem:
                raise
            return first
        better = len(second[1] or ()) > len(first[1] or ())
        return second if first[0].problem or (better and not second[0].problem) else first

    def _judged(self, answer: Caption | str) -> tuple[Judgement, Tags]:
        """Return the caption, and what is wrong with it or None; and the tags that count, None without a list of any."""
        if isinstance(answer, Caption) and answer.only_thoughts:
            return Judgement("", ONLY_THOUGHTS), None
        finish = answer.finish_reason if isinstance(answer, Caption) else None
        said = (answer.text if isinstance(answer, Caption) else answer) or ""  # some SDKs answer with None
        words = None
        if not self.backend.checked:
            parts = parted(said) if self.backend.tags else None
            text, words = (one_line(parts.caption), parts.tags) if parts else (one_line(said), None)
            made = Judgement(text, None if text else "empty caption")
        elif self.backend.tags:
            made, words = judged_with_tags(said, finish, self.backend.prompt)
        else:
            made = judged(said, finish, self.backend.prompt)
        return made, None if words is None else self._vocabulary.chosen(words)

    def _ask(self, call: Callable[[_T], Caption | str], asked: _T) -> Caption | str:
        """Call the backend until it answers or the attempts are used up.

        Refusals because of too many requests (429) do not count as attempts while other requests get through, nor does a
        server that is not ready yet.
        """
        before = self._admitted
        while True:
            try:
                return self._retrying()(self._attempt, call, asked)
            except (RateLimitError, NotReadyError) as error:
                if self.stop.is_set() or (isinstance(error, NoRoomError) and error.billed):
                    raise
            except TransientAPIError as error:
                if error.exhausted and self._admitted == before and not self.stop.is_set():
                    raise error.exhausted from error
                raise

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(ATTEMPTS) | stop_when_event_set(self.stop),
            wait=_wait,
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )

    def _attempt(self, call: Callable[[_T], Caption | str], asked: _T) -> Caption | str:
        with self._spending.call(self.stop.is_set) as book:
            sent = self._pacer.turn()
            if self.stop.is_set():
                raise TransientAPIError("stopped before it was sent")
            try:
                answer = call(asked)
                self._note(None, sent)
            except APIError as error:
                self._note(error if isinstance(error, TransientAPIError) else None, sent)
                raise
            finally:
                self._pacer.ended()
            book(answer)
            if isinstance(answer, Caption) and answer.answered_by:
                raise StopRunError(
                    f"{answer.answered_by} answered instead of {self.backend.model}: the provider no longer has that model, and "
                    f"the price may be another. Choose a current --model (--model {answer.answered_by} goes on with this one)."
                )
            self._note_tier(answer)
            return answer

    def _note_tier(self, answer: Caption | str) -> None:
        """Note a server that serves nothing at the tier asked for: the run keeps the answer, which is paid, and stops."""
        said = answer.tier if isinstance(answer, Caption) else None
        if self.backend.tier and said == self.backend.tier:
            self._served = True
        elif self.backend.tier and said and not self._served:
            self._dearer = StopRunError(
                f"The server answers at its {said} price, although --tier {self.backend.tier} is asked for: run the same command "
                "again later, with another --model, or without --tier to pay that price."
            )

    def _note(self, error: TransientAPIError | None, sent: float) -> None:
        """Tell the pacer, and so all workers, what this request showed about the server."""
        asked = error.retry_after if error else None
        if asked is not None and asked > LONGEST_WAIT:
            again = datetime.fromtimestamp(time.time() + asked).astimezone() + timedelta(minutes=1)
            raise StopRunError(
                f"The server asks to wait {asked / 60:,.0f} minutes ({error}). "
                f"Run the same command again after {again:%Y-%m-%d %H:%M}."
            )
        if isinstance(error, NotReadyError):
            down = self._pacer.not_ready(sent, asked)
            if down is None:  # others get through: only this photo's problem, and one of its attempts
                raise TransientAPIError(str(error), retry_after=asked, billed=error.billed) from error
            if down > LONGEST_OUTAGE:
                raise StopRunError(
                    f"The server is still not ready after {LONGEST_OUTAGE / 60:.0f} minutes ({error}). "
                    "Look at its own messages, then run the same command again."
                )
            if not down:
                _log.info(
                    f"The server is not ready yet ({error}); all workers wait for it, {LONGEST_OUTAGE / 60:.0f} minutes at most."
                )
            return
        if isinstance(error, NoRoomError):
            self._wait_for_room(error, sent)
            return
        if isinstance(error, RateLimitError):
            refusals, wait = self._pacer.refused(sent, asked)
            if refusals >= ATTEMPTS:
                raise StopRunError(
                    f"The server refuses everything for now ({error}). "
                    "Run the same command again later, or with fewer --max-workers."
                )
            if wait >= _LONG_WAIT:
                _log.info(f"The server takes no more requests for now; all workers wait {wait:,.0f} s.")
            return
        if asked:
            self._pacer.pause(asked)
            if asked >= _LONG_WAIT:
                _log.info(f"The server asks to wait ({error}); all workers wait {asked:,.0f} s.")
        if error is None:
            self._admitted += 1
            self._pacer.admitted()

    def _wait_for_room(self, error: NoRoomError, sent: float) -> None:
        """Let all workers wait until the cheap tier has room again.

        Raises:
            StopRunError: it has had none for all that time.
        """
        times, wait = self._pacer.no_room(sent, error.retry_after)
        if times > len(ROOM_PAUSES):
            raise StopRunError(
                f"There is no room at --tier {self.backend.tier} for now ({error}). The photos that are left stay open: run the "
                "same command again later, or without --tier to pay the full price."
            )
        if wait >= _LONG_WAIT:
            _log.info(f"No room at --tier {self.backend.tier} for now; all workers wait {wait:,.0f} s.")


def _passes(error: BaseException) -> bool:
    """Tell whether to try the photo again here. Waits for all workers (429, not ready) are the pacer's."""
    return isinstance(error, TransientAPIError) and not isinstance(error, RateLimitError | NotReadyError)


def _wait(state: RetryCallState) -> float:
    """Return seconds until the photo's next attempt."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TransientAPIError) else None
    return max(_backoff(state), asked or 0)
