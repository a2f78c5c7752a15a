"""`run --tier flex`: half the price, sheds, slow answers, refusals. Nothing is lost and nothing paid twice."""

from __future__ import annotations

import re
import threading
from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pydantic import SecretStr

from backends import BACKENDS, load_backend
from config import Settings
from costs.prices import dollars, price_of
from costs.spending import Spending
from engines import captioning, pacing
from engines.captioning import Captioner
from engines.pacing import Pacer
from tests.conftest import OK, Product, wait_for
from tests.helpers.desks import PHOTO, PICTURE, quick
from tests.helpers.provider import KEY, KEYS, Provider, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.outcome import Outcome

__all__ = ["quick"]  # a fixture

SELLERS = ("openai", "gemini")
MODELS = {name: BACKENDS[name].default_model for name in SELLERS}


def served(provider: Provider, tier: str = "flex", **more: float) -> Reply:
    """Return a good answer that says its tier as the provider does."""
    reply = provider.good()
    if provider.dialect == "openai":
        reply.body["service_tier"] = tier
    else:
        reply.headers["x-gemini-service-tier"] = {"default": "standard"}.get(tier, tier)
        reply.body["usageMetadata"]["serviceTier"] = tier
    reply.delay = more.get("delay", 0.0)
    return reply


def full(provider: Provider, **headers: str) -> Reply:
    """Return the answer of a tier that has no room."""
    if provider.dialect == "openai":
        return provider.error(429, "resource_unavailable", "Resource unavailable", **headers)
    return provider.error(503, "", "The model is overloaded.", **headers)


def asks_for_flex(request: Request) -> bool:
    return "flex" in (request.body.get("service_tier"), request.body.get("serviceTier"))


@pytest.fixture(params=SELLERS)
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    with Provider(request.param).serve() as running:
        running.script = lambda number, _: served(running)
        yield running


@pytest.fixture
def openai() -> Iterator[Provider]:
    with Provider("openai").serve() as running:
        running.script = lambda number, _: served(running)
        yield running


@pytest.fixture
def short_waits(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pacing, captioning):
        monkeypatch.setattr(module, "ROOM_PAUSES", (0.01,) * 7)


@pytest.fixture
def captioner() -> Iterator[Callable[..., Captioner]]:
    """Return what makes a captioner that asks for flex; its connections end with the test."""
    with ExitStack() as stack:

        def make(provider: Provider, spending: Spending | None = None) -> Captioner:
            settings = Settings(**{KEYS[provider.dialect]: SecretStr(KEY)})  # type: ignore[arg-type]
            options = {"base_url": provider.base_url, "tier": "flex"}
            backend: Any = load_backend(provider.dialect, None, settings, "What is this?", **options)
            stack.callback(backend._http.close)
            return Captioner(backend, "flex/model", stop=threading.Event(), spending=spending)

        yield make


def many(captioner: Captioner, number: int) -> list[Outcome | None]:
    """Caption a picture from as many threads at once."""
    outcomes: list[Outcome | None] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(captioner.caption(PHOTO, PICTURE)))
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def run(product: Product, provider: Provider, *more: str, code: int = 0) -> str:
    return product.call(*words(product, provider, *more), code=code).stderr


def words(product: Product, provider: Provider, *more: str) -> list[str]:
    product.env[KEYS[provider.dialect]] = KEY
    server = ("--base-url", provider.base_url)
    return ["run", "--backend", provider.dialect, *server, "--photos-dir", str(product.photos), *more]


def each(provider: Provider, tier: str | None = "flex") -> Decimal:
    return price_of(provider.dialect, MODELS[provider.dialect]).of(1000, 20, tier)


def test_half_the_price_and_the_summary_says_so(product: Product, provider: Provider) -> None:
    assert each(provider) * 2 == each(provider, None)
    said = run(product, provider, "--tier", "flex")
    assert all(map(asks_for_flex, provider.requests))
    assert f"({OK} answers at flex, {dollars(OK * each(provider))})" in said
    assert f"{OK * 20} output tokens: {dollars(OK * each(provider))} at the list prices" in said


def test_without_the_flag_no_tier_is_asked_for_or_said(product: Product, provider: Provider) -> None:
    provider.script = lambda number, _: None
    said = run(product, provider, "--limit", "2")
    assert not any(map(asks_for_flex, provider.requests))
    assert " at flex" not in said


@pytest.mark.parametrize("backend", ["anthropic", "xai", "mock", "local"])
def test_the_others_have_none(product: Product, backend: str) -> None:
    said = product.call("run", "--backend", backend, "--tier", "flex", code=64).stderr
    assert f"{backend} has no --tier flex (openai and gemini have it): leave it out." in said


@pytest.mark.usefixtures("short_waits")
def test_three_in_ten_find_no_room_at_first(captioner: Callable[..., Captioner], provider: Provider) -> None:
    provider.script = lambda number, _: full(provider) if number % 10 in {1, 4, 5} else served(provider)
    spending = Spending(price_of(provider.dialect, MODELS[provider.dialect]), Decimal(1))
    outcomes = many(captioner(provider, spending), 40)
    assert [outcome and outcome.status for outcome in outcomes] == ["success"] * 40
    answers = sum(number % 10 not in {1, 4, 5} for number in range(len(provider.requests)))
    assert answers == 40, "no photo is paid for twice"
    assert (spending.cost, spending.lost) == (40 * each(provider), 0)


@pytest.mark.usefixtures("short_waits")
def test_no_room_at_all_stops_the_run_and_leaves_the_photos_open(
    captioner: Callable[..., Captioner], provider: Provider
) -> None:
    provider.script = lambda number, _: full(provider)
    spending = Spending(price_of(provider.dialect, MODELS[provider.dialect]), Decimal(1))
    outcomes = many(captioner(provider, spending), 3)
    assert {outcome and outcome.status for outcome in outcomes} == {None}
    reasons = [str(outcome.stop) for outcome in outcomes if outcome and outcome.stop]
    assert "There is no room at --tier flex for now (HTTP " in reasons[0]
    assert "or without --tier to pay the full price." in reasons[0]
    assert all(map(asks_for_flex, provider.requests)), "never at another price without being asked"
    assert (spending.cost, spending.lost) == (Decimal(0), 0)


@pytest.mark.usefixtures("short_waits")
def test_while_one_photo_is_being_served_the_others_wait_on(
    captioner: Callable[..., Captioner], openai: Provider
) -> None:
    """An answer may take minutes, in which all others are turned away: more often than when nothing goes on."""
    done = threading.Event()

    def script(number: int, _: Request) -> Reply:
        if number == 0:
            while len(openai.requests) < 60:
                done.wait(0.01)
            done.set()
            return served(openai)
        return served(openai) if done.is_set() else full(openai)

    openai.script = script
    outcomes = many(captioner(openai), 3)
    assert [outcome and outcome.status for outcome in outcomes] == ["success"] * 3


def test_an_answer_that_never_comes_leaves_the_photo_open(
    captioner: Callable[..., Captioner], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.cloud.TIER_READ_SECONDS", 0.5)
    release = threading.Event()

    def script(number: int, _: Request) -> Reply:
        release.wait(20)
        return served(provider)

    provider.script = script
    spending = Spending()
    outcome = captioner(provider, spending).caption(PHOTO, PICTURE)
    release.set()
    assert outcome
    assert (outcome.status, outcome.no_room, outcome.stop) == (None, True, None)
    assert (len(provider.requests), spending.lost) == (1, 1), "each attempt may be paid for"


def test_the_wait_is_15_minutes(captioner: Callable[..., Captioner], provider: Provider) -> None:
    backend = captioner(provider).backend
    assert (backend.read_seconds, backend.grace) == (900, 900)  # type: ignore[attr-defined]


def test_waits_grow_while_nothing_gets_in() -> None:
    now = [0.0]
    pacer = Pacer(lambda seconds: now.__setitem__(0, now[0] + seconds), lambda: now[0])
    waits = []
    for asked in (None, 30.0, *[None] * 6):
        sent = pacer.turn()
        times, wait = pacer.no_room(sent, asked)
        pacer.ended()
        waits.append(wait)
    assert waits == [1, 30, 16, 45, 90, 180, 300, 300]
    assert times == 8
    sent = pacer.turn()
    pacer.admitted()
    assert pacer.no_room(sent, None) == (1, 1.0), "from the beginning"


def test_the_accounts_own_limit_is_paced_as_ever(
    captioner: Callable[..., Captioner], openai: Provider
) -> None:
    openai.script = lambda number, _: (
        openai.error(429, "rate_limit_exceeded") if number == 0 else served(openai)
    )
    one = captioner(openai)
    outcome = one.caption(PHOTO, PICTURE)
    assert outcome
    assert outcome.status == "success"
    assert one._pacer._limit is not None


def test_a_model_without_the_tier_stops_the_run_and_loses_nothing(
    product: Product, provider: Provider
) -> None:
    words = (
        "Unsupported service_tier: flex" if provider.dialect == "openai" else "Flex is not supported for it."
    )
    provider.script = lambda number, _: (
        provider.error(400, "invalid_request_error", words) if number >= 3 else served(provider)
    )
    said = run(product, provider, "--tier", "flex", "--max-workers", "1", code=1)
    assert f"has no {MODELS[provider.dialect]} at --tier flex (HTTP 400" in said
    assert "choose another --model, or leave out --tier" in said
    assert len(provider.requests) == 4
    assert Counter(line["status"] for line in product.lines())["success"] == 3
    provider.script = lambda number, _: None
    run(product, provider)
    assert len(provider.requests) == 4 + OK - 3


@pytest.mark.slow
def test_a_server_that_serves_only_the_full_price_is_left(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: served(openai, "default")
    said = run(product, openai, "--tier", "flex", "--max-workers", "2", code=1)
    assert "The server answers at its standard price, although --tier flex is asked for" in said
    captioned = [line for line in product.lines() if line["status"] == "success"]
    assert 1 <= len(captioned) == len(openai.requests) <= 3, "what is paid is kept"
    paid = dollars(len(captioned) * each(openai, None))
    assert re.search(rf"{re.escape(paid)} at the list prices", said)


@pytest.mark.slow
def test_now_and_then_another_tier_counts_at_its_own_price(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: served(openai, "default" if number in {4, 5} else "flex")
    said = run(product, openai, "--tier", "flex", "--max-workers", "1")
    cheap, full_price = (OK - 2) * each(openai), 2 * each(openai, None)
    assert (
        f"({OK - 2} answers at flex, {dollars(cheap)}; 2 answers at standard, {dollars(full_price)})" in said
    )
    assert f"tokens: {dollars(cheap + full_price)} at the list prices" in said


def test_a_server_that_says_no_tier_counts_in_full(
    captioner: Callable[..., Captioner], openai: Provider
) -> None:
    openai.script = lambda number, _: None
    spending = Spending(price_of("openai", MODELS["openai"]))
    outcome = captioner(openai, spending).caption(PHOTO, PICTURE)
    assert outcome
    assert outcome.stop is None
    assert spending.cost == each(openai, None)


def test_a_budget_is_spent_at_the_tiers_price(
    captioner: Callable[..., Captioner], provider: Provider
) -> None:
    """Room is kept for an answer at the full price, because only the answer tells."""
    price = price_of(provider.dialect, MODELS[provider.dialect])
    spending = Spending(price, budget=each(provider) * 11, most=each(provider, None))
    one = captioner(provider, spending)
    outcomes = [one.caption(PHOTO, PICTURE) for _ in range(12)]
    assert sum(outcome is not None and outcome.status == "success" for outcome in outcomes) == 10
    assert spending.cost == 10 * each(provider)
    assert outcomes[-1]
    assert "has no room for another photo" in str(outcomes[-1].stop)


@pytest.mark.slow
def test_killed_and_gone_on(product: Product, openai: Provider) -> None:
    """With sheds and slow answers: every photo has one record, and only what was in flight is asked about again."""
    workers = 2
    openai.script = lambda number, _: full(openai) if number % 3 == 1 else served(openai, delay=0.2)
    flags = words(product, openai, "--tier", "flex", "--max-workers", str(workers))
    process = product.popen(*flags)
    wait_for(lambda: product.line_count() >= 4 or process.poll() is not None)
    process.kill()
    process.communicate()
    product.call(*flags)
    records = product.records()
    assert Counter(record["status"] for record in records.values())["success"] == OK
    assert len(product.lines()) == len(records)
    paid = sum(number % 3 != 1 for number in range(len(openai.requests)))
    assert paid <= OK + workers


@pytest.mark.slow
def test_on_ray(product: Product, openai: Provider) -> None:
    openai.script = lambda number, _: full(openai) if number % 3 == 1 else served(openai)
    said = run(product, openai, "--tier", "flex", "--ray")
    assert f"({OK} answers at flex, {dollars(OK * each(openai))})" in said
    openai.script = lambda number, _: openai.error(
        400, "invalid_request_error", "Unsupported service_tier: flex"
    )
    said = run(product, openai, "--tier", "flex", "--ray", "--force", code=1)
    assert "at --tier flex (HTTP 400" in said


def test_the_estimate_shows_both_prices(product: Product) -> None:
    for number in range(3):
        Image.new("RGB", (2048, 1536), (40 * number, 0, 0)).save(product.photos / f"large {number}.jpg")
    said = product.call("estimate", "--backend", "gemini", "--photos-dir", str(product.photos)).stdout
    whole = Decimal(re.search(r"= ~\$([\d.]+)", said)[1])  # type: ignore[index]
    half = Decimal(re.search(r"^With --tier flex:  ~\$([\d.]+), slower$", said, re.MULTILINE)[1])  # type: ignore[index]
    assert abs(whole / 2 - half) <= Decimal("0.0001")
    said = product.call(
        "estimate", "--backend", "openai", "--model", "gpt-4o", "--photos-dir", str(product.photos)
    ).stdout
    assert "--tier" not in said, "it is not sold for this model"
    said = product.call("estimate", "--all", "--photos-dir", str(product.photos)).stdout
    column = dict(re.findall(r"^(\w+) / \S+ +[\d,]+ +~\S+ +(\S+) ", said, re.MULTILINE))
    assert {name for name, cell in column.items() if cell.startswith("~$")} == set(SELLERS)
    assert {name for name, cell in column.items() if cell == "-"} == {"anthropic", "xai"}
