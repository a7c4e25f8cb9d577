"""Every model of a role is out of order: the caller is told so, and then that he will be rung."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from emulated import call_to, running

from voiceworker.events import HandoffRequested, SessionEnded
from voiceworker.lab.bench.speeches import Speeches
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.emulators.bill import Role
from voiceworker.records import open_records

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

NUMBER = "+44 20 7946 0018"
GREETING = "Hello, who is there?"
AGENT: dict[str, Any] = {
    "name": "desk",
    "instructions": "Answer.",
    "greeting": GREETING,
    "models": {"stt": ["deepgram/nova-3"], "llm": ["openai/gpt-4.1-mini"], "tts": ["openai/gpt-4o-mini-tts"]},
    "phrases": {
        "stumbled": "Say it again.",
        "unheard": "Pardon?",
        "out_of_order": "We have a fault.",
        "call_back": "We will ring you.",
    },
    "outage": {"callback": True},
}
QUESTIONS = Speeches(seed=8).whole_turns()


@pytest.mark.parametrize(
    ("role", "excuses"), [("stt", ["Pardon?"] * 2), ("llm", ["Say it again."]), ("tts", ["Say it again."])]
)
async def test_a_call_without_models_ends_with_a_promise_that_is_written_down(
    role: Role, excuses: list[str], tmp_path: Path
) -> None:
    async with ProviderEmulators() as emulators, running(tmp_path, emulators, [AGENT]) as rig:
        async with call_to(rig, emulators, "desk", tmp_path, metadata={"phone": NUMBER}) as call:
            emulators.fail_by(Fault(role, "status", probability=1.0))
            if role == "stt":  # its connection is open since the beginning
                emulators.strike(Fault(role, "reset", probability=1.0))
            for question in QUESTIONS[: len(excuses) + 1]:  # the goodbye, too, is an answer, and the last
                await call.ask(question)
        with closing(open_records(rig.settings.records_url)) as records:
            waiting = records.callbacks.open()

    assert [event.reason for event in call.events if isinstance(event, SessionEnded)] == ["models_down"]
    assert call.agent_said == [GREETING, *excuses, "We have a fault. We will ring you."]
    assert [event.kind for event in call.events if isinstance(event, HandoffRequested)] == ["callback"]
    assert [(one.session, one.agent, one.number) for one in waiting] == [(call.session, "desk", NUMBER)]
