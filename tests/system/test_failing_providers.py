"""A call whose providers fail at every other turn: it goes on, and costs what they bill."""

from __future__ import annotations

import time
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from emulated import no_call_is_held, running, words_said, words_understood
from joining import until

from voiceworker.events import ModelsRouted, ModelsSwitched, UsageUpdated
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.caller import Caller
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.invitation import by_session_api
from voiceworker.policy.pricing import Usage
from voiceworker.prices import load_prices
from voiceworker.records import open_records

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

AGENT = {
    "name": "desk",
    "instructions": "Answer.",
    "greeting": "Hello, who is there?",
    "models": {
        "stt": ["deepgram/nova-3", "deepgram/nova-3-general"],
        "llm": ["openai/gpt-4.1-nano", "openai/gpt-4.1"],
        "tts": ["deepgram/aura-2-andromeda-en", "deepgram/aura-2-thalia-en"],
    },
    "routes": [
        {"name": "paying", "when": {"plan": "paid"}, "llm": ["openai/gpt-4.1-mini", "openai-responses/gpt-4.1-mini"]}
    ],
}
FAULTS = (
    Fault("stt", "reset", nth=1, after_seconds=12),
    Fault("stt", "hang", nth=2, after_seconds=12),
    Fault("llm", "status", nth=2, status=429, retry_after_seconds=2),
    Fault("llm", "hang", nth=4),
    Fault("llm", "reset", nth=7, after_seconds=0.1),
    Fault("tts", "error_midstream", nth=3, after_seconds=0.1),
    Fault("tts", "hang", nth=6),
    Fault("tts", "refuse", nth=9),
)
QUESTIONS = Speeches(seed=5).whole_turns()[:6]


async def test_a_call_goes_on_through_faults_of_every_role_and_costs_what_is_billed(tmp_path: Path) -> None:
    async with ProviderEmulators(faults=FAULTS) as emulators, running(tmp_path, emulators, [AGENT]) as rig:
        async with (
            by_session_api(rig.url, rig.key, "desk", metadata={"plan": "paid"}) as invitation,
            Caller(invitation) as caller,
        ):
            await caller.wait_for_greeting()
            for question in QUESTIONS:
                emulators.expect(question, time.perf_counter())
                await caller.say(question.path)
                await caller.wait_for_reply()
            events = [envelope.event for envelope in caller.events]
        with closing(open_records(rig.settings.records_url)) as records:
            await until(lambda: no_call_is_held(records))
            written = records.usage.of_session(invitation.session)

    assert [event.rule for event in events if isinstance(event, ModelsRouted)] == ["paying"]
    assert {event.role for event in events if isinstance(event, ModelsSwitched)} == {"stt", "llm", "tts"}
    assert words_understood(rig.settings, invitation.session) == words_said(QUESTIONS)  # no word lost, none twice
    spent = sum((entry.cost for entry in written if entry.cost is not None), Decimal(0))
    assert abs(spent - _billed(emulators)) < Decimal("0.001")
    seconds = sum(entry.usage.audio_seconds for entry in written)
    assert seconds == pytest.approx(
        emulators.bill.total("stt").audio_seconds, abs=2
    )  # what was on its way when it fell
    told = [event for event in events if isinstance(event, UsageUpdated)]
    assert abs(Decimal(told[-1].cost) - spent) < Decimal("0.001")


def _billed(emulators: ProviderEmulators) -> Decimal:
    """By the prices of one model of each role: those that stand in for it cost the same."""
    heard, thought, spoken = (emulators.bill.total(role) for role in ("stt", "llm", "tts"))
    usages = (
        Usage("stt", "deepgram/nova-3", audio_seconds=heard.audio_seconds),
        Usage(
            "llm",
            "openai/gpt-4.1-mini",
            input_tokens=thought.prompt_tokens,
            output_tokens=thought.completion_tokens,
        ),
        Usage("tts", "deepgram/aura-2-andromeda-en", characters=spoken.characters),
    )
    prices = load_prices()
    return sum((prices.cost(usage, "USD") or Decimal(0) for usage in usages), Decimal(0))
