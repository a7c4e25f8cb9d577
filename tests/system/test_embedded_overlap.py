"""The caller speaks while the agent does, and everything hears and speaks by itself: the demo without any key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from rig import RunningStack

from voiceworker.config import ROOT
from voiceworker.events import AgentInterrupted
from voiceworker.lab.caller import Caller
from voiceworker.lab.invitation import by_session_api
from voiceworker.lab.material import load_material

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MATERIAL = load_material(ROOT / "tests" / "audio" / "turns")
GREETING: str = yaml.safe_load((ROOT / "agents" / "frontdesk.yaml").read_text(encoding="utf-8"))["greeting"]
INTO_THE_GREETING_SECONDS = 0.8
SILENT_WITHIN_SECONDS = 2.0
"it is 0.7 as a rule: the word itself, a moment to be sure of it, and the way; more on a busy machine"


def recording(name: str) -> Path:
    return MATERIAL.named(name).path


def told(caller: Caller) -> list[str]:
    return [envelope.event.type for envelope in caller.events]


def interruption(caller: Caller) -> AgentInterrupted | None:
    return next((one.event for one in caller.events if isinstance(one.event, AgentInterrupted)), None)


@asynccontextmanager
async def greeted(stack: RunningStack) -> AsyncIterator[Caller]:
    """A caller to whom the agent has begun to speak."""
    async with (
        by_session_api(stack.api_url, stack.api_key, "frontdesk") as invitation,
        Caller(invitation) as caller,
    ):
        assert await caller.until(lambda: caller.heard.stretches, within_seconds=30)
        began = caller.heard.stretches[0].started_at
        await caller.until_second(began + INTO_THE_GREETING_SECONDS - caller.joined_at)
        yield caller


@pytest.mark.parametrize("name", ["backchannel-awb-mm-hmm", "backchannel-kal16-yeah", "noise-laugh-2"])
async def test_a_listener_and_a_laugh_leave_the_greeting_whole(stack: RunningStack, name: str) -> None:
    async with greeted(stack) as caller:
        said = await caller.say(recording(name))
        await caller.until(lambda: caller.is_agent_finished, within_seconds=20)
        assert caller.conversation.greeting.split() == GREETING.split()
        assert "agent.interrupted" not in told(caller)
        assert told(caller).count("agent.ducked") == told(caller).count("agent.restored") >= 1
        assert caller.heard.heard_after(said.started_at + 2.0)


@pytest.mark.parametrize("name", ["interruption-slt-stop", "interruption-rms-wait"])
async def test_a_stop_stops_the_greeting(stack: RunningStack, name: str) -> None:
    async with greeted(stack) as caller:
        said = await caller.say(recording(name))
        assert await caller.until(lambda: interruption(caller) is not None, within_seconds=5)
        last_heard = caller.heard.last_loud_at
        assert last_heard is not None
        print(f"{name}: silence {last_heard - said.started_at:.2f} s after its begin")
        assert last_heard - said.started_at < SILENT_WITHIN_SECONDS
        event = interruption(caller)
        assert event is not None
        assert event.heard_text.split() == GREETING.split()[: len(event.heard_text.split())]
        assert event.unheard_text
