"""What we count is what the emulators bill."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc
from livekit.agents import ChatContext, metrics
from livekit.agents.metrics.base import Metadata

from voiceworker.policy.pricing import UnknownCurrencyError, Usage
from voiceworker.prices import load_prices
from voiceworker.runtime.metering import Meter, realtime_usage

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.runtime.metering.conftest import Line

    MakeLine = Callable[[str], Line]

STT, LLM, AURA, TTS = "deepgram/nova-3", "openai/gpt-4.1-mini", "deepgram/aura-2-thalia-en", "openai/tts-1"
CENT = Decimal("0.01")
PRICES = load_prices()


async def test_a_whole_conversation_is_counted_to_the_unit(line: Line) -> None:
    async with line.ear.stream(conn_options=line.options) as stream:
        line.push(stream, 1.24)
        stream.end_input()  # the plugin's own end of a stream takes it five seconds
        await line.until(lambda: line.bill(STT).audio_seconds > 1.23)
    answer = await line.think("hello")
    await line.say(line.aura, answer)
    await line.say(line.tts, "Good morning.")
    thought = line.bill(LLM)
    assert line.used(STT).audio_seconds == pytest.approx(line.bill(STT).audio_seconds)
    expected = Usage("llm", LLM, input_tokens=thought.prompt_tokens, output_tokens=thought.completion_tokens)
    assert line.used(LLM) == expected
    assert line.used(AURA).characters == line.bill(AURA).characters > len(answer)
    assert line.used(TTS).characters == line.bill(TTS).characters == len("Good morning.")
    cost = (
        Decimal(repr(line.used(STT).audio_seconds)) / 60 * Decimal("0.0077")
        + thought.prompt_tokens * Decimal("0.0000004")
        + thought.completion_tokens * Decimal("0.0000016")
        + line.used(AURA).characters * Decimal("0.00003")
        + len("Good morning.") * Decimal("0.000015")
    )
    assert line.cost == cost
    assert abs(line.billed() - cost) < Decimal("0.000000001")
    assert line.meter.totals().unpriced == ()


async def hold(line: Line, draw: random.Random) -> None:
    """A short conversation: three turns, each with a request that is given up, at any point, and one that is not."""
    texts: list[str] = []
    async with line.ear.stream(conn_options=line.options) as stream:
        for _ in range(3):
            line.push(stream, draw.uniform(0.5, 3))
            texts.append(" ".join(draw.choices(("I", "would", "like", "an", "appointment", "tomorrow"), k=12)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(draw.choice((0, draw.uniform(0, 0.05)))):
                    await line.think(*texts)
            line.meter.begin_turn()
            texts.append(await line.think(*texts))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(draw.choice((5, draw.uniform(0, 0.05)))):
                    for sentence in texts[-1].split(". "):
                        await line.say(draw.choice((line.aura, line.tts)), sentence)
        stream.end_input()
        await asyncio.sleep(draw.uniform(0, 0.02))


async def hold_many(make_line: MakeLine, count: int) -> list[Decimal]:
    """What each of so many conversations costs more by our count than by the bill."""
    lines = [make_line(f"key-{number}") for number in range(count)]
    for begin in range(0, count, 10):
        async with asyncio.TaskGroup() as calls:
            for number in range(begin, min(begin + 10, count)):
                calls.create_task(hold(lines[number], random.Random(number)))
    await asyncio.gather(*(line.aclose() for line in lines))
    assert min(line.billed() for line in lines) > Decimal("0.001")
    return [line.cost - line.billed() for line in lines]


async def test_interrupted_conversations_cost_what_the_providers_bill(make_line: MakeLine) -> None:
    differences = await hold_many(make_line, 5)
    assert all(abs(difference) < CENT for difference in differences)
    assert abs(sum(differences, Decimal(0))) < CENT


@pytest.mark.slow
async def test_a_hundred_interrupted_conversations_cost_what_the_providers_bill_to_the_cent(
    make_line: MakeLine,
) -> None:
    differences = await hold_many(make_line, 100)
    assert all(abs(difference) < CENT for difference in differences)
    assert abs(sum(differences, Decimal(0))) < CENT


async def test_a_stream_that_outlasts_a_turn_is_divided_between_turns(line: Line) -> None:
    async with line.ear.stream(conn_options=line.options) as stream:
        line.push(stream, 0.5)
        await line.until(lambda: line.used(STT).audio_seconds > 0.49)
        line.meter.begin_turn()
        line.push(stream, 1.5)
        await line.until(lambda: line.used(STT).audio_seconds > 1.99)
        before = [(one.turn, round(one.usage.audio_seconds, 3)) for one in line.meter.turns()]
    assert before == [(0, 0.5), (1, 1.5)]
    assert line.used(STT).audio_seconds == pytest.approx(2)


async def test_what_was_entered_whole_is_not_taken_back(line: Line) -> None:
    async with line.ear.stream(conn_options=line.options) as stream:
        line.push(stream, 0.5)
        await line.until(lambda: line.used(STT).audio_seconds > 0.49)
        assert line.meter.take() == []
        [whole] = line.meter.take(whole=True)
        assert whole.usage.audio_seconds == pytest.approx(0.5)
        assert line.meter.take() == []
    assert line.meter.take() == []


async def test_an_answer_is_of_the_turn_in_which_it_was_asked_for(line: Line) -> None:
    line.meter.begin_turn()
    stream = line.mind.chat(chat_ctx=_one_question(), conn_options=line.options)
    line.meter.begin_turn()
    async with stream:
        await stream.collect()
    assert [one.turn for one in line.meter.turns()] == [1]


def _one_question() -> ChatContext:
    chat = ChatContext.empty()
    chat.add_message(role="user", content="hello")
    return chat


# --- without engines ---


def test_what_has_no_price_is_counted_and_named() -> None:
    meter = Meter(PRICES, "USD")
    meter.add(Usage("llm", "openai/gpt-9", input_tokens=100))
    meter.add(Usage("llm", "openai/gpt-4.1-mini", input_tokens=1000))
    totals = meter.totals()
    assert (totals.tokens, totals.cost, totals.unpriced) == (1100, Decimal("0.0004"), ("openai/gpt-9",))
    assert [one.cost for one in meter.turns()] == [Decimal("0.0004"), None]


def test_a_meter_in_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(UnknownCurrencyError):
        Meter(PRICES, "XXX")


def test_a_meter_counts_in_its_own_currency() -> None:
    meter = Meter(PRICES, "EUR")
    meter.add(Usage("llm", "openai/gpt-4.1-mini", input_tokens=10**6))
    assert meter.totals().cost == Decimal("0.4") * PRICES.rates["EUR"]


def test_who_listens_is_told_of_everything_that_is_counted() -> None:
    meter, told = Meter(PRICES, "USD"), []
    meter.listen(lambda: told.append(meter.totals().tokens))
    meter.add(Usage("llm", "a", input_tokens=1))
    meter.add(Usage("llm", "a"))
    meter.add(Usage("llm", "a", output_tokens=2))
    assert told == [1, 3]


models = st.sampled_from(["openai/gpt-4.1-mini", "openai/gpt-9", "deepgram/nova-3"])


@given(st.lists(st.tuples(models, st.integers(1, 10**6), st.sampled_from(["add", "turn", "take"])), max_size=30))
def test_what_is_taken_for_the_records_adds_up_to_the_whole(steps: list[tuple[str, int, str]]) -> None:
    meter, taken, used = Meter(PRICES, "USD"), [], dict[tuple[int, str], int]()
    for model, amount, step in steps:
        meter.add(Usage("llm", model, input_tokens=amount))
        used[meter.turn, model] = used.get((meter.turn, model), 0) + amount
        if step == "turn":
            meter.begin_turn()
        elif step == "take":
            taken += meter.take()
    taken += meter.take(whole=True)
    assert meter.take(whole=True) == []
    entered: dict[tuple[int, str], int] = {}
    for part in taken:
        key = part.turn, part.usage.model
        entered[key] = entered.get(key, 0) + part.usage.input_tokens
    assert entered == used
    totals = meter.totals()
    assert sum((part.cost for part in taken if part.cost is not None), Decimal(0)) == totals.cost
    assert (totals.tokens, set(totals.unpriced)) == (
        sum(used.values()),
        {part.usage.model for part in taken if part.cost is None},
    )


def test_a_long_call_keeps_no_turns_that_are_in_the_records() -> None:
    meter = Meter(PRICES, "USD")
    for _ in range(1000):
        meter.add(Usage("llm", "openai/gpt-4.1-mini", input_tokens=1000))
        meter.begin_turn()
        meter.take()
    assert len(meter.turns()) <= 1
    assert meter.totals().cost == Decimal("0.4")


# --- speech to speech ---


def answer_of_realtime(**changes: object) -> metrics.RealtimeModelMetrics:
    kinds = metrics.RealtimeModelMetrics
    told = {
        "request_id": "resp_1",
        "timestamp": 0.0,
        "cancelled": True,
        "input_token_details": kinds.InputTokenDetails(
            audio_tokens=300,
            text_tokens=100,
            cached_tokens=250,
            cached_tokens_details=kinds.CachedTokenDetails(audio_tokens=200, text_tokens=50),
        ),
        "output_token_details": kinds.OutputTokenDetails(text_tokens=20, audio_tokens=80),
    }
    return kinds.model_validate(told | changes)


def test_a_speech_to_speech_answer_costs_what_its_tokens_cost_cut_off_or_not() -> None:
    meter = Meter(PRICES, "USD")
    session: rtc.EventEmitter[str] = rtc.EventEmitter()
    meter.realtime("openai/gpt-realtime", session)
    session.emit("metrics_collected", answer_of_realtime())
    session.emit("metrics_collected", "something else")
    assert meter.totals().cost == (
        50 * Decimal("0.000004")
        + 50 * Decimal("0.0000004")
        + 20 * Decimal("0.000016")
        + 100 * Decimal("0.000032")
        + 200 * Decimal("0.0000004")
        + 80 * Decimal("0.000064")
    )


def test_a_provider_that_tells_nothing_of_its_cache_is_taken_to_have_none() -> None:
    kinds = metrics.RealtimeModelMetrics
    told = answer_of_realtime(input_token_details=kinds.InputTokenDetails(audio_tokens=300, text_tokens=100))
    usage = realtime_usage("openai/gpt-realtime", told)
    assert (usage.cached_input_tokens, usage.cached_audio_input_tokens) == (0, 0)


def test_the_transcripts_beside_it_are_counted_under_their_own_model() -> None:
    meter = Meter(PRICES, "USD")
    session: rtc.EventEmitter[str] = rtc.EventEmitter()
    meter.realtime("openai/gpt-realtime", session)
    figures = metrics.STTMetrics(
        label="", request_id="item_1", timestamp=0, duration=0, audio_duration=0, input_audio_tokens=600, streamed=True
    )
    figures.metadata = Metadata(model_name="gpt-4o-mini-transcribe", model_provider="openai")
    session.emit("metrics_collected", figures)
    assert [(one.usage.model, one.cost) for one in meter.turns()] == [
        ("openai/gpt-4o-mini-transcribe", Decimal("0.003"))
    ]
