from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from livekit import rtc
from livekit.agents.stt import RecognizeStream, SpeechEvent, SpeechEventType
from livekit.plugins.pocketsphinx import STT

pytestmark = pytest.mark.slow

Samples = npt.NDArray[np.int16]
Speech = Mapping[str, Samples]
Engine = Callable[..., STT]
SILENCE = np.zeros(16000, np.int16)
HOURS, BOOK, YES = "frontdesk-01", "frontdesk-10", "frontdesk-23"


def frames(samples: Samples, rate: int = 16000, channels: int = 1) -> list[rtc.AudioFrame]:
    """20 ms each, as LiveKit delivers them."""
    size = rate // 50 * channels
    cuts = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    return [rtc.AudioFrame(cut.tobytes(), rate, channels, size // channels) for cut in cuts]


async def heard(stream: RecognizeStream, *parts: Samples) -> list[SpeechEvent]:
    for frame in frames(np.concatenate(parts)):
        stream.push_frame(frame)
    stream.end_input()
    return [event async for event in stream]


def texts(events: list[SpeechEvent], kind: SpeechEventType = SpeechEventType.FINAL_TRANSCRIPT) -> list[str]:
    return [event.alternatives[0].text for event in events if event.type == kind]


async def test_a_sentence_is_shown_while_it_is_spoken_and_final_at_its_end(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        events = await heard(stream, SILENCE, speech[BOOK], SILENCE)
    kinds = [event.type for event in events if event.type != SpeechEventType.RECOGNITION_USAGE]
    assert kinds[0] == SpeechEventType.START_OF_SPEECH
    assert kinds[-2:] == [SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.END_OF_SPEECH]
    assert texts(events) == ["i'd like to book a haircut for tuesday at three o'clock"]
    shown = texts(events, SpeechEventType.INTERIM_TRANSCRIPT)
    assert "i'd like to book" in shown
    assert all(before != after for before, after in itertools.pairwise(shown))
    assert len({event.request_id for event in events if event.alternatives}) == 1


async def test_words_carry_their_times_in_the_session(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        stream.start_time_offset = 100.0
        events = await heard(stream, SILENCE, speech[BOOK], SILENCE, SILENCE, speech[YES], SILENCE)
    first, second = (event.alternatives[0] for event in events if event.type == SpeechEventType.FINAL_TRANSCRIPT)
    speech_ends = 101.0 + len(speech[BOOK]) / 16000
    assert first.words is not None
    assert [str(word) for word in first.words] == first.text.split()
    times = [(word.start_time, word.end_time) for word in first.words]
    assert times == sorted(times)
    assert 101.0 <= first.start_time < 101.5
    assert speech_ends - 0.5 < first.end_time < speech_ends + 0.1
    assert second.start_time == pytest.approx(speech_ends + 2.0, abs=0.3)


async def test_a_flush_ends_the_utterance_without_losing_a_word(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        for frame in frames(np.concatenate([SILENCE, speech[HOURS]])):
            stream.push_frame(frame)
        stream.flush()
        events = await heard(stream, SILENCE, speech[YES])
    assert texts(events) == ["hello what are your opening hours", "yes that is correct"]


async def test_other_rates_and_channels_are_understood(engine: Engine, speech: Speech) -> None:
    stereo = np.repeat(np.repeat(np.concatenate([SILENCE, speech[YES], SILENCE]), 3), 2)
    stt = engine()
    async with stt.stream() as stream:
        for frame in frames(stereo, rate=48000, channels=2):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
    assert texts(events) == ["yes that is correct"]
    whole = await stt.recognize(rtc.AudioFrame(stereo.tobytes(), 48000, 2, len(stereo) // 2))
    assert texts([whole]) == ["yes that is correct"]


async def test_all_audio_is_reported_as_used(engine: Engine, speech: Speech) -> None:
    async with engine().stream() as stream:
        events = await heard(stream, SILENCE, speech[BOOK], SILENCE, SILENCE, SILENCE)
    used = sum(event.recognition_usage.audio_duration for event in events if event.recognition_usage)
    assert used == pytest.approx(4.0 + len(speech[BOOK]) / 16000, abs=0.05)


async def test_silence_and_noise_are_nobody_speaking(engine: Engine) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 48000).astype(np.int16)
    async with engine().stream() as stream:
        events = await heard(stream, SILENCE, noise, SILENCE)
    assert texts(events) == []


async def test_a_rejected_utterance_takes_back_what_it_showed(engine: Engine, speech: Speech) -> None:
    async with engine(rejection_confidence=1.1).stream() as stream:
        events = await heard(stream, SILENCE, speech[BOOK], SILENCE)
    assert texts(events) == []
    assert texts(events, SpeechEventType.INTERIM_TRANSCRIPT)[-1] == ""
    assert SpeechEventType.END_OF_SPEECH in [event.type for event in events]


async def test_the_event_loop_turns_while_the_decoder_works(engine: Engine, speech: Speech) -> None:
    stt = engine()
    recognizer = await stt.take_recognizer()
    decoding = asyncio.get_running_loop().run_in_executor(None, recognizer.recognize, speech[BOOK].tobytes())
    turns = 0
    while not decoding.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await decoding).text
    assert turns > 100  # with the GIL held it is a handful
    stt.give_back(recognizer)


async def test_a_second_call_takes_over_the_decoder_of_the_first(engine: Engine, speech: Speech) -> None:
    stt = engine()
    recognizer = await stt.take_recognizer()
    stt.give_back(recognizer)
    async with stt.stream() as stream:
        await heard(stream, SILENCE, speech[YES], SILENCE)
    assert await stt.take_recognizer() is recognizer
    recognizer.close()


async def test_closing_in_the_middle_of_a_sentence_leaves_no_thread(engine: Engine, speech: Speech) -> None:
    before = set(threading.enumerate())
    stt = engine()
    stream = stt.stream()
    for frame in frames(np.concatenate([SILENCE, speech[BOOK]])):
        stream.push_frame(frame)
    assert (await anext(stream)).type == SpeechEventType.START_OF_SPEECH
    await stream.aclose()
    await stt.aclose()
    left = {thread for thread in set(threading.enumerate()) - before if "pocketsphinx" in thread.name}
    assert left == set()


async def test_a_grammar_that_cannot_be_heard_fails_the_stream_and_not_the_closing(engine: Engine) -> None:
    stt = engine(grammar="#JSGF V1.0; grammar endless; public <a> = yes <a>;")
    stream = stt.stream()
    with pytest.raises(ValueError, match="<a>"):
        await anext(stream)
    await stream.aclose()
    stt.prewarm()
    await stt.aclose()


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="US English"):
        STT(language="de")


def test_a_wrong_grammar_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="<day>"):
        STT(grammar="#JSGF V1.0; grammar desk; public <book> = book <day>;")
