"""Every fault that comes after the beginning, as the stock plugins take it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError, ChatContext, stt, tts
from livekit.plugins import deepgram, openai

from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators
from voiceworker.lab.emulators.bill import Role
from voiceworker.lab.emulators.faults import FaultKind
from voiceworker.lab.emulators.tones import decode, words_of
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
ONCE = APIConnectOptions(max_retry=0, timeout=5)
PATIENCE_SECONDS = 0.5
"for what never comes"
QUICK = Delays(
    first_interim_seconds=0.2,
    interim_every_seconds=0.1,
    final_seconds=0.05,
    first_token_seconds=0.01,
    tokens_per_second=200,
    first_audio_seconds=0.01,
    leading_silence_seconds=0.1,
)
TEXT = "Amber castle river spider. " * 4


def struck(role: Role, kind: FaultKind, **options: float) -> ProviderEmulators:
    return ProviderEmulators(delays=QUICK, faults=[Fault(role, kind, nth=1, **options)])  # type: ignore[arg-type]


async def chat(emulators: ProviderEmulators, *, within_seconds: float = 5) -> str:
    async with openai.LLM(model="gpt-4.1-mini", base_url=emulators.openai_url, api_key="key-a") as gpt:
        context = ChatContext.empty()
        context.add_message(role="user", content="hello")
        async with gpt.chat(chat_ctx=context, conn_options=ONCE) as stream, asyncio.timeout(within_seconds):
            texts = [chunk.delta.content or "" async for chunk in stream if chunk.delta is not None]
    return "".join(texts)


@asynccontextmanager
async def speaking(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, kind: str, *, within_seconds: float = 5
) -> AsyncIterator[list[str]]:
    """The words that the voice of this kind is heard saying, when it has ended."""
    voice: openai.TTS | deepgram.TTS
    if kind.startswith("openai"):
        model = {"openai-events": "gpt-4o-mini-tts", "openai-audio": "tts-1"}[kind]
        voice = openai.TTS(base_url=emulators.openai_url, api_key="key-a", model=model, response_format="pcm")
    else:
        url = f"{emulators.deepgram_url}/v1/speak"
        voice = deepgram.TTS(base_url=url, api_key="key-a", http_session=http)
    frames: list[rtc.AudioFrame] = []
    if kind == "deepgram-stream":
        stream: tts.SynthesizeStream | tts.ChunkedStream = voice.stream(conn_options=ONCE)
        assert isinstance(stream, tts.SynthesizeStream)
        stream.push_text(TEXT)
        stream.end_input()
    else:
        stream = voice.synthesize(TEXT, conn_options=ONCE)
    try:
        async with asyncio.timeout(within_seconds):
            async for event in stream:
                frames.append(event.frame)
        samples = np.frombuffer(rtc.combine_audio_frames(frames).data, np.int16) if frames else np.zeros(0, np.int16)
        yield [word.text for word in decode(samples)]
    finally:
        await stream.aclose()
        await voice.aclose()


VOICES = ["openai-events", "openai-audio", "deepgram-stream", "deepgram-http"]


@asynccontextmanager
async def listening(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, speech: Speech, *, within_seconds: float = 5
) -> AsyncIterator[stt.RecognizeStream]:
    url = f"{emulators.deepgram_url}/v1/listen"
    stream = deepgram.STT(base_url=url, api_key="key-a", http_session=http).stream(conn_options=ONCE)
    emulators.expect(speech, time.perf_counter())
    samples = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE // 2, np.int16)])
    stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))
    try:
        async with asyncio.timeout(within_seconds):
            yield stream
    finally:
        await stream.aclose()


async def final(stream: stt.RecognizeStream) -> str:
    kind = stt.SpeechEventType.FINAL_TRANSCRIPT
    return await anext(event.alternatives[0].text async for event in stream if event.type is kind)


# --- a status with words and headers ---


@pytest.mark.parametrize("path", ["chat/completions", "audio/speech"])
async def test_a_client_is_told_when_to_come_again(path: str, http: aiohttp.ClientSession) -> None:
    fault = Fault("llm" if path.startswith("chat") else "tts", "status", nth=1, status=429, retry_after_seconds=1.5)
    async with ProviderEmulators(faults=[fault]) as emulators:
        body = {"model": "m", "messages": [], "input": "x", "voice": "y"}
        headers = {"Authorization": "Bearer key-a"}
        async with http.post(f"{emulators.openai_url}/{path}", json=body, headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1.5")
            assert (await answer.json())["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(("path", "role"), [("listen", "stt"), ("speak", "tts")])
async def test_a_connection_is_refused_with_what_the_provider_says(
    path: str, role: Role, http: aiohttp.ClientSession
) -> None:
    faults = [
        Fault(role, "status", nth=1, status=429, retry_after_seconds=3),
        Fault(role, "status", nth=2, status=401),
    ]
    async with ProviderEmulators(faults=faults) as emulators:
        headers = {"Authorization": "Token key-a"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as busy:
            await http.ws_connect(f"{emulators.deepgram_url}/v1/{path}", headers=headers)
        assert busy.value.headers is not None
        assert (busy.value.status, busy.value.headers["Retry-After"]) == (429, "3")
        with pytest.raises(aiohttp.WSServerHandshakeError) as wrong:
            await http.ws_connect(f"{emulators.deepgram_url}/v1/{path}", headers=headers)
        assert wrong.value.headers is not None
        assert (wrong.value.status, wrong.value.headers["dg-error"]) == (401, "Invalid credentials.")


# --- llm ---


@pytest.mark.parametrize("after_seconds", [0.0, 0.02])
async def test_a_reply_that_hangs_never_comes(after_seconds: float) -> None:
    async with struck("llm", "hang", after_seconds=after_seconds) as emulators:
        with pytest.raises((APIConnectionError, TimeoutError)):
            await chat(emulators, within_seconds=PATIENCE_SECONDS)
        (request,) = emulators.requests
        assert (request.failed, emulators.bill.total("llm").failed_requests) == ("hang", 1)


async def test_a_reply_breaks_off_with_the_provider_s_error() -> None:
    async with struck("llm", "error_midstream", after_seconds=0.03) as emulators:
        with pytest.raises(APIError):
            await chat(emulators)
        assert emulators.requests[0].failed == "error 503"
        assert 0 < emulators.bill.total("llm").completion_tokens < 24


async def test_a_reply_that_is_closed_early_is_short_and_no_error() -> None:
    async with struck("llm", "early_close", after_seconds=0.03) as emulators:
        assert 0 < len(words_of(await chat(emulators))) < 24
        assert emulators.bill.total("llm").failed_requests == 1


async def test_a_chunk_that_is_no_json_is_an_error() -> None:
    async with struck("llm", "malformed") as emulators:
        with pytest.raises(APIConnectionError):
            await chat(emulators)


async def test_a_dripping_reply_is_slower_than_speech() -> None:
    async with struck("llm", "drip", speed=0.9) as emulators:
        with pytest.raises(TimeoutError):
            await chat(emulators, within_seconds=PATIENCE_SECONDS)
        assert emulators.bill.total("llm").completion_tokens < 6


# --- tts ---


@pytest.mark.parametrize("kind", VOICES)
async def test_a_voice_that_hangs_is_given_up(kind: str, http: aiohttp.ClientSession) -> None:
    async with struck("tts", "hang", after_seconds=0.01) as emulators:
        with pytest.raises((APIError, TimeoutError)):
            async with speaking(emulators, http, kind, within_seconds=PATIENCE_SECONDS):
                pass
        assert emulators.requests[0].failed == "hang"


@pytest.mark.parametrize("kind", [kind for kind in VOICES if kind != "openai-events"])
async def test_a_voice_breaks_off_with_an_error(kind: str, http: aiohttp.ClientSession) -> None:
    async with struck("tts", "error_midstream", after_seconds=0.05) as emulators:
        with pytest.raises(APIError):
            async with speaking(emulators, http, kind):
                pass
        assert emulators.bill.total("tts").failed_requests == 1


async def test_the_plugin_passes_over_an_error_among_the_events_of_a_voice(http: aiohttp.ClientSession) -> None:
    """It knows no such event: what was sent until then is all that is said."""
    async with (
        struck("tts", "error_midstream", after_seconds=0.05) as emulators,
        speaking(emulators, http, "openai-events") as words,
    ):
        assert len(words) < 16


@pytest.mark.parametrize("kind", VOICES)
async def test_a_voice_that_is_closed_early_says_less(kind: str, http: aiohttp.ClientSession) -> None:
    async with struck("tts", "early_close", after_seconds=0.05) as emulators:
        if kind == "deepgram-stream":
            with pytest.raises(APIStatusError):
                async with speaking(emulators, http, kind):
                    pass
            return
        async with speaking(emulators, http, kind) as words:
            assert len(words) < 16


@pytest.mark.parametrize("kind", VOICES)
async def test_garbage_in_the_audio_is_passed_on(kind: str, http: aiohttp.ClientSession) -> None:
    """What follows an odd number of bytes is heard as noise, unless the client looks at its frames."""
    async with struck("tts", "malformed", after_seconds=0.05) as emulators, speaking(emulators, http, kind) as words:
        assert len(words) < 16
        assert emulators.requests[0].failed == "malformed"
        assert emulators.bill.total("tts").failed_requests == 0


async def test_a_dripping_voice_is_slower_than_speech(http: aiohttp.ClientSession) -> None:
    async with struck("tts", "drip", speed=0.5) as emulators:
        with pytest.raises(TimeoutError):
            async with speaking(emulators, http, "openai-audio", within_seconds=PATIENCE_SECONDS):
                pass
        assert emulators.bill.total("tts").audio_seconds < 3


# --- stt ---


async def test_a_recogniser_that_hangs_says_nothing(http: aiohttp.ClientSession, make_speech: MakeSpeech) -> None:
    async with struck("stt", "hang") as emulators:
        speech = make_speech("what is the price")
        with pytest.raises(TimeoutError):
            async with listening(emulators, http, speech, within_seconds=PATIENCE_SECONDS) as stream:
                await final(stream)
        assert emulators.heard == []
        assert emulators.bill.total("stt").failed_requests == 1


@pytest.mark.parametrize("kind", ["error_midstream", "early_close"])
async def test_a_recogniser_breaks_off(kind: FaultKind, http: aiohttp.ClientSession, make_speech: MakeSpeech) -> None:
    async with struck("stt", kind, after_seconds=0.01) as emulators:
        with pytest.raises(APIStatusError):
            async with listening(emulators, http, make_speech("what is the price")) as stream:
                await final(stream)
        assert emulators.bill.total("stt").failed_requests == 1


async def test_a_message_that_is_no_json_is_passed_over(http: aiohttp.ClientSession, make_speech: MakeSpeech) -> None:
    async with (
        struck("stt", "malformed") as emulators,
        listening(emulators, http, make_speech("what is the price")) as stream,
    ):
        assert await final(stream) == "what is the price"
        assert emulators.requests[0].failed == "malformed"


async def test_dripping_transcripts_wait_for_their_turn(http: aiohttp.ClientSession, make_speech: MakeSpeech) -> None:
    async with (
        struck("stt", "drip", speed=0.25) as emulators,
        listening(emulators, http, make_speech("what is | the price")) as stream,
    ):
        await final(stream)
        assert await final(stream) == "the price"
        times = [one.sent_at for one in emulators.heard]
        assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.35
