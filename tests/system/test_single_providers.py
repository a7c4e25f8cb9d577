"""One model in each role and nobody who stands by: a fault is owned up to, and the call goes on.

What passes by itself is asked again and the caller notices nothing but the wait; else he is told what he may do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from emulated import Rig, assert_whole, call_to, report, running, words_said, words_understood

from voiceworker.events import SessionEnded
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import Fault, ProviderEmulators, Role, Sentences

pytestmark = [pytest.mark.system, pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

REPLIES = Sentences(14, words_per_sentence=7)
QUESTIONS = [one for one in Speeches(seed=5).whole_turns() if 5 <= len(one.words) <= 9][:6]
ROLES: tuple[Role, ...] = ("llm", "tts")
STUMBLED, UNHEARD = "Please say that again.", "I did not hear that."
AGENT: dict[str, Any] = {
    "name": "alone",
    "instructions": "Answer.",
    "greeting": "Hello, who is there?",
    "models": {"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": ["deepgram/aura-2-thalia-en"]},
    "phrases": {"stumbled": STUMBLED, "unheard": UNHEARD},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(replies=REPLIES) as running_emulators:
        yield running_emulators


@pytest_asyncio.fixture(loop_scope="session")
async def rig(emulators: ProviderEmulators, tmp_path: Path) -> AsyncIterator[Rig]:
    emulators.fail_by()
    async with running(tmp_path, emulators, [AGENT]) as running_rig:
        yield running_rig


async def test_a_broken_connection_of_each_is_made_anew(rig: Rig, emulators: ProviderEmulators, tmp_path: Path) -> None:
    async with call_to(rig, emulators, "alone", tmp_path) as call:
        await call.ask(QUESTIONS[0], amid=Fault("stt", "reset", nth=1))
        emulators.fail_by(Fault("llm", "reset", nth=1))
        await call.ask(QUESTIONS[1])
        emulators.fail_by(Fault("tts", "reset", nth=1))
        await call.ask(QUESTIONS[2])
    report("a connection of each is reset", call, REPLIES)
    assert_whole(rig, call, QUESTIONS[:3], REPLIES)


async def test_a_model_that_is_down_is_owned_up_to_and_the_next_turn_is_answered(
    rig: Rig, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    """The recogniser hears nothing of the first question; the others are in the history, answered or not."""
    questions = iter(QUESTIONS)
    async with call_to(rig, emulators, "alone", tmp_path) as call:
        await call.ask(next(questions), amid=Fault("stt", "hang", nth=1))
        await call.ask(next(questions))
        for role in ROLES:
            emulators.fail_by(Fault(role, "status", probability=1))
            await call.ask(next(questions))
            emulators.fail_by()
            await call.ask(next(questions))
    waits = [f"{answer.silence_seconds:.2f} s" for answer in call.answers if answer.silence_seconds is not None]
    print(f"\neach is down for a turn: silence {', '.join(waits)}")
    assert words_understood(rig.settings, call.session) == words_said(QUESTIONS[1:])
    assert not [event for event in call.events if isinstance(event, SessionEnded)]
    assert call.agent_said[1:5] == [UNHEARD, REPLIES.text(1), STUMBLED, REPLIES.text(3)]
    assert call.agent_said[-1] == REPLIES.text(5)
