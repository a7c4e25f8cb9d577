"""OpenAI's transcription over the realtime socket: the stock plugin on it, and a client that ends turns itself."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, stt, utils
from livekit.plugins import openai
from openai import AsyncOpenAI

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators import Fault, ProviderEmulators
from voiceworker.lab.emulators.faults import FaultKind
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
ONCE = APIConnectOptions(max_retry=0, timeout=5)
SILENCE = np.zeros(round(0.8 * SAMPLE_RATE), np.int16)


@asynccontextmanager
async def recognising(emulators: ProviderEmulators) -> AsyncIterator[stt.RecognizeStream]:
    async with (
        utils.http_context.open(),
        AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client,
    ):
        recogniser = openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, client=client)
        stream = recogniser.stream(conn_options=ONCE)
        try:
            yield stream
        finally:
            await stream.aclose()
            await recogniser.aclose()


def say(emulators: ProviderEmulators, stream: stt.RecognizeStream, speech: Speech) -> None:
    emulators.expect(speech, time.perf_counter())
    samples = np.concatenate([read_speech(speech.path), SILENCE])
    stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))


async def until_usage(stream: AsyncIterator[stt.SpeechEvent]) -> list[stt.SpeechEvent]:
    events = []
    async with asyncio.timeout(5):
        async for event in stream:
            events.append(event)
            if event.type is stt.SpeechEventType.RECOGNITION_USAGE:
                break
    return events


async def test_the_stock_plugin_hears_turns(emulators: ProviderEmulators, make_speech: MakeSpeech) -> None:
    async with recognising(emulators) as stream:
        say(emulators, stream, make_speech("What is the price?"))
        events = await until_usage(stream)
        say(emulators, stream, make_speech("Stop, please."))
        second = await until_usage(stream)
    kinds = [event.type for event in events]
    assert kinds[:2] == [stt.SpeechEventType.START_OF_SPEECH, stt.SpeechEventType.END_OF_SPEECH]
    final = next(event for event in events if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT)
    assert final.alternatives[0].text == "What is the price?"
    assert any(event.alternatives and event.alternatives[0].text == "Stop, please." for event in second)
    usage = events[-1].recognition_usage
    assert usage is not None
    bill = emulators.bill.total("stt", "key-a")
    assert bill.prompt_tokens > usage.input_tokens > 10
    assert bill.audio_seconds == pytest.approx(3.0, abs=1.5)
    assert [one.text for one in emulators.heard] == ["What is the price?", "Stop, please."]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("status", aiohttp.WSServerHandshakeError),  # as it comes: the plugin wraps no error of the connection
        ("refuse", aiohttp.ServerDisconnectedError),
        ("reset", APIError),
        ("error_midstream", APIError),
        ("early_close", APIError),
    ],
)
async def test_a_fault_is_an_error(kind: FaultKind, error: type[Exception], make_speech: MakeSpeech) -> None:
    fault = Fault("stt", kind, nth=1, after_seconds=0.05)
    async with ProviderEmulators(faults=[fault]) as emulators, recognising(emulators) as stream:
        with pytest.raises(error):
            await until_usage(stream)
        assert emulators.bill.total("stt").failed_requests == 1


async def test_a_session_that_hangs_says_nothing(make_speech: MakeSpeech) -> None:
    async with (
        ProviderEmulators(faults=[Fault("stt", "hang", nth=1)]) as emulators,
        recognising(emulators) as stream,
    ):
        say(emulators, stream, make_speech("yes"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await until_usage(stream)
        assert emulators.requests[0].failed == "hang"


# --- a client that says itself where a turn ends ---


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.received: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"type": kind} | fields)

    async def hear(self, samples: Samples) -> None:
        for begin in range(0, len(samples), SAMPLE_RATE // 20):
            piece = samples[begin : begin + SAMPLE_RATE // 20].tobytes()
            await self.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                event: dict[str, Any] = await self._socket.receive_json()
                self.received.append(event)
                if event["type"] == kind:
                    return event

    async def set_up(self, **audio: Any) -> dict[str, Any]:
        await self.send("session.update", session={"type": "transcription", "audio": {"input": audio}})
        return await self.until("session.updated")


@asynccontextmanager
async def connected(emulators: ProviderEmulators, http: aiohttp.ClientSession) -> AsyncIterator[Client]:
    url = f"{emulators.openai_url}/realtime?intent=transcription"
    async with http.ws_connect(url, headers={"Authorization": "Bearer key-a"}) as socket:
        yield Client(socket)


async def test_words_come_while_they_are_said_and_a_commit_completes_them(
    emulators: ProviderEmulators, http: aiohttp.ClientSession, make_speech: MakeSpeech
) -> None:
    async with connected(emulators, http) as client:
        updated = await client.set_up(transcription={"model": "gpt-realtime-whisper", "language": "en"})
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        for text in ("what is the price", "stop please"):
            speech = make_speech(text)
            emulators.expect(speech, time.perf_counter())
            await client.hear(read_speech(speech.path))
            delta = await client.until("conversation.item.input_audio_transcription.delta")
            assert text.startswith(delta["delta"])
            await client.hear(SILENCE[: SAMPLE_RATE // 10])
            await client.send("input_audio_buffer.commit")
            committed = await client.until("input_audio_buffer.committed")
            assert committed["item_id"] == delta["item_id"]
            completed = await client.until("conversation.item.input_audio_transcription.completed")
            deltas = [event["delta"] for event in client.received if event.get("delta")]
            assert (completed["transcript"], "".join(deltas)) == (text, text)
            client.received.clear()


async def test_a_wrong_event_is_told_and_the_session_goes_on(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    async with connected(emulators, http) as client:
        await client.send("input_audio_buffer.commit", event_id="mine")
        error = await client.until("error")
        assert (error["error"]["code"], error["error"]["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
        await client.send("response.create")
        assert (await client.until("error"))["error"]["code"] == "invalid_value"
        await client.send("session.update", session={"type": "realtime"})
        assert (await client.until("error"))["error"]["code"] == "invalid_value"
        detection = {"type": "server_vad", "silence_duration_ms": 350}
        await client.send(
            "session.update",
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}, "turn_detection": detection}},
            },
        )
        assert "not supported" in (await client.until("error"))["error"]["message"]
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
