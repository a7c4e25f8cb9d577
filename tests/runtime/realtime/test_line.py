from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from livekit.agents import llm

from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[[str], Speech]
REPLY = "amber anchor apple arrow"
QUICK = Delays(first_token_seconds=0.03, first_audio_seconds=0.02, leading_silence_seconds=0.1)


async def say(talk: Any, emulators: ProviderEmulators, speech: Speech) -> None:
    emulators.expect(speech, time.perf_counter())
    talk.say(read_speech(speech.path))


async def test_a_turn_is_heard_and_answered(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    speech = make_speech("what is the price of a haircut")
    figures: list[Any] = []
    async with talking(emulators) as talk:
        talk.line.on("metrics_collected", figures.append)
        await say(talk, emulators, speech)
        text = await talk.reply()
        await talk.until(lambda: len(talk.history.items) == 2)
        known = emulators.realtime.sessions[0].texts
    assert [known[0], known[1].strip()] == [speech.text, text]
    assert talk.losses == []
    account = emulators.bill.total("realtime")
    answers = [one for one in figures if one.type == "realtime_model_metrics"]
    assert [(one.input_tokens, one.output_tokens) for one in answers] == [
        (account.prompt_tokens, account.completion_tokens)
    ]


async def test_only_the_callers_turns_are_paid_for(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    speech = make_speech("one two three four five")  # of one second
    async with talking(emulators) as talk:
        talk.push(np.zeros(30 * SAMPLE_RATE, np.int16))
        await say(talk, emulators, speech)
        await talk.reply()
        (usage,) = emulators.realtime.sessions[0].usages
    assert usage["input_token_details"]["audio_tokens"] <= 21 + 1  # 0.6 s before, 0.5 s of silence after


async def test_a_turn_that_no_voice_detector_saw_is_sent_all_the_same(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    speech = make_speech("very softly spoken words")
    async with talking(emulators) as talk:
        await talk.until(lambda: talk.session.chat_ctx is not None)
        emulators.expect(speech, time.perf_counter())
        talk.push(read_speech(speech.path))
        talk.session.commit_audio()
        await talk.reply()
        await talk.until(lambda: len(talk.history.items) == 2)
    assert talk.history.items[0].text_content == speech.text


async def test_a_connection_is_renewed_and_told_what_was_heard(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    async with talking(emulators, cap_seconds=1.2) as talk:
        await say(talk, emulators, make_speech("my name is ada"))
        await talk.reply()
        await talk.until(lambda: len(talk.history.items) == 2)
        talk.history.items[1].content = ["amber"]  # the rest was cut off, and not heard
        call = llm.FunctionCall(id="item_call", call_id="call_1", name="look_up", arguments="{}")
        talk.history.items += [call, llm.FunctionCallOutput(call_id="call_1", output="nine", is_error=False)]
        await talk.until(lambda: talk.session.renewals == 2)
        await say(talk, emulators, make_speech("and my number is seven"))
        await talk.reply()
        last = emulators.realtime.sessions[-1]
        assert last.texts[:4] == ["my name is ada", "amber", "{}", "nine"]
        assert last.texts[4] == "and my number is seven"
    assert not any(session.expired for session in emulators.realtime.sessions)
    assert talk.losses == []


async def test_a_caller_who_speaks_while_the_connection_is_renewed_is_heard_in_full(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    speech = make_speech("one two three four five six seven eight")
    samples = read_speech(speech.path)
    async with talking(emulators, cap_seconds=1.0) as talk:
        await talk.until(lambda: talk.session.renewals == 0 and len(emulators.realtime.sessions) == 1)
        talk.session.caller_voice(speaking=True)
        emulators.expect(speech, time.perf_counter())
        talk.push(samples[: len(samples) // 2])
        await talk.until(lambda: talk.session.renewals == 1)  # its cap is near: no silence is waited for
        talk.push(samples[len(samples) // 2 :])
        talk.session.caller_voice(speaking=False)
        talk.session.commit_audio()
        await talk.reply()
        await talk.until(lambda: len(talk.history.items) == 2)
    assert talk.history.items[0].text_content == speech.text


async def test_a_renewal_waits_for_the_end_of_a_reply(talking: Any) -> None:
    async with (
        ProviderEmulators(speech_speed=3, replies=lambda conversation: " ".join(["amber"] * 12)) as emulators,
        talking(emulators, cap_seconds=1.5) as talk,
    ):
        assert (await talk.reply()).split() == ["amber"] * 12
        await talk.until(lambda: talk.session.renewals >= 1)
        assert emulators.realtime.sessions[-1].texts == [" ".join(["amber"] * 12)]


async def test_a_message_that_another_connection_has_spoken_is_cut_by_its_text(
    emulators: ProviderEmulators, talking: Any
) -> None:
    emulators.replies = lambda conversation: REPLY
    async with talking(emulators, cap_seconds=1.0) as talk:
        await talk.reply()
        await talk.until(lambda: talk.session.renewals == 1)
        message = talk.history.items[0]
        talk.session.truncate(
            message_id=message.id, modalities=["audio"], audio_end_ms=400, audio_transcript="amber anchor"
        )
        await talk.until(lambda: emulators.realtime.sessions[1].texts == ["amber anchor"])
        assert emulators.realtime.sessions[1].count("conversation.item.truncate") == 0


async def test_a_connection_that_breaks_between_turns_is_replaced_unnoticed(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    async with talking(emulators) as talk:
        await say(talk, emulators, make_speech("my name is ada"))
        await talk.reply()
        await talk.until(lambda: len(talk.history.items) == 2)
        emulators.realtime.break_all()
        await say(talk, emulators, make_speech("what is my name"))
        await talk.reply()
        assert [text.strip() for text in emulators.realtime.sessions[-1].texts[:3:2]] == [
            "my name is ada",
            "what is my name",
        ]
    assert (talk.losses, talk.broken_off) == ([], [])


async def test_a_reply_that_was_asked_of_a_broken_connection_is_asked_of_the_next(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    async with talking(emulators) as talk:
        await talk.until(lambda: len(emulators.realtime.sessions) == 1)
        await say(talk, emulators, make_speech("are you there"))
        asked = asyncio.ensure_future(talk.reply())
        emulators.realtime.break_all()
        assert await asked
        assert emulators.realtime.sessions[-1].texts[0] == "are you there"
    assert talk.losses == []


async def test_a_reply_that_breaks_off_in_the_midst_is_told_when_the_model_is_there_again(talking: Any) -> None:
    async with ProviderEmulators(speech_speed=1) as emulators, talking(emulators) as talk:
        reply = asyncio.ensure_future(talk.reply())
        await talk.until(lambda: emulators.bill.total("realtime").audio_seconds > 0.5)
        emulators.realtime.break_all()
        assert 1 <= len((await reply).split()) < 10
        await talk.until(lambda: bool(talk.broken_off))
        assert talk.broken_off == ["cut"]
        assert talk.losses == []


async def test_a_provider_that_is_down_at_the_start_is_given_up_within_its_time(
    emulators: ProviderEmulators, talking: Any
) -> None:
    emulators.realtime.is_down = True
    async with talking(emulators) as talk:
        with pytest.raises(llm.RealtimeError):
            await talk.reply()
        assert [lost.reply for lost in talk.losses] == ["owed"]
        with pytest.raises(llm.RealtimeError):
            await talk.reply()
        with pytest.raises(llm.RealtimeError):
            await talk.session.update_chat_ctx(llm.ChatContext([llm.ChatMessage(role="user", content=["hello"])]))
    assert len(talk.losses) == 1


@pytest.mark.parametrize("kind", ["hang", "stall"])
async def test_a_provider_that_hangs_is_given_up_when_it_owes_an_answer(talking: Any, kind: Any) -> None:
    fault = Fault("realtime", kind, nth=1, after_seconds=0.4)
    async with (
        ProviderEmulators(delays=QUICK, faults=[fault], speech_speed=1) as emulators,
        talking(emulators, patience_seconds=0.3) as talk,
    ):
        reply = asyncio.ensure_future(talk.reply())
        await talk.until(lambda: bool(talk.losses))
        assert talk.losses[0].reply == "cut"
        await reply


async def test_a_session_that_the_provider_ends_early_is_replaced(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    emulators.realtime.session_seconds = 0.6
    async with talking(emulators, cap_seconds=3600) as talk:
        await say(talk, emulators, make_speech("my name is ada"))
        await talk.reply()
        await talk.until(lambda: len(emulators.realtime.sessions) == 3)
        assert emulators.realtime.sessions[0].expired
        await talk.until(lambda: len(emulators.realtime.sessions[2].texts) == 2)
        assert emulators.realtime.sessions[2].texts[0] == "my name is ada"
    assert talk.losses == []


async def renewed(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech, renewals: int, cap: float
) -> None:
    """Facts are stated all along; at the end the last connection knows each of them once, and none was ever missing."""
    emulators.realtime.session_seconds = cap
    stated: list[str] = []
    async with talking(emulators, cap_seconds=cap) as talk:
        while talk.session.renewals < renewals:
            stated.append(f"fact number {len(stated)} is told")
            await say(talk, emulators, make_speech(stated[-1]))
            await talk.reply()
            await talk.until(lambda: len(talk.history.items) == 2 * len(stated))
            await asyncio.sleep(cap / 5)
        last = emulators.realtime.sessions[-1]
        await talk.until(lambda: sum(item.role == "user" for item in last.items) == len(stated))
        assert [item.text for item in last.items if item.role == "user"] == stated
        assert not any(session.expired for session in emulators.realtime.sessions)
        assert talk.losses == talk.broken_off == []
    ends = [session.closed_at for session in emulators.realtime.sessions]
    begins = [session.opened_at for session in emulators.realtime.sessions]
    assert all(end is not None and begin < end for begin, end in zip(begins[1:], ends, strict=False))  # they overlap


async def test_facts_survive_renewals(emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech) -> None:
    await renewed(emulators, talking, make_speech, renewals=3, cap=1.0)


@pytest.mark.lab
@pytest.mark.timeout(1200)
async def test_facts_survive_thirty_renewals_with_a_cap_of_twenty_seconds(
    emulators: ProviderEmulators, talking: Any, make_speech: MakeSpeech
) -> None:
    await renewed(emulators, talking, make_speech, renewals=30, cap=20)
