"""What was refused costs nothing; what was answered costs, however it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from livekit.agents import APIConnectOptions, APIError, ChatContext

from voiceworker.lab.emulators import Fault, ProviderEmulators, Sentences

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.runtime.metering.conftest import Line

STT, LLM, AURA, TTS = "deepgram/nova-3", "openai/gpt-4.1-mini", "deepgram/aura-2-thalia-en", "openai/tts-1"
AGAIN = APIConnectOptions(max_retry=2, retry_interval=0.01, timeout=1)
REPLY = Sentences().text(1)


def first(role: str, kind: str, **options: float) -> Sequence[Fault]:
    """Only the first request meets it."""
    return (Fault(role, kind, nth=1, **options),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "emulators",
    [
        first("llm", "refuse"),
        first("llm", "status", status=503),
        first("llm", "status", status=429),
        first("llm", "hang"),
        first("llm", "stall", seconds=5),
    ],
    indirect=True,
    ids=["refused", "out of order", "limited", "hangs", "stalls"],
)
async def test_a_question_that_is_asked_again_is_paid_for_as_often_as_it_was_taken(line: Line) -> None:
    line.options = replace(AGAIN, timeout=0.3)
    assert await line.think("hello") == REPLY
    told = line.bill(LLM)
    used = line.used(LLM)
    assert used.output_tokens == told.completion_tokens == 24
    assert used.input_tokens == pytest.approx(told.prompt_tokens, rel=0.25 if used.estimated else 0)


@pytest.mark.parametrize("emulators", [first("llm", "reset", after_seconds=0.02)], indirect=True)
async def test_an_answer_that_is_broken_off_is_paid_for_as_far_as_it_came(line: Line) -> None:
    with contextlib.suppress(APIError):
        await line.think("hello")
    await line.think("hello")
    told, used = line.bill(LLM), line.used(LLM)
    assert used.estimated
    assert told.completion_tokens > 24
    assert used.output_tokens == pytest.approx(told.completion_tokens, abs=12)
    assert used.input_tokens == pytest.approx(told.prompt_tokens, rel=0.25)
    assert abs(line.cost - line.billed()) < Decimal("0.0001")


@pytest.mark.parametrize(
    "emulators", [first("tts", "refuse"), first("tts", "status", status=503)], indirect=True, ids=["refused", "down"]
)
@pytest.mark.parametrize("model", [AURA, TTS])
async def test_a_text_that_was_refused_is_paid_for_once(line: Line, model: str) -> None:
    line.options = AGAIN
    await line.say(line.aura if model == AURA else line.tts, REPLY)
    assert line.used(model).characters == line.bill(model).characters >= len(REPLY)
    assert line.used(model).characters < 2 * len(REPLY)


@pytest.mark.parametrize("emulators", [first("tts", "reset", after_seconds=0.05)], indirect=True)
@pytest.mark.parametrize("model", [AURA, TTS])
async def test_a_text_that_was_broken_off_is_paid_for_again(line: Line, model: str) -> None:
    voice = line.aura if model == AURA else line.tts
    with contextlib.suppress(APIError):
        await line.say(voice, REPLY)
    await line.say(voice, REPLY)
    assert line.used(model).characters == line.bill(model).characters >= 2 * len(REPLY)


@pytest.mark.parametrize("emulators", [first("stt", "reset", after_seconds=0.1)], indirect=True)
async def test_audio_is_paid_for_on_each_connection_that_took_it(line: Line) -> None:
    async with line.ear.stream(conn_options=AGAIN) as stream:
        line.push(stream, 1)
        await line.until(lambda: line.bill(STT).requests == 2)
        line.push(stream, 0.5)
        await line.until(lambda: line.used(STT).audio_seconds > 1.49)
        await line.until(lambda: line.bill(STT).audio_seconds > 1.4)
    assert line.used(STT).audio_seconds == pytest.approx(line.bill(STT).audio_seconds, abs=0.06)


@pytest.mark.parametrize("emulators", [first("stt", "status", status=503)], indirect=True)
async def test_audio_that_nobody_took_costs_nothing(line: Line, emulators: ProviderEmulators) -> None:
    with contextlib.suppress(APIError):
        async with line.ear.stream(conn_options=line.options) as stream:
            line.push(stream, 1)
            await anext(stream)
    assert emulators.bill.total("stt").requests == 1
    assert line.used(STT).audio_seconds == line.bill(STT).audio_seconds == 0


async def test_a_question_that_is_taken_back_at_once_costs_nothing(line: Line) -> None:
    chat = ChatContext.empty()
    chat.add_message(role="user", content="hello")
    stream = line.mind.chat(chat_ctx=chat, conn_options=line.options)
    await stream.aclose()
    speech = line.tts.synthesize(REPLY, conn_options=line.options)
    await speech.aclose()
    assert line.cost == line.billed() == 0
