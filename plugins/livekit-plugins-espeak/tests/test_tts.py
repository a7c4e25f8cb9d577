import asyncio
import contextlib
import time

import numpy as np
import pytest
from livekit.agents import tts as agents_tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, NotGiven, TimedString
from livekit.plugins import espeak
from livekit.plugins.espeak.alignment import quiet_lead


def start(word: TimedString) -> float:
    assert not isinstance(word.start_time, NotGiven)
    return word.start_time


def end(word: TimedString) -> float:
    assert not isinstance(word.end_time, NotGiven)
    return word.end_time


class Heard:
    def __init__(self) -> None:
        self.chunks: list[np.ndarray] = []
        self.words: list[TimedString] = []
        self.first_audio_seconds = 0.0

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)

    @property
    def text(self) -> str:
        return "".join(self.words)


async def listen(stream: agents_tts.SynthesizeStream | agents_tts.ChunkedStream) -> Heard:
    heard = Heard()
    began = time.perf_counter()
    async with stream:
        async for audio in stream:
            heard.first_audio_seconds = heard.first_audio_seconds or time.perf_counter() - began
            heard.chunks.append(np.frombuffer(audio.frame.data, np.int16))
            heard.words += audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
    return heard


async def say(voice: espeak.TTS, *pieces: str) -> Heard:
    stream = voice.stream()
    for piece in pieces:
        stream.push_text(piece)
    stream.end_input()
    return await listen(stream)


async def test_the_first_audio_comes_before_the_sentence_is_complete() -> None:
    stream = espeak.TTS().stream()
    stream.push_text("Certainly, ")
    async with stream:
        first = await asyncio.wait_for(anext(stream), 5)
        assert first.frame.samples_per_channel > 0
        stream.push_text("I can do that for you.")
        stream.end_input()
        assert [audio async for audio in stream][-1].is_final


async def test_the_first_audio_of_a_sentence_comes_within_50_milliseconds() -> None:
    voice = espeak.TTS()
    voice.prewarm()
    times = []
    for _ in range(5):
        heard = await say(voice, "We have a free place on Monday the twenty third at half past nine in the morning.")
        times.append(heard.first_audio_seconds)
    assert min(times) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "Hello, it is 3:30 p.m. and costs $45, Dr. Smith.  See you at 10:00!",
        "Yes.\nNo - maybe… <break time='3s'/> & so on 😀",
        "  \tspaces  in   front\n\n",
    ],
)
async def test_the_words_join_to_the_text_and_lie_within_the_audio(text: str) -> None:
    voice = espeak.TTS()
    for heard in [await say(voice, *text), await say(voice, text), await listen(voice.synthesize(text))]:
        assert heard.text == text
        times = [moment for item in heard.words for moment in (start(item), end(item))]
        assert times == sorted(times)
        assert times[-1] <= len(heard.samples) / voice.sample_rate + 1e-6


async def test_clauses_are_joined_with_the_pause_of_a_speaker_and_silence_neither_opens_nor_closes() -> None:
    voice = espeak.TTS()
    heard = await say(voice, "... Come on Monday, ", "Tuesday or Friday. ", "Which day do you like? ")
    whole = voice._engine.speak_blocking("Come on Monday, Tuesday or Friday. Which day do you like?", voice._style)
    assert len(heard.samples) == pytest.approx(len(whole.samples), rel=0.02)
    assert quiet_lead(heard.samples) <= 0.02 * voice.sample_rate
    assert quiet_lead(heard.samples[::-1]) <= 0.03 * voice.sample_rate
    monday, tuesday = (item for item in heard.words if item.strip() in {"Monday,", "Tuesday"})
    assert 0.1 < start(tuesday) - end(monday) < 0.3


@pytest.mark.parametrize("text", ["😀", "   ", "...", "—", "\x00\x01"])
async def test_text_with_nothing_to_say_is_no_error(text: str) -> None:
    voice = espeak.TTS()
    assert (await say(voice, text)).text == text
    assert (await listen(voice.synthesize(text))).text == text


async def test_a_very_long_text_is_spoken_whole() -> None:
    text = "This sentence is one of very many, and none is left out. " * 180
    heard = await listen(espeak.TTS(rate_words_per_minute=450).synthesize(text))
    assert heard.text == text
    assert len(heard.samples) > 200 * 22050


async def test_a_stream_does_not_run_far_ahead_of_its_playback() -> None:
    stream = espeak.TTS().stream()
    stream.push_text("This sentence is one of very many, and none is left out. " * 180)
    stream.end_input()
    given = 0.0
    async with stream:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                async for audio in stream:
                    given += audio.frame.duration
    assert 20 < given < 40


async def test_streams_take_turns() -> None:
    voice = espeak.TTS()
    long_one, short_one = voice.stream(), voice.stream()
    long_one.push_text("One more clause, " * 200)
    long_one.end_input()
    short_one.push_text("Hello there.")
    short_one.end_input()
    finished: list[str] = []

    async def drain(stream: agents_tts.SynthesizeStream, name: str) -> None:
        async with stream:
            async for _ in stream:
                pass
        finished.append(name)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        long_task = group.create_task(drain(long_one, "long"))
        await group.create_task(drain(short_one, "short"))
        long_task.cancel()
    assert finished == ["short"]


async def test_a_closed_stream_leaves_the_engine_to_others() -> None:
    voice = espeak.TTS()
    stream = voice.stream()
    stream.push_text("word " * 2000)
    await anext(stream)
    await stream.aclose()
    assert len((await say(voice, "Hello.")).samples) > 0.2 * voice.sample_rate


def test_voices_and_languages_differ_and_options_can_change() -> None:
    voice = espeak.TTS(voice="de", rate_words_per_minute=120)
    assert (voice.model, voice.language, voice.provider) == ("de", "de", "espeak-ng")
    voice.update_options(voice="en-us+f3", pitch=70)
    assert (voice.model, voice.language) == ("en-us+f3", "en-us")
    assert voice.capabilities.streaming
    assert voice.capabilities.aligned_transcript


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voice": "en-uk"}, "no voice 'en-uk'; nearest: .*en-us"),
        ({"rate_words_per_minute": 20}, "rate_words_per_minute must be 80 to 450, not 20"),
        ({"volume": 500}, "volume must be 0 to 200"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        espeak.TTS(**options)  # type: ignore[arg-type]


async def test_usage_is_measured() -> None:
    voice = espeak.TTS()
    collected: list[object] = []
    voice.on("metrics_collected", collected.append)
    await say(voice, "Hello there.")
    assert [metric.characters_count for metric in collected] == [12]  # type: ignore[attr-defined]
