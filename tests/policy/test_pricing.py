from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.pricing import QUANTITIES, Price, PriceTable, UnknownCurrencyError, Usage, kept

RATES = {"USD": Decimal(1), "EUR": Decimal("0.8"), "JPY": Decimal(150)}
EVERY_UNIT = Price(
    "llm",
    "a/b",
    "USD",
    audio_minute=Decimal("0.006"),
    input_token=Decimal("0.000004"),
    cached_input_token=Decimal("0.0000004"),
    output_token=Decimal("0.000016"),
    audio_input_token=Decimal("0.000032"),
    cached_audio_input_token=Decimal("0.0000004"),
    audio_output_token=Decimal("0.000064"),
    character=Decimal("0.00003"),
)


def price(model: str, currency: str = "USD", **units: str) -> Price:
    return Price("llm", model, currency, **{name: Decimal(value) for name, value in units.items()})  # type: ignore[arg-type]


def table(*prices: Price) -> PriceTable:
    return PriceTable(prices, RATES)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    counts = {name: draw(st.integers(0, 10**7)) for name in QUANTITIES if name != "audio_seconds"}
    counts["cached_input_tokens"] = min(counts["cached_input_tokens"], counts["input_tokens"])
    counts["cached_audio_input_tokens"] = min(counts["cached_audio_input_tokens"], counts["audio_input_tokens"])
    return Usage("llm", "a/b", audio_seconds=draw(st.integers(0, 10**6)) / 8, **counts)  # type: ignore[arg-type]


def test_each_unit_costs_what_its_price_says() -> None:
    used = Usage(
        "llm",
        "a/b",
        audio_seconds=90,
        input_tokens=1000,
        cached_input_tokens=600,
        output_tokens=100,
        audio_input_tokens=500,
        cached_audio_input_tokens=100,
        audio_output_tokens=200,
        characters=1000,
    )
    expected = (
        Decimal("0.009")
        + 400 * Decimal("0.000004")
        + 600 * Decimal("0.0000004")
        + 100 * Decimal("0.000016")
        + 400 * Decimal("0.000032")
        + 100 * Decimal("0.0000004")
        + 200 * Decimal("0.000064")
        + Decimal("0.03")
    )
    assert table(EVERY_UNIT).cost(used, "USD") == expected


def test_what_has_no_price_for_the_cache_pays_the_full_one() -> None:
    used = Usage("llm", "a/b", input_tokens=100, cached_input_tokens=40)
    assert table(price("a/b", input_token="0.01")).cost(used, "USD") == 1


def test_units_that_a_provider_does_not_bill_cost_nothing() -> None:
    used = Usage("llm", "a/b", input_tokens=100, output_tokens=10, characters=10**6)
    assert table(price("a/b", output_token="0.01")).cost(used, "USD") == Decimal("0.1")


def test_a_model_without_a_price_has_no_cost_which_is_not_a_cost_of_nothing() -> None:
    prices = table(price("a/free"), price("a/b", input_token="1"))
    assert prices.cost(Usage("llm", "a/c", input_tokens=5), "USD") is None
    assert prices.cost(Usage("tts", "a/b", characters=5), "USD") is None
    assert prices.cost(Usage("llm", "a/free", input_tokens=5), "USD") == 0


def test_a_whole_name_goes_before_a_beginning_and_a_long_one_before_a_short_one() -> None:
    prices = table(price("a/*"), price("a/b*"), price("a/bc"), price("a/bcd*"))
    found = {name: prices.find("llm", name) for name in ("a/x", "a/bx", "a/bc", "a/bcde", "b/bc")}
    assert {name: one.model if one else None for name, one in found.items()} == {
        "a/x": "a/*",
        "a/bx": "a/b*",
        "a/bc": "a/bc",
        "a/bcde": "a/bcd*",
        "b/bc": None,
    }


def test_a_cost_is_told_in_the_currency_that_is_asked_for() -> None:
    prices = table(price("a/b", "EUR", input_token="0.04"))
    used = Usage("llm", "a/b", input_tokens=100)
    assert prices.cost(used, "EUR") == 4
    assert prices.cost(used, "USD") == 5
    assert prices.cost(used, "JPY") == 750
    with pytest.raises(UnknownCurrencyError, match=r"CHF: no exchange rate; there are EUR, JPY, USD"):
        prices.cost(used, "CHF")


def test_a_price_in_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(UnknownCurrencyError, match="SEK"):
        table(price("a/b", "SEK"))


def test_usages_of_two_models_have_no_sum() -> None:
    with pytest.raises(ValueError, match="no sum"):
        Usage("llm", "a/b") + Usage("llm", "a/c")


def test_a_sum_is_estimated_when_a_part_of_it_is() -> None:
    assert (Usage("llm", "a", estimated=True) + Usage("llm", "a")).estimated
    assert not (Usage("llm", "a") + Usage("llm", "a")).estimated


@given(st.lists(usages(), min_size=1, max_size=6))
def test_the_cost_of_a_sum_is_the_sum_of_the_costs(parts: list[Usage]) -> None:
    whole = sum(parts[1:], parts[0])
    costs = [table(EVERY_UNIT).cost(part, "USD") or Decimal(0) for part in parts]
    assert kept(table(EVERY_UNIT).cost(whole, "USD") or Decimal(0)) == kept(sum(costs, Decimal(0)))


@given(usages(), usages())
def test_more_use_never_costs_less(one: Usage, more: Usage) -> None:
    cost, higher = (table(EVERY_UNIT).cost(used, "USD") for used in (one, one + more))
    assert cost is not None
    assert higher is not None
    assert 0 <= cost <= higher


@given(usages(), usages())
def test_what_has_come_since_is_the_difference(earlier: Usage, since: Usage) -> None:
    assert (earlier + since) - earlier == since


@given(st.decimals(0, 10**6, places=6), st.sampled_from(sorted(RATES)), st.sampled_from(sorted(RATES)))
def test_money_changed_and_changed_back_is_the_same(amount: Decimal, one: str, other: str) -> None:
    prices = table()
    assert kept(prices.convert(prices.convert(amount, one, other), other, one)) == kept(amount)
