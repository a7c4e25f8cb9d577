"""What the stock plugins and the emulators say to each other has the shapes that the providers publish."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, ChatContext, function_tool, llm, stt, utils
from livekit.plugins import deepgram, openai
from livekit.plugins.openai import realtime, responses
from openai import AsyncOpenAI

from voiceworker.lab.audio import SAMPLE_RATE, read_speech
from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators, Reply, ToolCall, scripted
from voiceworker.lab.emulators.faults import FaultKind
from voiceworker.lab.emulators.shapes import Address, Shapes, problems_of
from voiceworker.lab.emulators.shapes_deepgram import deepgram_shapes
from voiceworker.lab.emulators.shapes_openai import OPENAI
from voiceworker.lab.emulators.wire import Exchange, WireLog
from voiceworker.lab.speech import Speech

pytestmark = pytest.mark.slow

MakeSpeech = Callable[..., Speech]
ONCE = APIConnectOptions(max_retry=0, timeout=5)
QUICK = Delays(first_interim_seconds=0.2, final_seconds=0.05, first_token_seconds=0.01, tokens_per_second=500)
FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT


def emulating(*faults: Fault) -> ProviderEmulators:
    return ProviderEmulators(delays=QUICK, faults=faults, speech_speed=100, wire_log=True)


def kinds_of(wire: WireLog, direction: Any) -> set[str]:
    kinds: set[str] = set()
    for exchange in wire.exchanges:
        kinds |= {message.get("event") or message["type"] for message in exchange.messages(direction)}
    return kinds


@pytest.fixture(scope="module")
def of_deepgram() -> Mapping[Address, Shapes]:
    try:
        return deepgram_shapes()
    except ModuleNotFoundError:
        pytest.skip("deepgram-sdk, which has Deepgram's published shapes, is not installed")


@function_tool
async def price_of(service: str) -> str:
    """The price of a service."""
    return service


# --- llm ---


@asynccontextmanager
async def any_model(emulators: ProviderEmulators, kind: str) -> AsyncIterator[openai.LLM | responses.LLM]:
    url, key = emulators.openai_url, "key-a"
    async with utils.http_context.open():
        model: openai.LLM | responses.LLM
        if kind == "chat":
            model = openai.LLM(model="gpt-4.1-mini", base_url=url, api_key=key)
        elif kind == "events":
            model = responses.LLM(model="gpt-4.1-mini", base_url=url, api_key=key, use_websocket=False)
        else:
            model = responses.LLM(model="gpt-4.1-mini", base_url=f"{url}/responses", api_key=key)
        async with model:
            yield model


async def ask(model: openai.LLM | responses.LLM, chat: ChatContext) -> list[llm.FunctionToolCall]:
    calls: list[llm.FunctionToolCall] = []
    async with model.chat(chat_ctx=chat, tools=[price_of], conn_options=ONCE) as stream, asyncio.timeout(5):
        async for chunk in stream:
            calls += chunk.delta.tool_calls if chunk.delta is not None else []
    return calls


@pytest.mark.parametrize("kind", ["chat", "events", "websocket"])
async def test_a_conversation_with_a_tool(kind: str) -> None:
    async with emulating() as emulators:
        emulators.replies = scripted([Reply("castle", (ToolCall("price_of", {"service": "a cut"}),)), "river"])
        async with any_model(emulators, kind) as model:
            chat = ChatContext.empty()
            chat.add_message(role="system", content="You are terse.")
            chat.add_message(role="user", content="what does it cost")
            (call,) = await ask(model, chat)
            chat.items.append(llm.FunctionCall(call_id=call.call_id, name=call.name, arguments=call.arguments))
            output = llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output="ten", is_error=False)
            chat.items.append(output)
            assert await ask(model, chat) == []
    assert problems_of(emulators.wire, OPENAI) == []
    if kind != "chat":
        told = kinds_of(emulators.wire, "sent")
        assert {"response.created", "response.function_call_arguments.done", "response.completed"} <= told


@pytest.mark.parametrize("kind", ["chat", "events", "websocket"])
@pytest.mark.parametrize("fault", ["status", "error_midstream"])
async def test_an_error_of_a_model(kind: str, fault: FaultKind) -> None:
    async with emulating(Fault("llm", fault, nth=1, status=429)) as emulators, any_model(emulators, kind) as model:
        chat = ChatContext.empty()
        chat.add_message(role="user", content="hello")
        with pytest.raises(APIError):
            await ask(model, chat)
    assert problems_of(emulators.wire, OPENAI) == []


async def test_what_openai_s_own_client_asks() -> None:
    async with (
        emulating() as emulators,
        AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client,
    ):
        assert [one.id async for one in client.models.list()]
        await client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "hello"}])
        await client.responses.create(model="gpt-4.1", input="hello", max_output_tokens=3)
    assert problems_of(emulators.wire, OPENAI) == []


# --- tts ---


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
async def test_speech_of_openai(model: str) -> None:
    async with emulating() as emulators:
        voice = openai.TTS(base_url=emulators.openai_url, api_key="key-a", model=model)
        await voice.synthesize("Amber castle.").collect()
        await voice.aclose()
    assert problems_of(emulators.wire, OPENAI) == []


@pytest.mark.parametrize("fault", [None, "status", "error_midstream"])
async def test_speech_of_deepgram(
    fault: FaultKind | None, http: aiohttp.ClientSession, of_deepgram: Mapping[Address, Shapes]
) -> None:
    async with emulating(*([Fault("tts", fault, nth=1)] if fault else [])) as emulators:
        url = f"{emulators.deepgram_url}/v1/speak"
        voice = deepgram.TTS(base_url=url, api_key="key-a", http_session=http)
        stream = voice.stream(conn_options=ONCE)
        stream.push_text("Amber castle.")
        stream.end_input()
        try:
            events = [event async for event in stream]
            assert (events != []) == (fault is None)
        except APIError:
            assert fault is not None
        await stream.aclose()
        if fault is None:
            await voice.synthesize("River.").collect()
        await voice.aclose()
    assert problems_of(emulators.wire, of_deepgram) == []


# --- stt ---


def say(emulators: ProviderEmulators, stream: stt.RecognizeStream, speech: Speech) -> None:
    emulators.expect(speech, time.perf_counter())
    samples = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE // 2, np.int16)])
    stream.push_frame(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))


async def until_final(stream: stt.RecognizeStream) -> None:
    async with asyncio.timeout(5):
        async for event in stream:
            if event.type is FINAL:
                return


async def test_streams_of_deepgram(
    http: aiohttp.ClientSession, make_speech: MakeSpeech, of_deepgram: Mapping[Address, Shapes]
) -> None:
    async with emulating() as emulators:
        nova = deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key-a", http_session=http)
        stream = nova.stream()
        say(emulators, stream, make_speech("What is | the price?"))
        await until_final(stream)
        stream.end_input()
        async with asyncio.timeout(5):  # the stream itself ends with the plugin's next KeepAlive
            while "Metadata" not in kinds_of(emulators.wire, "sent"):
                await asyncio.sleep(0.01)
        await stream.aclose()
    assert problems_of(emulators.wire, of_deepgram) == []
    assert {"SpeechStarted", "Results", "Metadata"} <= kinds_of(emulators.wire, "sent")
    assert {"CloseStream"} <= kinds_of(emulators.wire, "received")


async def test_turns_of_deepgram(
    http: aiohttp.ClientSession, make_speech: MakeSpeech, of_deepgram: Mapping[Address, Shapes]
) -> None:
    async with emulating() as emulators:
        url = f"{emulators.deepgram_url}/v2/listen"
        flux = deepgram.STTv2(base_url=url, api_key="key-a", http_session=http, eager_eot_threshold=0.4)
        async with flux.stream() as stream:
            say(emulators, stream, make_speech("What is the price?"))
            await until_final(stream)
            flux.update_options(eot_threshold=0.8, keyterm=["haircut"])
            say(emulators, stream, make_speech("Stop, please."))
            await until_final(stream)
    assert problems_of(emulators.wire, of_deepgram) == []
    told = kinds_of(emulators.wire, "sent")
    assert {"Connected", "StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn", "ConfigureSuccess"} <= told


@pytest.mark.parametrize("path", ["v1", "v2"])
async def test_a_stream_of_deepgram_that_breaks_off(
    path: str, http: aiohttp.ClientSession, of_deepgram: Mapping[Address, Shapes]
) -> None:
    async with emulating(Fault("stt", "error_midstream", nth=1)) as emulators:
        url = f"{emulators.deepgram_url}/{path}/listen"
        kind = deepgram.STT if path == "v1" else deepgram.STTv2
        stream = kind(base_url=url, api_key="key-a", http_session=http).stream(conn_options=ONCE)
        with pytest.raises(APIError):
            await until_final(stream)
        await stream.aclose()
    assert problems_of(emulators.wire, of_deepgram) == []
    assert "Error" in kinds_of(emulators.wire, "sent")


@pytest.mark.parametrize("fault", [None, "status"])
async def test_recordings_of_deepgram(
    fault: FaultKind | None, http: aiohttp.ClientSession, make_speech: MakeSpeech, of_deepgram: Mapping[Address, Shapes]
) -> None:
    async with emulating(*([Fault("stt", fault, nth=1, status=429)] if fault else [])) as emulators:
        speech = make_speech("What is the price?")
        emulators.expect(speech, time.perf_counter())
        frame = rtc.AudioFrame(read_speech(speech.path).tobytes(), SAMPLE_RATE, 1, len(read_speech(speech.path)))
        nova = deepgram.STT(base_url=f"{emulators.deepgram_url}/v1/listen", api_key="key-a", http_session=http)
        try:
            await nova.recognize([frame], conn_options=ONCE)
            assert fault is None
        except APIError:
            assert fault is not None
    assert problems_of(emulators.wire, of_deepgram) == []


@pytest.mark.parametrize("model", ["gpt-4o-mini-transcribe", "whisper-1", "realtime"])
async def test_transcription_of_openai(model: str, make_speech: MakeSpeech) -> None:
    async with (
        emulating() as emulators,
        utils.http_context.open(),
        AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client,
    ):
        speech = make_speech("What is the price?")
        if model == "realtime":
            recogniser = openai.STT(model="gpt-4o-mini-transcribe", use_realtime=True, client=client)
            async with recogniser.stream() as stream:
                say(emulators, stream, speech)
                await until_final(stream)
            await recogniser.aclose()
        else:
            emulators.expect(speech, time.perf_counter())
            samples = read_speech(speech.path)
            frame = rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples))
            await openai.STT(model=model, client=client).recognize([frame])
    assert problems_of(emulators.wire, OPENAI) == []


# --- speech to speech ---


async def test_a_session_of_speech_to_speech(http: aiohttp.ClientSession, make_speech: MakeSpeech) -> None:
    async with emulating() as emulators:
        emulators.replies = scripted([Reply("castle", (ToolCall("price_of", {"service": "a cut"}),)), "river"])
        model = realtime.RealtimeModel(base_url=emulators.openai_url, api_key="key-a", http_session=http)
        session = model.session()
        await session.update_instructions("You are terse.")
        await session.update_tools([price_of])
        speech = make_speech("what does it cost")
        emulators.expect(speech, time.perf_counter())
        samples = np.concatenate([read_speech(speech.path), np.zeros(SAMPLE_RATE, np.int16)])
        session.push_audio(rtc.AudioFrame(samples.tobytes(), SAMPLE_RATE, 1, len(samples)))
        async with asyncio.timeout(5):
            while "response.done" not in kinds_of(emulators.wire, "sent"):
                await asyncio.sleep(0.01)
        await session.aclose()
    assert problems_of(emulators.wire, OPENAI) == []
    assert {"session.update", "input_audio_buffer.append"} <= kinds_of(emulators.wire, "received")


# --- the check itself ---


def test_what_is_wrong_is_found() -> None:
    exchange = Exchange("GET", "/v1/responses", {}, {"upgrade": "websocket"})
    exchange.record("received", "text", '{"type": "response.create", "input": "x", "colour": "red"}')
    exchange.record("sent", "text", '{"type": "response.output_text.delta", "delta": 3}')
    exchange.record("sent", "text", '{"type": "response.sung"}')
    exchange.record("sent", "text", '{"type": "Resu')
    other = Exchange("GET", "/v1/elsewhere", {}, {})
    problems = " / ".join(problems_of(WireLog([exchange, other]), OPENAI))
    for told in (
        "received 0: response.create: colour is not known",
        "delta: Input should be a valid string",
        "item_id: Field required",
        "type response.sung is not known",
        "sent 3: no JSON",
        "GET /v1/elsewhere: no published shape",
    ):
        assert told in problems


async def test_keys_are_not_kept(http: aiohttp.ClientSession) -> None:
    async with emulating() as emulators:
        headers = {"Authorization": "Bearer key-planted", "xi-api-key": "key-planted"}
        async with http.get(f"{emulators.openai_url}/models", headers=headers) as answer:
            assert answer.status == 200
        assert "key-planted" not in repr(emulators.wire)
        assert emulators.wire.exchanges[0].status == 200
