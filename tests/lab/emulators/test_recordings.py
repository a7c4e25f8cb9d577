"""Recordings that are transcribed at once: by Deepgram's and OpenAI's stock plugins, and by OpenAI's own client."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest
import soundfile
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError
from livekit.plugins import deepgram, openai
from openai import AsyncOpenAI, BadRequestError
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.emulators.faults import FaultKind
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.recordings import transcribed
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
ONCE = APIConnectOptions(max_retry=0, timeout=5)


def wav(samples: Samples, rate: int = SAMPLE_RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def frame(*pieces: Samples) -> rtc.AudioFrame:
    samples = np.concatenate(pieces)
    return rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples))


def quiet(seconds: float) -> Samples:
    return np.random.default_rng(1).normal(0, 6, round(seconds * SAMPLE_RATE)).astype(np.int16)


def test_a_recording_holds_what_was_said_in_it_and_no_more(make_speech: MakeSpeech) -> None:
    first, second, other = make_speech("what is | the price"), make_speech("stop please"), make_speech("good bye")
    expectations = Expectations()
    for at, speech in ((100.0, first), (102.0, second), (103.5, other), (40.0, make_speech("long ago"))):
        expectations.add(speech, at)
    samples = np.concatenate([quiet(0.5), read_speech(first.path), quiet(0.4), read_speech(second.path), quiet(0.2)])
    heard = transcribed(wav(samples), expectations, "key", 104.0)
    assert heard.text == "what is the price stop please"
    assert heard.words[2].started == pytest.approx(0.5 + 1.0, abs=0.01)
    assert heard.seconds == pytest.approx(len(samples) / SAMPLE_RATE)


def test_a_sentence_that_was_cut_in_a_pause_is_in_two_recordings(make_speech: MakeSpeech) -> None:
    speech = make_speech("I would like | to have a cut")
    expectations = Expectations()
    expectations.add(speech, 100.0)
    samples, cut = read_speech(speech.path), round(1.1 * SAMPLE_RATE)
    texts = [transcribed(wav(part), expectations, "key", 103.0).text for part in (samples[:cut], samples[cut:])]
    assert texts == ["I would like", "to have a cut"]


def test_noise_and_silence_hold_nothing(make_speech: MakeSpeech) -> None:
    expectations = Expectations()
    expectations.add(make_speech("what is the price"), 100.0)
    noise = np.random.default_rng(5).normal(0, 3000, SAMPLE_RATE * 2).astype(np.int16)
    assert transcribed(wav(noise), expectations, "key", 101.0).text == ""
    assert transcribed(wav(np.zeros(SAMPLE_RATE, np.int16)), expectations, "key", 101.0).text == ""
    with pytest.raises(ValueError, match="not a file of audio"):
        transcribed(b"RIFF", expectations, "key", 101.0)


# --- the stock plugins ---


@asynccontextmanager
async def recogniser(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, kind: str
) -> AsyncIterator[deepgram.STT | openai.STT]:
    """The plugin of OpenAI never closes the client that it makes: it is given one."""
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client:
        if kind == "deepgram":
            yield deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key-a", http_session=http)
        else:
            yield openai.STT(model=kind, client=client)


@pytest.mark.parametrize("kind", ["deepgram", "gpt-4o-mini-transcribe", "whisper-1"])
async def test_a_recording_is_transcribed(
    kind: str, emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    speech = make_speech("What is | the price?")
    emulators.expect(speech, time.perf_counter())
    async with recogniser(emulators, http, kind) as stt:
        event = await stt.recognize([frame(quiet(0.3), read_speech(speech.path))])
    assert event.alternatives[0].text == "What is the price?"
    (request,) = emulators.requests
    assert (request.role, request.failed) == ("stt", "")
    bill = emulators.bill.total("stt", "key-a")
    assert bill.audio_seconds == pytest.approx(1.9, abs=0.01)
    assert (bill.prompt_tokens > 0) == (kind == "gpt-4o-mini-transcribe")
    assert [one.text for one in emulators.heard] == ["What is the price?"]


@pytest.mark.parametrize("kind", ["deepgram", "whisper-1"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status", APIError),
        ("refuse", APIConnectionError),
        ("reset", APIConnectionError),
        ("malformed", APIConnectionError),
        ("error_midstream", APIError),
        ("early_close", APIConnectionError),
    ],
)
async def test_a_fault_is_the_plugin_s_own_error(
    kind: str, fault: FaultKind, error: type[Exception], http: aiohttp.ClientSession
) -> None:
    async with ProviderEmulators(faults=[Fault("stt", fault, nth=1)]) as emulators:
        async with recogniser(emulators, http, kind) as stt:
            with pytest.raises(error):
                await stt.recognize([frame(quiet(0.5))], conn_options=ONCE)
        assert emulators.requests[0].failed


async def test_a_recogniser_that_hangs_never_answers(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(faults=[Fault("stt", "hang", nth=1)]) as emulators:
        async with recogniser(emulators, http, "whisper-1") as stt:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await stt.recognize([frame(quiet(0.5))], conn_options=ONCE)
        assert emulators.bill.total("stt").failed_requests == 1


async def test_a_status_carries_its_number(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(faults=[Fault("stt", "status", nth=1, status=429)]) as emulators:
        async with recogniser(emulators, http, "whisper-1") as stt:
            with pytest.raises(APIStatusError) as raised:
                await stt.recognize([frame(quiet(0.5))], conn_options=ONCE)
        assert raised.value.status_code == 429


# --- OpenAI's own client ---


async def test_words_have_their_times(emulators: ProviderEmulators, make_speech: MakeSpeech) -> None:
    speech = make_speech("what is the price")
    emulators.expect(speech, time.perf_counter())
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a") as client:
        verbose = await client.audio.transcriptions.create(
            file=("a.wav", wav(read_speech(speech.path))),
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word"],
        )
        assert [word.word for word in verbose.words or []] == ["what", "is", "the", "price"]
        assert [segment.text for segment in verbose.segments or []] == [" what is the price"]
        assert verbose.usage is not None
        assert verbose.usage.seconds == 1


async def test_a_transcript_may_be_streamed(emulators: ProviderEmulators, make_speech: MakeSpeech) -> None:
    speech = make_speech("what is the price")
    emulators.expect(speech, time.perf_counter())
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a") as client:
        stream = await client.audio.transcriptions.create(
            file=("a.wav", wav(read_speech(speech.path))), model="gpt-4o-transcribe", stream=True
        )
        events = [event async for event in stream]
    deltas = [event.delta for event in events if isinstance(event, TranscriptionTextDeltaEvent)]
    assert "".join(deltas) == "what is the price"
    assert isinstance(events[-1], TranscriptionTextDoneEvent)
    assert events[-1].usage is not None


async def test_what_cannot_be_had_is_a_bad_request(emulators: ProviderEmulators) -> None:
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client:
        with pytest.raises(BadRequestError, match="not compatible"):
            await client.audio.transcriptions.create(
                file=("a.wav", wav(quiet(0.2))), model="gpt-4o-transcribe", response_format="verbose_json"
            )
        with pytest.raises(BadRequestError, match="not a file of audio"):
            await client.audio.transcriptions.create(file=("a.wav", b"nonsense"), model="whisper-1")
