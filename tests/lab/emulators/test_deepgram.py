"""The stock plugin on the emulator, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, stt
from livekit.plugins import deepgram

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.emulators.tones import decode
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
ONCE = APIConnectOptions(max_retry=0, timeout=2)
AGAIN = APIConnectOptions(max_retry=2, retry_interval=0.02, timeout=2)
FINAL, INTERIM = stt.SpeechEventType.FINAL_TRANSCRIPT, stt.SpeechEventType.INTERIM_TRANSCRIPT
SILENCE = np.zeros(SAMPLE_RATE // 5, np.int16)


def recogniser(emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str = "key-a") -> deepgram.STT:
    return deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key=key, http_session=http)


def voice(emulators: ProviderEmulators, http: aiohttp.ClientSession, key: str = "key-a") -> deepgram.TTS:
    return deepgram.TTS(base_url=f"{emulators.deepgram_url}/v1/speak", api_key=key, http_session=http)


def push(stream: stt.RecognizeStream, samples: Samples) -> None:
    stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))


def say(emulators: ProviderEmulators, stream: stt.RecognizeStream, speech: Speech) -> None:
    """All at once: the emulator hears by its own clock."""
    emulators.expect(speech, time.perf_counter())
    push(stream, np.concatenate([read_speech(speech.path), SILENCE]))


async def drain(stream: AsyncIterator[object]) -> None:
    async with asyncio.timeout(3):
        async for _ in stream:
            pass


async def next_final(stream: stt.RecognizeStream) -> stt.SpeechEvent:
    async with asyncio.timeout(3):
        return await anext(event async for event in stream if event.type is FINAL)


# --- speech to text ---


async def test_a_stream_transcribes_what_was_announced(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with recogniser(emulators, http).stream() as stream:
        say(emulators, stream, make_speech("What is | the price?"))
        events = [await anext(stream)]
        while [event.type for event in events].count(FINAL) < 2:
            events.append(await anext(stream))
        say(emulators, stream, make_speech("Stop, please."))
        last = await next_final(stream)
    kinds = [event.type for event in events]
    assert kinds[0] is stt.SpeechEventType.START_OF_SPEECH
    assert INTERIM in kinds
    assert stt.SpeechEventType.END_OF_SPEECH in kinds
    finals = [event.alternatives[0] for event in events if event.type is FINAL]
    assert [final.text for final in finals] == ["What is", "the price?"]
    assert [str(word) for word in finals[1].words or []] == ["the", "price?"]
    assert finals[1].start_time == pytest.approx(1.0, abs=0.05)
    assert last.alternatives[0].text == "Stop, please."
    assert [one.text for one in emulators.heard if one.is_final] == ["What is", "the price?", "Stop, please."]
    assert {one.api_key for one in emulators.heard} == {"key-a"}


async def test_interims_come_while_the_caller_speaks(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with recogniser(emulators, http).stream() as stream:
        speech = make_speech("what is the price")
        emulators.expect(speech, time.perf_counter())
        samples = read_speech(speech.path)
        texts = []
        for begin in range(0, len(samples), SAMPLE_RATE // 5):
            push(stream, samples[begin : begin + SAMPLE_RATE // 5])
            await asyncio.sleep(0.02)
        push(stream, SILENCE)
        async for event in stream:
            if event.type is INTERIM:
                texts.append(event.alternatives[0].text)
            if event.type is FINAL:
                break
    assert len(texts) >= 4
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))


async def test_audio_is_billed_to_the_key_that_sent_it(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with (
        recogniser(emulators, http).stream() as first,
        recogniser(emulators, http, "key-b").stream() as second,
    ):
        say(emulators, first, make_speech("yes"))
        push(second, np.zeros(SAMPLE_RATE, np.int16))
        await next_final(first)
    assert {one.text for one in emulators.heard} == {"yes"}
    assert emulators.bill.total("stt", "key-a").audio_seconds == pytest.approx(0.5, abs=0.06)
    assert emulators.bill.total("stt", "key-b").audio_seconds == pytest.approx(1.0, abs=0.06)
    assert emulators.bill.total("stt").requests == 2


async def test_flushed_input_is_final_before_the_stream_ends(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    stream = recogniser(emulators, http).stream()
    speech = make_speech("goodbye")
    emulators.expect(speech, time.perf_counter())
    push(stream, read_speech(speech.path))
    stream.flush()
    assert (await next_final(stream)).alternatives[0].text == "goodbye"
    await stream.aclose()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("stt", "status", nth=1, status=429), APIStatusError),
        (Fault("stt", "refuse", nth=1), APIConnectionError),
        (Fault("stt", "reset", nth=1, after_seconds=0.05), APIStatusError),
    ],
)
async def test_a_fault_is_the_plugin_s_own_error(
    fault: Fault, error: type[Exception], http: aiohttp.ClientSession
) -> None:
    async with ProviderEmulators(faults=[fault]) as emulators:
        stream = recogniser(emulators, http).stream(conn_options=ONCE)
        with pytest.raises(error):
            await drain(stream)
        await stream.aclose()
        assert emulators.requests[0].failed
        assert emulators.bill.total("stt").failed_requests == 1


async def test_a_stream_that_is_reset_goes_on_with_the_rest_of_the_sentence(
    http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    fault = Fault("stt", "reset", nth=1, after_seconds=0.3)
    async with ProviderEmulators(faults=[fault]) as emulators:
        stream = recogniser(emulators, http).stream(conn_options=AGAIN)
        speech = make_speech("what is that")
        await asyncio.sleep(0)
        emulators.expect(speech, time.perf_counter())
        samples = np.concatenate([read_speech(speech.path), SILENCE])
        for begin in range(0, len(samples), SAMPLE_RATE // 20):  # as it is spoken: the clock places the rest
            push(stream, samples[begin : begin + SAMPLE_RATE // 20])
            await asyncio.sleep(0.05)
        final = await next_final(stream)
        await stream.aclose()
    heard = final.alternatives[0].text
    assert "what is that".endswith(heard)
    assert 0 < len(heard.split()) < 3
    assert len(emulators.requests) == 2


# --- text to speech ---


async def test_a_stream_speaks_the_words(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> None:
    tts = voice(emulators, http)
    async with tts.stream() as stream:
        for token in ("Amber ", "castle. ", "River ", "spider."):
            stream.push_text(token)
        stream.end_input()
        frames = [event.frame async for event in stream]
    samples = np.frombuffer(rtc.combine_audio_frames(frames).data, np.int16)
    words = decode(samples)
    assert [word.text for word in words] == ["amber", "castle", "river", "spider"]
    assert words[0].started_seconds == pytest.approx(0.1, abs=0.02)
    assert len(samples) / SAMPLE_RATE == pytest.approx(1.1, abs=0.01)
    bill = emulators.bill.total("tts", "key-a")
    assert bill.characters == len("Amber castle. River spider. ")
    assert bill.audio_seconds == pytest.approx(1.1)
    assert (bill.requests, bill.cancelled_requests) == (1, 0)
    await tts.aclose()


async def test_a_whole_text_is_spoken_over_http(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> None:
    tts = voice(emulators, http)
    frame = await tts.synthesize("Amber castle.").collect()
    assert [word.text for word in decode(np.frombuffer(frame.data, np.int16))] == ["amber", "castle"]
    (request,) = emulators.requests
    assert request.first_byte_at is not None
    assert request.first_byte_at - request.started_at >= 0.02
    await tts.aclose()


async def test_a_sentence_is_spoken_before_the_text_is_complete(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    tts = voice(emulators, http)
    async with tts.stream() as stream:
        stream.push_text("Amber castle. River spider meadow ")
        event = await asyncio.wait_for(anext(stream), 2)
        assert event.frame.samples_per_channel > 0
    await tts.aclose()


async def test_speech_that_nobody_waits_for_is_billed_as_cancelled(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(speech_speed=8) as emulators:
        tts = voice(emulators, http)
        stream = tts.stream()
        stream.push_text(" ".join(["amber castle river spider."] * 50))
        stream.flush()
        await asyncio.wait_for(anext(stream), 2)
        await stream.aclose()
        await tts.aclose()
        async with asyncio.timeout(2):
            while emulators.requests[0].ended_at is None:
                await asyncio.sleep(0.01)
        bill = emulators.bill.total("tts")
        assert bill.cancelled_requests == 1
        assert bill.characters > 1000
        assert 0 < bill.audio_seconds < 25


async def test_clear_stops_the_speech(http: aiohttp.ClientSession) -> None:
    """As pipecat's service does it when the caller interrupts."""
    async with ProviderEmulators(speech_speed=8) as emulators:
        headers = {"Authorization": "Token key-p"}
        url = f"{emulators.deepgram_url}/v1/speak?model=aura-2-helena-en&encoding=linear16&sample_rate=24000"
        async with http.ws_connect(url, headers=headers) as socket:
            assert (await socket.receive_json())["type"] == "Metadata"
            await socket.send_json({"type": "Speak", "text": "amber castle river spider. " * 20})
            await socket.send_json({"type": "Flush"})
            await socket.receive_bytes()
            await socket.send_json({"type": "Clear"})
            while (message := await socket.receive()).type is aiohttp.WSMsgType.BINARY:
                pass
            assert json.loads(message.data)["type"] == "Cleared"
            await socket.send_json({"type": "Speak", "text": "kettle"})
            await socket.send_json({"type": "Flush"})
            audio = b""
            while (message := await socket.receive()).type is aiohttp.WSMsgType.BINARY:
                audio += message.data
            assert json.loads(message.data)["type"] == "Flushed"
            assert [word.text for word in decode(np.frombuffer(audio, np.int16))] == ["kettle"]
        assert emulators.bill.total("tts", "key-p").cancelled_requests == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("tts", "status", nth=1, status=429), APIStatusError),
        (Fault("tts", "refuse", nth=1), APIConnectionError),
        (Fault("tts", "reset", nth=1, after_seconds=0.0), APIStatusError),
    ],
)
async def test_a_fault_of_the_voice_is_the_plugin_s_own_error(
    fault: Fault, error: type[Exception], http: aiohttp.ClientSession
) -> None:
    async with ProviderEmulators(faults=[fault]) as emulators:
        tts = voice(emulators, http)
        stream = tts.stream(conn_options=ONCE)
        stream.push_text("amber castle.")
        stream.end_input()
        with pytest.raises(error):
            await drain(stream)
        await stream.aclose()
        await tts.aclose()


async def test_a_connection_without_key_is_refused(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> None:
    for path in ("listen", "speak"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await http.ws_connect(f"{emulators.deepgram_url}/v1/{path}")
        assert error.value.status == 401
