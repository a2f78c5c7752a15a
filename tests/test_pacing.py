"""The pacer against simulated servers, on a clock of its own: it settles at what the server admits."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from engines.pacing import Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


class Server:
    """Admits `rate` requests a second; `burst` of them may come at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.room, self.last = rate, burst, burst, 0.0

    def admits(self, now: float) -> bool:
        self.room = min(self.burst, self.room + (now - self.last) * self.rate)
        self.last = now
        if self.room < 1:
            return False
        self.room -= 1
        return True


def drive(
    server: Server, *, seconds: float, latency: float, workers: int, retry_after: float | None
) -> tuple[list[float], list[float]]:
    """Send for so long with `workers` requests in flight at most; return the times of those admitted and refused."""
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    admitted: list[float] = []
    refused: list[float] = []
    flying: deque[tuple[float, float, bool]] = deque()  # back at, sent at, admitted
    while clock.now < seconds:
        while flying and (flying[0][0] <= clock.now or len(flying) == workers):
            back, sent, good = flying.popleft()
            clock.now = max(clock.now, back)
            if good:
                pacer.admitted()
            else:
                pacer.refused(sent, retry_after)
        sent = pacer.turn()
        good = server.admits(sent)
        (admitted if good else refused).append(sent)
        flying.append((sent + latency, sent, good))
    return admitted, refused


@pytest.mark.parametrize("retry_after", [None, 0.5, 1.0])
@pytest.mark.parametrize("workers", [32, 200])
@pytest.mark.parametrize(("rate", "burst"), [(20, 20), (20, 5), (3, 3), (300, 300)])
def test_it_settles_at_what_the_server_admits(
    rate: float, burst: float, workers: int, retry_after: float | None
) -> None:
    admitted, refused = drive(
        Server(rate, burst), seconds=300, latency=0.2, workers=workers, retry_after=retry_after
    )
    settled = sum(at > 90 for at in admitted) / 210
    assert settled >= 0.95 * min(rate, workers / 0.2)
    late = sum(at > 90 for at in refused)
    assert late < 0.02 * sum(at > 90 for at in admitted) + 2
    assert len(refused) - workers < 0.1 * len(admitted), "besides what was in flight at the first refusal"


def test_without_a_refusal_nothing_is_held_back() -> None:
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    for _ in range(10_000):
        pacer.turn()
    assert clock.now == 0


def test_a_server_that_refuses_everything_is_asked_less_and_less() -> None:
    _, refused = drive(Server(0, 0), seconds=600, latency=0.1, workers=50, retry_after=None)
    assert len(refused) < 110
    assert sum(at > 300 for at in refused) <= 16, "after the burst that was in flight, two attempts a pause"


def test_it_finds_the_way_back_when_the_limit_is_lifted() -> None:
    server = Server(5, 5)
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    times: list[float] = []
    while clock.now < 600:
        if clock.now > 120:
            server.rate, server.burst = 1000, 1000
        sent = pacer.turn()
        if server.admits(sent):
            pacer.admitted()
            times.append(sent)
        else:
            pacer.refused(sent, None)
    assert sum(60 < at < 120 for at in times) / 60 == pytest.approx(5, rel=0.1)
    assert sum(590 < at < 600 for at in times) / 10 > 50


def test_when_one_is_told_to_wait_all_wait() -> None:
    stop = threading.Event()
    pacer = Pacer(stop.wait)
    pacer.refused(pacer.turn(), 0.6)
    start = time.monotonic()
    times: list[float] = []
    threads = [threading.Thread(target=lambda: times.append(pacer.turn() - start)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(times) > 0.5


def test_waits_end_at_once_when_the_run_stops() -> None:
    stop = threading.Event()
    pacer = Pacer(stop.wait)
    pacer.pause(60)
    threads = [threading.Thread(target=pacer.turn) for _ in range(20)]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(timeout=5)
    assert time.monotonic() - start < 1
    assert not any(thread.is_alive() for thread in threads)
