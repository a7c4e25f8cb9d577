"""Two voices at once, through the real SFU and the real worker; the providers are emulated and speak in tone words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from voiceworker.config import ROOT
from voiceworker.lab.audio import read_speech
from voiceworker.lab.bench.bargein import BargeIn, interrupt, long_reply
from voiceworker.lab.bench.heard import HeardText, heard_text, is_whole
from voiceworker.lab.bench.rig import Options, Rig, Seat
from voiceworker.lab.emulators.tones import words_of
from voiceworker.lab.material import load_material
from voiceworker.lab.speech import Speech

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MATERIAL = load_material(ROOT / "tests" / "audio" / "turns")


def speech(kind: str, text: str) -> Speech:
    return next(one for one in MATERIAL.speeches if one.kind == kind and one.text == text)


QUESTION = speech("turn", "what are your opening hours")
SHORT_QUESTION = speech("turn", "can you repeat that please")
MM_HMM = speech("backchannel", "mm-hmm")
STOP = speech("interruption", "stop")
LAUGH = next(one for one in MATERIAL.speeches if one.name.startswith("noise-laugh"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rig() -> AsyncIterator[Rig]:
    async with Rig(Options(systems=("ours",), greeting_words=24)) as running:
        running.replies.long_after([QUESTION])
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def seat(rig: Rig) -> AsyncIterator[Seat]:
    async with rig.seat("ours") as taken:
        yield taken


def events(seat: Seat) -> list[str]:
    return [event.body["type"] for event in seat.line.events]


async def speak_over(rig: Rig, seat: Seat, over: Speech) -> tuple[list[str], HeardText, list[str]]:
    """A long reply with something said into it: the words that were written; those that were heard from a second
    before to three seconds after; and all that were heard."""
    begun = await long_reply(rig, seat, QUESTION, "over")
    assert begun is not None
    await seat.line.pause(2.0)
    said = await seat.say(over)
    await seat.line.until_quiet(1.5, within_seconds=40)
    written = [chat for chat in rig.emulators.chats("ours") if chat.text][-1].text
    near = heard_text(seat.ear.between(said.started_at - 1.0, said.ended_at + 3.0))
    heard = heard_text(seat.ear.between(begun - 0.05, seat.ear.listened_until))
    return words_of(written), near, list(heard.words)


@pytest.mark.parametrize("over", [MM_HMM, LAUGH], ids=lambda one: one.name)
async def test_a_listener_and_a_laugh_leave_the_reply_whole(rig: Rig, seat: Seat, over: Speech) -> None:
    written, near, heard = await speak_over(rig, seat, over)
    assert is_whole(near, written)
    assert heard[0] == written[0]
    assert heard[-1] == written[-1]
    told = events(seat)
    assert "agent.interrupted" not in told
    assert told.count("agent.ducked") == told.count("agent.restored") >= 1


@pytest.mark.parametrize("greeting", [True, False], ids=["in the greeting", "in a reply"])
async def test_a_stop_stops_and_is_answered(rig: Rig, greeting: bool) -> None:
    async with rig.seat("ours", greeted=not greeting) as seat:
        if greeting:
            await seat.line.until(lambda: seat.ear.onset_after(0), 20)
            begun = seat.ear.onset_after(0)
        else:
            begun = await long_reply(rig, seat, QUESTION, "stop")
        assert begun is not None
        trial = await interrupt(rig, seat, BargeIn(0, "ours", 0.8, greeting, STOP.name), STOP, begun)
        assert trial.silence is not None
        assert trial.silence < 5, "it spoke to its own end"  # the reply lasts 6 s and more
        assert trial.next_v2v is not None
        assert trial.stale_words == 0
        assert trial.alternates
        assert trial.heard_error_words is not None
        assert trial.heard_error_words <= 2
        assert "agent.interrupted" in events(seat)


async def test_the_reported_latency_is_the_sum_of_its_parts(rig: Rig, seat: Seat) -> None:
    said = await seat.say(SHORT_QUESTION)
    await seat.line.until(lambda: seat.ear.onset_after(said.ended_at), 15)
    await seat.line.until(lambda: any(event.body.get("first_audio_ms") for event in seat.line.events), 5)
    reported = next(event.body for event in seat.line.events if event.body.get("first_audio_ms"))
    assert sum(reported["parts"].values()) == reported["first_audio_ms"]
    assert all(part >= 0 for part in reported["parts"].values())


async def test_a_caller_who_goes_on_is_not_talked_over(rig: Rig, seat: Seat) -> None:
    """He pauses within his sentence, and goes on while the reply to its first half may be on its way."""
    halves = MATERIAL.of_kind("turn")
    halting = max(
        (one for one in halves if one.longest_pause_seconds <= 0.6), key=lambda one: one.longest_pause_seconds
    )
    samples = await asyncio.to_thread(read_speech, halting.path)
    said = seat.begin(halting, samples)
    await said.over.wait()
    assert seat.ear.onset_after(said.started_at, said.ended_at) is None
    await seat.line.until(lambda: seat.ear.onset_after(said.ended_at), 15)
    chat = [one for one in rig.emulators.chats("ours") if one.text][-1]
    last = [str(message["content"]) for message in chat.messages if message["role"] == "user"][-1]
    assert halting.words[-1].text in last


async def test_a_turn_that_silence_ends_is_told_as_well() -> None:
    async with Rig(Options(systems=("ours",), vad=True)) as rig, rig.seat("ours") as seat:
        said = await seat.say(SHORT_QUESTION)
        await seat.line.until(lambda: seat.ear.onset_after(said.ended_at), 15)
        await seat.line.until(lambda: "turn.committed" in events(seat), 5)
        told = next(event.body for event in seat.line.events if event.body["type"] == "turn.committed")
        assert told["reason"] == "silence"
        assert told["end_of_turn_probability"] is None
        assert 200 <= told["waited_ms"] <= 3000
