"""Speech to speech through the real SFU: the stock plugin on the emulator; our own turns, cuts and fallback."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from joining import until
from livekit.agents import llm
from speech_to_speech import Call, running_sfu, speech_call

from voiceworker.config import ROOT, Settings
from voiceworker.events import AgentTranscript, UserTranscript
from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.bench.heard import heard_text
from voiceworker.lab.emulators import Conversation, Fault, ProviderEmulators, Reply, ToolCall
from voiceworker.lab.emulators.tones import words_of
from voiceworker.lab.material import load_material
from voiceworker.lab.speech import Speech

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MATERIAL = load_material(ROOT / "tests" / "audio" / "turns")
GREETING = "Amber anchor apple."
REPLY = "Basket beacon berry blossom bridge button candle canyon."
LONG = "Castle cedar circle clover, copper coral cotton cradle crystal desert dolphin dragon ember feather."


def speech(kind: str, text: str) -> Speech:
    return next(one for one in MATERIAL.speeches if one.kind == kind and one.text == text)


QUESTION = speech("turn", "what are your opening hours")
REPEAT = speech("turn", "can you repeat that please")
MM_HMM = speech("backchannel", "mm-hmm")
STOP = speech("interruption", "stop")


def obedient(conversation: Conversation) -> Reply | str:
    """Says what it is told to say, calls the tool when it is asked for the hours, else a long reply."""
    told = str(conversation.messages[0]["content"]) if conversation.messages else ""
    if "Say exactly this" in told:
        return told.rsplit(': "', 1)[1].rstrip('"')
    if conversation.is_after_tool:
        return REPLY
    if conversation.user_texts[-1:] == (QUESTION.text,) and "look_up" in conversation.tool_names:
        return Reply(tool_calls=(ToolCall("look_up", {"what": "hours"}),))
    return LONG


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sfu() -> AsyncIterator[Settings]:
    async with running_sfu() as settings:
        yield settings


@pytest_asyncio.fixture(loop_scope="session")
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(speech_speed=4, replies=obedient) as emulators:
        yield emulators


def heard(call: Call, since: float, until_moment: float | None = None) -> list[str]:
    """A word in two pieces is one: a network may have stretched it, and no text here says a word twice."""
    words = heard_text(call.ear.between(since, until_moment or call.ear.listened_until)).words
    return [word for word, _ in itertools.groupby(words)]


async def test_a_conversation_with_a_greeting_a_tool_and_both_transcripts(
    sfu: Settings, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    looked_up: list[str] = []

    @llm.function_tool
    async def look_up(what: str) -> str:
        """Looks something up."""
        looked_up.append(what)
        return "nine to six"

    async with speech_call(sfu, emulators, tmp_path, tools=lambda: [look_up]) as call:
        call.speech.say(GREETING)
        await until(lambda: call.ear.onset_after(0) is not None)
        await call.quiet()
        assert heard(call, 0) == words_of(GREETING)
        said = await call.say(QUESTION)
        began = await call.reply_to(said)
        await call.quiet()
        assert heard(call, began - 0.1) == words_of(REPLY)
        assert looked_up == ["hours"]
        assert call.texts(UserTranscript) == [QUESTION.text]
        assert call.texts(AgentTranscript) == [GREETING, REPLY]
        assert [item.type for item in call.agent.chat_ctx.items if item.type != "agent_config_update"][-4:] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]
    assert call.losses == []
    assert emulators.unheard == []


async def test_a_listener_is_not_an_interruption_and_a_stop_is_one(
    sfu: Settings, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    async with speech_call(sfu, emulators, tmp_path) as call:
        said = await call.say(REPEAT)
        began = await call.reply_to(said)
        await asyncio.sleep(0.5)
        await call.say(MM_HMM)
        await call.quiet()
        assert heard(call, began - 0.1) == words_of(LONG)
        assert call.interruptions == []

        said = await call.say(REPEAT)
        began = await call.reply_to(said)
        await asyncio.sleep(1.2)
        await call.say(STOP)
        await until(lambda: bool(call.interruptions))
        (cut,) = call.interruptions
        known = words_of(LONG)
        words = words_of(cut.heard_text)
        assert 3 <= len(words) < len(known)
        assert words == known[: len(words)]
        session = emulators.realtime.sessions[-1]
        await until(lambda: session.count("conversation.item.truncate") == 1)
        remembered = [item.text for item in session.items if item.role == "assistant"][1]
        assert abs(len(words_of(remembered)) - len(words)) <= 2
    assert call.losses == []


async def test_the_pipeline_goes_on_when_the_model_is_down(
    sfu: Settings, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    async with speech_call(sfu, emulators, tmp_path) as call:
        said = await call.say(REPEAT)
        await call.reply_to(said)
        await call.quiet()
        emulators.realtime.is_down = True
        emulators.realtime.break_all()
        await until(lambda: bool(call.losses))
        said = await call.say(QUESTION)
        began = await call.reply_to(said)
        assert said.ended_at is not None
        assert began - said.ended_at < 5
        await call.quiet()
        assert heard(call, began - 0.1) == words_of(LONG)
        messages = [(one["role"], one["content"]) for one in emulators.chats()[-1].messages if one["role"] != "system"]
        assert messages[0] == ("user", REPEAT.text)
        assert messages[1] == ("assistant", LONG)
        assert messages[-1] == ("user", QUESTION.text)


async def test_a_call_begins_with_the_pipeline_when_the_model_is_down_already(
    sfu: Settings, emulators: ProviderEmulators, tmp_path: Path
) -> None:
    emulators.realtime.is_down = True
    async with speech_call(sfu, emulators, tmp_path) as call:
        call.speech.say(GREETING)
        await until(lambda: call.ear.onset_after(0) is not None)
        await call.quiet()
        assert heard(call, 0) == words_of(GREETING)
        said = await call.say(REPEAT)
        began = await call.reply_to(said)
        await call.quiet()
        assert heard(call, began - 0.1) == words_of(LONG)
        assert call.texts(UserTranscript) == [REPEAT.text]


async def test_a_reply_that_breaks_off_goes_on(sfu: Settings, tmp_path: Path) -> None:
    """The connection breaks in the midst of it, and the provider is there again."""

    def going_on(conversation: Conversation) -> Reply | str:
        told = str(conversation.messages[0]["content"])
        return REPLY if "Go on from there" in told else LONG

    async with (
        ProviderEmulators(speech_speed=1.2, replies=going_on) as emulators,
        speech_call(sfu, emulators, tmp_path) as call,
    ):
        said = await call.say(REPEAT)
        began = await call.reply_to(said)
        await asyncio.sleep(0.8)
        emulators.realtime.break_all()
        await until(lambda: len(call.texts(AgentTranscript)) == 2)
        await call.quiet()
        words, rest = heard(call, began - 0.1), words_of(REPLY)
        assert words[-len(rest) :] == rest
        assert words[: -len(rest)] == words_of(LONG)[: len(words) - len(rest)]
        assert 2 <= len(words) - len(rest) < len(words_of(LONG))
        assert call.losses == []


@pytest.mark.parametrize("kind", ["hang", "error_midstream"])
async def test_the_pipeline_answers_what_the_model_leaves_unanswered(sfu: Settings, tmp_path: Path, kind: Any) -> None:
    fault = Fault("realtime", kind, nth=1, after_seconds=3.6)
    async with (
        ProviderEmulators(speech_speed=4, replies=obedient, faults=[fault]) as emulators,
        speech_call(sfu, emulators, tmp_path, patience_seconds=1.5) as call,
    ):
        emulators.realtime.is_down = False
        await until(lambda: len(emulators.realtime.sessions) == 1)
        emulators.realtime.is_down = True
        said = await call.say(REPEAT)
        began = await call.reply_to(said)
        await call.quiet(2.5)
        assert heard(call, began - 0.1)[-len(words_of(LONG)) :] == words_of(LONG)
        assert len(call.losses) == 1
        assert REPEAT.text in [one["content"] for one in emulators.chats()[-1].messages]


async def renewed_calls(sfu: Settings, directory: Path, renewals: int, cap_seconds: float) -> None:
    """A caller states facts between renewals; at the end the last connection knows them all, each once."""
    turns = [one for one in MATERIAL.of_kind("turn") if 1.0 < one.seconds < 3.0 and one.longest_pause_seconds < 0.2]
    async with (
        ProviderEmulators(speech_speed=4, replies=lambda conversation: LONG) as emulators,
        speech_call(sfu, emulators, directory, cap_seconds=cap_seconds) as call,
    ):
        emulators.realtime.session_seconds = cap_seconds
        stated: list[str] = []
        gaps: list[float] = []
        while call.speech.line.live is not None and call.speech.line.live.renewals < renewals:
            speech = turns[len(stated) % len(turns)]
            said = await call.say(speech)
            began = await call.reply_to(said)
            await call.quiet()
            assert heard(call, began - 0.1) == words_of(LONG)
            gaps.append(longest_gap(call, began))
            stated.append(speech.text)
        print("longest silence within each reply, ms:", [round(1000 * gap) for gap in sorted(gaps)])
        last = emulators.realtime.sessions[-1]
        assert [item.text for item in last.items if item.role == "user"] == stated
        assert [item.text for item in last.items if item.role == "assistant"] == [LONG] * len(stated)
        assert not any(session.expired for session in emulators.realtime.sessions)
        assert call.losses == []
        assert emulators.unheard == []


def longest_gap(call: Call, began: float) -> float:
    """Within what the agent said from `began` on, seconds without sound."""
    samples = np.abs(call.ear.between(began, call.ear.listened_until).astype(np.int32))
    loud = np.flatnonzero(samples > 300)
    return float(np.diff(loud).max()) / SAMPLE_RATE


async def test_renewals_are_not_heard_and_nothing_is_forgotten(sfu: Settings, tmp_path: Path) -> None:
    await renewed_calls(sfu, tmp_path, renewals=2, cap_seconds=12)


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_thirty_renewals_with_a_cap_of_twenty_seconds(sfu: Settings, tmp_path: Path) -> None:
    await renewed_calls(sfu, tmp_path, renewals=30, cap_seconds=20)
