import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from livekit import api

from voiceworker.config import Settings
from voiceworker.events import AgentInterrupted
from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.caller import Caller, NoAnswerError
from voiceworker.lab.dialogue import Line, converse, read_line, say_lines
from voiceworker.lab.invitation import CallSetupError, Invitation, by_livekit

AUDIO = Path(__file__).parent.parent / "audio"

MakeAgent = Callable[..., Any]
"makes a ToneAgent of conftest.py, by `tone_seconds` and `mute`"

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_turns_are_taken_measured_and_written_down(
    tone_agent: MakeAgent, invitation: Invitation, tmp_path: Path
) -> None:
    recording = tmp_path / "call.wav"
    async with tone_agent(), Caller(invitation, recording=recording) as caller:
        await say_lines(caller, [read_line(str(AUDIO / "hours.wav")), read_line(str(AUDIO / "goodbye.wav"))])
        turns = caller.conversation.turns()
        joined_at = caller.joined_at
        first = caller.conversation.utterances[0]
        onset = caller.heard.onset_after(first.ended_at or 0)
    assert caller.conversation.greeting == "Hello."
    assert [turn.caller for turn in turns] == ["what is your price"] * 2
    assert [turn.agent for turn in turns] == ["Answer 1.", "Answer 2."]
    assert not any(turn.interrupted for turn in turns)
    # half a second of the agent's silence, two ways through the SFU, its threshold of loudness in fading speech
    assert all(turn.first_audio_ms is not None and 450 < turn.first_audio_ms < 1000 for turn in turns)

    recorded, _ = soundfile.read(recording, dtype="int16")
    left, right = (np.abs(recorded[:, side].astype(int)) for side in (0, 1))
    begin = int((first.started_at - joined_at) * SAMPLE_RATE)
    end = int(((first.ended_at or 0) - joined_at) * SAMPLE_RATE)
    assert left[begin:end].max() > 3000
    assert left[end + 500 : end + 5000].max() < 100
    assert onset is not None
    answer = int((onset - joined_at) * SAMPLE_RATE)
    assert right[end : answer - 2400].max() < 800
    assert right[answer : answer + 12000].max() > 3000


async def test_a_line_at_its_second_interrupts_the_agent(tone_agent: MakeAgent, invitation: Invitation) -> None:
    async with tone_agent(tone_seconds=6), Caller(invitation) as caller:
        await say_lines(caller, [Line(read_speech(AUDIO / "stop.wav"), at_second=2.0)])
        turns = caller.conversation.turns()
    assert [turn.agent for turn in turns] == ["Answer 1."]
    greeting = caller.agent_transcripts[0]
    assert (greeting.text, greeting.interrupted) == ("Hello", True)
    assert isinstance(caller.events[0].event, AgentInterrupted)
    assert caller.conversation.utterances[0].started_at - caller.joined_at == pytest.approx(2.0, abs=0.1)


async def test_a_typed_line_is_a_turn_too(tone_agent: MakeAgent, invitation: Invitation) -> None:
    async with tone_agent() as agent, Caller(invitation) as caller:
        await caller.wait_for_greeting()
        await caller.type_text("what is the price")
        turn = await caller.wait_for_reply()
    assert agent.typed == ["what is the price"]
    assert (turn.caller, turn.agent) == ("what is the price", "You have typed.")
    assert turn.first_audio_ms is not None


async def test_a_persona_talks_until_it_hangs_up(tone_agent: MakeAgent, invitation: Invitation) -> None:
    class Curious:
        heard: list[str]

        def __init__(self) -> None:
            self.heard = []

        def reply(self, agent_text: str) -> str | None:
            self.heard.append(agent_text)
            return "hours" if len(self.heard) < 3 else None

    async def audio_for_line(line: str) -> Samples:
        return read_speech(AUDIO / f"{line}.wav")

    persona = Curious()
    async with tone_agent(), Caller(invitation) as caller:
        turns = await converse(caller, persona, audio_for_line)
    assert persona.heard == ["Hello.", "Answer 1.", "Answer 2."]
    assert len(turns) == 2


async def test_no_agent_and_no_answer_are_said(tone_agent: MakeAgent, invitation: Invitation) -> None:
    async with Caller(invitation) as caller:
        with pytest.raises(NoAnswerError, match="no agent joined within 1 s"):
            await caller.wait_for_greeting(1)
        async with tone_agent(mute=True) as agent:
            await caller.say(AUDIO / "goodbye.wav")
            with pytest.raises(NoAnswerError, match="did not answer within 1 s"):
                await caller.wait_for_reply(1)
            await agent.leave()
            assert await caller.until(lambda: caller.agent_left, within_seconds=5)
            with pytest.raises(NoAnswerError, match="the agent has left"):
                await caller.wait_for_reply(1)


async def test_a_room_that_cannot_be_joined_is_a_set_up_error(sfu: Settings) -> None:
    with pytest.raises(CallSetupError, match="cannot join the room at ws://127"):
        async with Caller(Invitation(sfu.livekit_url, "no token", "room")):
            pass


async def test_leaving_leaves_no_task_behind(tone_agent: MakeAgent, invitation: Invitation) -> None:
    async with tone_agent(), Caller(invitation) as caller:
        await caller.wait_for_greeting()
    own = [task.get_name() for task in asyncio.all_tasks() if "caller" in task.get_name() or "agent" in task.get_name()]
    assert own == []


async def test_on_a_livekit_of_ones_own_a_room_is_made_and_the_agent_asked_for(sfu: Settings) -> None:
    async with by_livekit(sfu, sfu.livekit_url, "frontdesk") as invitation:
        async with api.LiveKitAPI(sfu.livekit_url, sfu.livekit_api_key, sfu.livekit_api_secret) as server:
            dispatches = await server.agent_dispatch.list_dispatch(invitation.session)
        async with Caller(invitation) as caller:
            with pytest.raises(NoAnswerError, match="no agent joined"):
                await caller.wait_for_greeting(0.2)
    assert "voiceworker" in [item.agent_name for item in dispatches]


async def test_a_wrong_key_pair_is_a_set_up_error(sfu: Settings) -> None:
    wrong = sfu.model_copy(update={"livekit_api_secret": "wrong" * 8})
    with pytest.raises(CallSetupError, match="check LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        async with by_livekit(wrong, sfu.livekit_url, "frontdesk"):
            pass
