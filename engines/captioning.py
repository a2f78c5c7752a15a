"""Owns how one picture gets its caption: attempts, waits, the checks of the answer, the second try.

It is the only owner of retries; backends have none. What an engine does in parallel is this, once a picture.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential_jitter,
)
from tenacity.nap import sleep_using_event

from backends.errors import (
    APIError,
    CorruptImageError,
    RateLimitError,
    StopRunError,
    TransientAPIError,
)
from engines.checks import folded, trouble
from engines.outcome import Outcome
from engines.pacing import Pacer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from PIL.Image import Image
    from tenacity import RetryCallState

    from backends.base import Caption, CaptionBackend
    from engines.spending import Spending
    from library.walk import Photo

ATTEMPTS = 5
LONGEST_WAIT = 300.0
"""Seconds: a server that asks for a longer wait stops the run instead."""

_backoff = wait_exponential_jitter(initial=1, max=60, jitter=1)


class Captioner:
    """Has pictures captioned by one backend, from as many threads as one likes."""

    def __init__(
        self, backend: CaptionBackend, model: str, *, spending: Spending, stop: threading.Event
    ) -> None:
        self._backend = backend
        self._model = model
        self._spending = spending
        self._stop = stop
        self._pacer = Pacer(stop.wait)
        self._admitted = 0

    def caption(self, photo: Photo, image: Image) -> Outcome | None:
        """Return what became of the photo; None when the run stops in the middle of it, and it stays open.

        Every failure becomes the outcome that DESIGN gives it.
        """
        try:
            answer = self._ask(self._backend.caption, image)
            text, reason = self._judged(answer)
            if reason and self._backend.checked and reason != "content filter":
                text, reason = self._judged(self._ask(self._backend.recaption, image))
        except StopRunError as error:
            return Outcome(photo, None, error=str(error), fatal=True)
        except MemoryError:
            return Outcome(photo, None, error="not enough memory to caption it")
        except CorruptImageError as error:
            return Outcome(photo, "error_corrupt", error=error.reason, model=self._model)
        except APIError as error:
            if isinstance(error, TransientAPIError) and self._stop.is_set():
                return None
            return Outcome(photo, "error_api", error=folded(str(error)), model=self._model)
        except Exception as error:  # noqa: BLE001 - a model can raise anything
            reason = folded(f"{type(error).__name__}: {error}")
            return Outcome(photo, "error_model", error=reason, model=self._model)
        if reason:
            return Outcome(photo, "error_model", error=reason, model=self._model, answered=True)
        return Outcome(photo, "success", caption=text, model=self._model)

    def _judged(self, answer: Caption | str) -> tuple[str, str | None]:
        """Return the caption and what is wrong with it."""
        text, finish = (answer, None) if isinstance(answer, str) else (answer.text, answer.finish_reason)
        text = folded(text or "")  # some SDKs answer with None
        if not self._backend.checked:
            return text, None if text else "empty caption"
        return text, trouble(text, finish)

    def _ask(self, call: Callable[[Image], Caption | str], image: Image) -> Caption | str:
        """Call the backend until it answers, or there is no more hope.

        A photo that only met refusals for lack of room (429) is tried on as long as others get through.
        """
        while True:
            before = self._admitted
            try:
                return self._retrying()(self._attempt, call, image)
            except TransientAPIError as error:
                if self._stop.is_set():
                    raise
                if isinstance(error, RateLimitError):
                    if self._admitted != before:
                        continue
                    raise StopRunError(
                        f"The server refuses everything for now ({error}). "
                        "Run the same command again later, or with fewer --max-workers."
                    ) from error
                if error.exhausted:
                    raise error.exhausted from error
                raise

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(TransientAPIError),
            stop=stop_after_attempt(ATTEMPTS) | stop_when_event_set(self._stop),
            wait=_wait,
            sleep=sleep_using_event(self._stop),
            reraise=True,
        )

    def _attempt(self, call: Callable[[Image], Caption | str], image: Image) -> Caption | str:
        with self._spending.call(self._stop.is_set) as book:
            sent = self._pacer.turn()
            if self._stop.is_set():
                raise TransientAPIError("stopped before it was sent")
            try:
                answer = call(image)
            except TransientAPIError as error:
                self._note(error, sent)
                raise
            except APIError:
                self._note(None, sent)
                raise
            self._note(None, sent)
            book(answer)
            return answer

    def _note(self, error: TransientAPIError | None, sent: float) -> None:
        """Tell all workers what this request has shown about the server."""
        asked = error.retry_after if error else None
        if asked is not None and asked > LONGEST_WAIT:
            again = datetime.fromtimestamp(time.time() + asked).astimezone() + timedelta(minutes=1)
            raise StopRunError(
                f"The server asks to wait {asked / 60:,.0f} minutes ({error}). "
                f"Run the same command again after {again:%Y-%m-%d %H:%M}."
            )
        if isinstance(error, RateLimitError):
            self._pacer.refused(sent, asked)
            return
        if asked:
            self._pacer.pause(asked)
        if error is None:
            self._admitted += 1
            self._pacer.admitted()


def _wait(state: RetryCallState) -> float:
    """Return seconds until the photo's next attempt. After a 429 the wait is everybody's: the pacer's."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimitError):
        return 0
    asked = error.retry_after if isinstance(error, TransientAPIError) else None
    return max(_backoff(state), asked or 0)
