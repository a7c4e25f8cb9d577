"""The stock plugin's realtime session on the emulator, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai import realtime
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad
from pydantic import TypeAdapter

from voiceworker.lab.audio import SAMPLE_RATE, Samples, read_speech
from voiceworker.lab.emulators import Conversation, Fault, ProviderEmulators, Reply, ToolCall
from voiceworker.lab.emulators.tones import decode
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
REPLY = "amber anchor apple arrow"


class Client:
    """The plugin's session, and what it has told."""

    def __init__(self, session: realtime.RealtimeSession) -> None:
        self.session = session
        self.events: list[dict[str, Any]] = []
        self.transcripts: list[str] = []
        self.errors: list[llm.RealtimeModelError] = []
        self._changed = asyncio.Event()
        session.on("openai_server_event_received", self._received)
        session.on("input_audio_transcription_completed", self._transcribed)
        session.on("error", self._failed)

    def _received(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._changed.set()

    def _failed(self, error: llm.RealtimeModelError) -> None:
        self.errors.append(error)
        self._changed.set()

    def _transcribed(self, event: llm.InputTranscriptionCompleted) -> None:
        if event.is_final:
            self.transcripts.append(event.transcript)

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.events)

    async def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while self.count(kind) < count:
                self._changed.clear()
                await self._changed.wait()
        return [event for event in self.events if event["type"] == kind][count - 1]

    async def failure(self) -> llm.RealtimeModelError:
        async with asyncio.timeout(5):
            while not self.errors:
                self._changed.clear()
                await self._changed.wait()
        return self.errors[0]

    def hear(self, samples: Samples) -> None:
        for begin in range(0, len(samples), SAMPLE_RATE // 50):
            chunk = samples[begin : begin + SAMPLE_RATE // 50]
            self.session.push_audio(rtc.AudioFrame(chunk.tobytes(), SAMPLE_RATE, 1, len(chunk)))

    async def reply(self, **how: Any) -> tuple[str, Samples, list[llm.FunctionCall]]:
        return await take(await self.session.generate_reply(**how))


async def take(generation: llm.GenerationCreatedEvent) -> tuple[str, Samples, list[llm.FunctionCall]]:
    text, frames = "", [np.zeros(0, np.int16)]
    async for message in generation.message_stream:
        async for part in message.text_stream:
            text += part
        async for frame in message.audio_stream:
            frames.append(np.frombuffer(frame.data, np.int16))
    calls = [call async for call in generation.function_stream]
    return text, np.concatenate(frames), calls


@asynccontextmanager
async def client(emulators: ProviderEmulators, **options: Any) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        options = {"turn_detection": None} | options
        model = realtime.RealtimeModel(api_key="key", base_url=emulators.openai_url, http_session=http, **options)
        session = model.session()
        try:
            yield Client(session)
        finally:
            with contextlib.suppress(ValueError):  # of a frame that was no JSON: the session tells it again at its end
                await session.aclose()


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def saying(*replies: Reply | str) -> Callable[[Conversation], Reply | str]:
    rest = list(replies)
    return lambda conversation: rest.pop(0) if rest else REPLY


async def test_a_committed_turn_is_transcribed_and_answered_in_speech(
    emulators: ProviderEmulators, make_speech: MakeSpeech
) -> None:
    emulators.replies = saying(REPLY)
    speech = make_speech("what is the price of a haircut")
    async with client(emulators) as caller:
        emulators.expect(speech, time.perf_counter())
        caller.hear(np.concatenate([silence(0.3), read_speech(speech.path), silence(0.3)]))
        caller.session.commit_audio()
        text, audio, calls = await caller.reply()
        await caller.until("conversation.item.input_audio_transcription.completed")
        assert caller.transcripts == [speech.text]
        assert (text.strip(), calls) == (REPLY, [])
        assert [word.text for word in decode(audio)] == REPLY.split()
        assert emulators.realtime.sessions[0].texts == [speech.text, REPLY]
    assert emulators.unheard == []


async def test_every_event_has_the_published_shape(emulators: ProviderEmulators, make_speech: MakeSpeech) -> None:
    shapes: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
    emulators.replies = saying(Reply("amber", (ToolCall("look_up", {"what": "hours"}),)), REPLY)
    speech = make_speech("are you open")
    detection = ServerVad(type="server_vad", silence_duration_ms=300)
    async with client(emulators, turn_detection=detection) as caller:
        emulators.expect(speech, time.perf_counter())
        caller.hear(np.concatenate([silence(0.3), read_speech(speech.path), silence(0.6)]))
        done = await caller.until("response.done")
        item = done["response"]["output"][0]["id"]
        caller.session.truncate(message_id=item, modalities=["audio"], audio_end_ms=150)
        await caller.until("conversation.item.truncated")
        caller.session.send_event({"type": "conversation.item.delete", "item_id": item})
        caller.session.send_event({"type": "input_audio_buffer.clear"})
        caller.session.send_event({"type": "nonsense", "event_id": "mine"})
        assert (await caller.until("error"))["error"]["event_id"] == "mine"
        await caller.until("input_audio_buffer.cleared")
        events = caller.events
    for event in events:
        shapes.validate_python(event, strict=False)
        shapes.validate_json(json.dumps(event))
    assert {event["type"] for event in events} >= {
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.deleted",
        "response.created",
        "response.output_audio.done",
        "response.function_call_arguments.done",
    }


async def test_a_tool_is_called_and_its_result_is_read(emulators: ProviderEmulators) -> None:
    heard: list[Conversation] = []

    def reply(conversation: Conversation) -> Reply | str:
        heard.append(conversation)
        if conversation.is_after_tool:
            return f"it is {conversation.messages[-1]['content']}"
        return Reply(tool_calls=(ToolCall("look_up", {"what": "hours"}),))

    emulators.replies = reply

    @llm.function_tool
    async def look_up(what: str) -> str:
        """Looks something up."""
        return what

    async with client(emulators) as caller:
        await caller.session.update_instructions("Be kind.")
        await caller.session.update_tools([look_up])
        text, _, calls = await caller.reply()
        assert (text, [(call.name, call.arguments) for call in calls]) == ("", [("look_up", '{"what": "hours"}')])
        context = caller.session.chat_ctx.copy()
        answer = llm.FunctionCallOutput(call_id=calls[0].call_id, name="look_up", output="nine", is_error=False)
        context.items.append(answer)
        await caller.session.update_chat_ctx(context)
        assert (await caller.reply())[0].strip() == "it is nine"
    assert heard[0].tool_names == ("look_up",)
    assert heard[0].messages[0] == {"role": "system", "content": "Be kind."}


async def test_a_truncated_reply_is_remembered_as_it_was_heard(emulators: ProviderEmulators) -> None:
    emulators.replies = saying(REPLY)
    async with client(emulators) as caller:
        await caller.reply()
        item = caller.session.chat_ctx.items[-1].id
        caller.session.truncate(message_id=item, modalities=["audio"], audio_end_ms=100 + 2 * 250 + 40)
        await caller.until("conversation.item.truncated")
        assert emulators.realtime.sessions[0].texts == ["amber anchor"]
        caller.session.truncate(message_id=item, modalities=["audio"], audio_end_ms=60_000)
        assert "already shorter" in (await caller.until("error"))["error"]["message"]


async def test_a_cancelled_response_ends_at_once_and_costs_what_was_made() -> None:
    async with ProviderEmulators(speech_speed=2) as emulators, client(emulators) as caller:
        caller.session.generate_reply()
        await caller.until("response.output_audio.delta", 3)
        caller.session.interrupt()
        done = await caller.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert 0 < done["response"]["usage"]["output_token_details"]["audio_tokens"] < 40
        assert caller.errors == []
    assert emulators.bill.total("realtime").cancelled_requests == 1


async def test_server_side_turn_detection_answers_and_interrupts(make_speech: MakeSpeech) -> None:
    detection = ServerVad(type="server_vad", silence_duration_ms=300)
    speech = make_speech("stop please")
    async with (
        ProviderEmulators(speech_speed=1) as emulators,
        client(emulators, turn_detection=detection) as caller,
    ):
        for count in (1, 2):
            caller.hear(np.concatenate([read_speech(speech.path), silence(0.5)]))
            await caller.until("response.created", count)
        assert (await caller.until("response.done"))["response"]["status_details"]["reason"] == "turn_detected"


async def test_usage_counts_audio_and_text_and_what_was_read_before(
    emulators: ProviderEmulators, make_speech: MakeSpeech
) -> None:
    emulators.replies = saying(REPLY, REPLY)
    speech = make_speech("what is the price")
    metrics: list[Any] = []
    async with client(emulators) as caller:
        caller.session.on("metrics_collected", metrics.append)
        await caller.session.update_instructions("Be kind to everybody.")
        for _ in range(2):
            caller.hear(read_speech(speech.path))
            caller.session.commit_audio()
            await caller.reply()
    first, second = emulators.realtime.sessions[0].usages
    assert first["input_token_details"]["audio_tokens"] == 12
    assert first["input_token_details"]["cached_tokens"] == 0
    assert first["output_token_details"] == {"text_tokens": 6, "audio_tokens": 22}
    assert second["input_token_details"]["audio_tokens"] == 12 + 12 + 22
    assert second["input_token_details"]["cached_tokens_details"]["audio_tokens"] == 12
    account = emulators.bill.total("realtime")
    assert account.prompt_tokens == first["input_tokens"] + second["input_tokens"]
    told = [one for one in metrics if one.type == "realtime_model_metrics" and one.request_id]
    assert [one.input_tokens for one in told] == [first["input_tokens"], second["input_tokens"]]


async def test_a_session_ends_at_its_cap_as_the_provider_ends_it(emulators: ProviderEmulators) -> None:
    emulators.realtime.session_seconds = 0.2
    async with client(emulators) as caller:
        error = await caller.until("error")
        assert error["error"]["code"] == "session_expired"
        await caller.until("session.created", 2)  # the plugin connects again by itself
    assert emulators.realtime.sessions[0].expired


async def test_speech_of_which_the_beginning_is_lost_is_transcribed_without_it(
    emulators: ProviderEmulators, make_speech: MakeSpeech
) -> None:
    speech = make_speech("one two three four five six")
    async with client(emulators) as caller:
        emulators.expect(speech, time.perf_counter())
        caller.hear(read_speech(speech.path)[round(0.65 * SAMPLE_RATE) :])
        caller.session.commit_audio()
        await caller.until("conversation.item.input_audio_transcription.completed")
        assert caller.transcripts == ["three four five six"]


@pytest.mark.parametrize("kind", ["refuse", "status", "reset", "early_close", "error_midstream", "malformed"])
async def test_a_fault_strikes_the_connection_that_it_names(kind: Any) -> None:
    faults = [Fault("realtime", kind, nth=1, after_seconds=0.05)]
    async with ProviderEmulators(faults=faults, speech_speed=100) as emulators, client(emulators) as caller:
        error = await caller.failure()
        assert error.recoverable == (kind != "malformed")  # the plugin's session does not survive a frame without JSON
        assert emulators.requests[0].failed
