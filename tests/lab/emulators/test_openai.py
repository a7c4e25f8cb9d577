"""The stock plugin on the emulator, over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
import soxr
from livekit import rtc
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    ChatContext,
    function_tool,
    llm,
)
from livekit.plugins import openai
from openai import AsyncOpenAI

from voiceworker.lab.audio import SAMPLE_RATE
from voiceworker.lab.emulators import (
    Conversation,
    Delays,
    Fault,
    ProviderEmulators,
    Reply,
    Sentences,
    ToolCall,
    scripted,
)
from voiceworker.lab.emulators.tones import VOCABULARY, decode, words_of

pytestmark = pytest.mark.slow

ONCE = APIConnectOptions(max_retry=0, timeout=2)


def model(emulators: ProviderEmulators, key: str = "key-a") -> openai.LLM:
    return openai.LLM(model="gpt-4.1-mini", base_url=emulators.openai_url, api_key=key)


def voice(emulators: ProviderEmulators, **options: str) -> openai.TTS:
    return openai.TTS(base_url=emulators.openai_url, api_key="key-a", **options)  # type: ignore[arg-type]


def context(*texts: str) -> ChatContext:
    chat = ChatContext.empty()
    chat.add_message(role="system", content="You are terse.")
    for index, text in enumerate(texts):
        chat.add_message(role="assistant" if index % 2 else "user", content=text)
    return chat


@function_tool
async def price_of(service: str) -> str:
    """The price of a service."""
    return service


async def read(
    stream: AsyncIterator[llm.ChatChunk],
) -> tuple[str, list[llm.FunctionToolCall], llm.CompletionUsage | None]:
    text, calls, usage = "", [], None
    async with asyncio.timeout(5):
        async for chunk in stream:
            if chunk.delta is not None:
                text += chunk.delta.content or ""
                calls += chunk.delta.tool_calls
            usage = chunk.usage or usage
    return text, calls, usage


# --- chat ---


async def test_a_reply_is_streamed_with_its_usage(emulators: ProviderEmulators) -> None:
    async with model(emulators) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
        text, calls, usage = await read(stream)
    assert text == Sentences().text(1)
    assert len(words_of(text)) == 24
    assert set(words_of(text)) <= set(VOCABULARY)
    assert calls == []
    assert usage is not None
    assert usage.completion_tokens == 24
    assert usage.prompt_tokens == 3 + 1 + 2 * 4
    bill = emulators.bill.total("llm", "key-a")
    assert (bill.requests, bill.prompt_tokens, bill.completion_tokens) == (1, 12, 24)
    (request,) = emulators.chats()
    assert request.last_user_text == "hello"
    assert request.text == text
    assert [message["role"] for message in request.messages] == ["system", "user"]


async def test_tokens_come_at_their_rate_after_the_first() -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.1, tokens_per_second=100)) as emulators:
        async with model(emulators) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
            times = [time.perf_counter() async for chunk in stream if chunk.delta is not None and chunk.delta.content]
        (request,) = emulators.chats()
    assert request.first_byte_at is not None
    assert request.first_byte_at - request.started_at >= 0.1
    assert times[-1] - times[0] > 0.15  # the first may be late, the last is not early


async def test_tools_are_called_and_their_results_answered(emulators: ProviderEmulators) -> None:
    emulators.replies = scripted([Reply("castle", tool_calls=(ToolCall("price_of", {"service": "a haircut"}),))])
    async with model(emulators) as gpt:
        chat = context("what does it cost")
        async with gpt.chat(chat_ctx=chat, tools=[price_of]) as stream:
            _, calls, usage = await read(stream)
        (call,) = calls
        assert (call.name, json.loads(call.arguments)) == ("price_of", {"service": "a haircut"})
        assert usage is not None
        assert usage.completion_tokens > 3
        chat.items.append(llm.FunctionCall(call_id=call.call_id, name=call.name, arguments=call.arguments))
        chat.items.append(
            llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output="ten pounds", is_error=False)
        )
        async with gpt.chat(chat_ctx=chat, tools=[price_of]) as stream:
            text, calls, _ = await read(stream)
    assert (text, calls) == ("castle", [])
    first, second = emulators.chats()
    assert [tool["function"]["name"] for tool in first.tools] == ["price_of"]
    assert first.tool_calls == ["price_of"]
    assert second.messages[-1]["role"] == "tool"


async def test_a_reply_may_depend_on_the_conversation(emulators: ProviderEmulators) -> None:
    def answer(conversation: Conversation) -> str:
        assert conversation.tool_names == ("price_of",)
        return "amber" if "stop" in conversation.user_texts[-1] else "river"

    emulators.replies = answer
    async with model(emulators) as gpt:
        for said, expected in (("stop it", "amber"), ("go on", "river")):
            async with gpt.chat(chat_ctx=context(said), tools=[price_of]) as stream:
                assert (await read(stream))[0] == expected


async def test_a_reply_that_nobody_waits_for_is_billed_as_far_as_it_was_made() -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.02, tokens_per_second=50)) as emulators:
        async with model(emulators) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
            await asyncio.wait_for(anext(stream), 2)
            await stream.aclose()
            async with asyncio.timeout(2):
                while emulators.requests[0].ended_at is None:
                    await asyncio.sleep(0.01)
        bill = emulators.bill.total("llm")
        assert bill.cancelled_requests == 1
        assert 0 < bill.completion_tokens < 12
        assert bill.prompt_tokens == 12


async def test_a_request_that_is_given_up_before_the_first_token_costs_its_prompt() -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=5)) as emulators:
        async with model(emulators) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
            async with asyncio.timeout(2):
                while not emulators.requests:
                    await asyncio.sleep(0.01)
            await stream.aclose()
            async with asyncio.timeout(2):
                while emulators.requests[0].ended_at is None:
                    await asyncio.sleep(0.01)
        bill = emulators.bill.total("llm")
        assert (bill.cancelled_requests, bill.completion_tokens, bill.prompt_tokens) == (1, 0, 12)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("llm", "status", nth=1, status=500), APIStatusError),
        (Fault("llm", "status", nth=1, status=429), APIStatusError),
        (Fault("llm", "refuse", nth=1), APIConnectionError),
        (Fault("llm", "reset", nth=1, after_seconds=0.02), APIError),
    ],
)
async def test_a_fault_is_the_plugin_s_own_error(fault: Fault, error: type[Exception]) -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.01), faults=[fault]) as emulators:
        async with model(emulators) as gpt:
            stream = gpt.chat(chat_ctx=context("hello"), conn_options=ONCE)
            with pytest.raises(error) as raised:
                await read(stream)
            await stream.aclose()
        if fault.kind == "status":
            assert raised.value.status_code == fault.status  # type: ignore[attr-defined]
        assert emulators.requests[0].failed
        assert emulators.bill.total("llm").failed_requests == 1


async def test_a_stalled_reply_goes_on() -> None:
    delays = Delays(first_token_seconds=0.01, tokens_per_second=1000)
    async with ProviderEmulators(delays=delays, faults=[Fault("llm", "stall", nth=1, seconds=0.2)]) as emulators:
        began = time.perf_counter()
        async with model(emulators) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
            text, _, _ = await read(stream)
    assert len(words_of(text)) == 24
    assert time.perf_counter() - began > 0.2


async def test_a_whole_reply_is_given_to_who_does_not_stream(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]}
    headers = {"Authorization": "Bearer key-b"}
    async with http.post(f"{emulators.openai_url}/chat/completions", json=body, headers=headers) as answer:
        reply = await answer.json()
    assert reply["choices"][0]["message"]["content"] == Sentences().text(1)
    assert reply["usage"]["completion_tokens"] == 24


async def test_what_is_no_request_is_answered_as_the_provider_does(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    url = f"{emulators.openai_url}/chat/completions"
    async with http.post(url, data=b"{", headers={"Authorization": "Bearer key"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
    async with http.post(url, json={"messages": []}) as answer:
        assert answer.status == 401


async def test_the_models_are_listed_and_not_billed(emulators: ProviderEmulators) -> None:
    """What the plugin asks when it warms up its connection."""
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a") as client:
        assert "gpt-4.1-mini" in [one.id async for one in client.models.list()]
    assert emulators.requests == []


# --- speech ---


@pytest.mark.parametrize("response_format", ["mp3", "pcm", "wav", "opus", "flac", "aac"])
@pytest.mark.parametrize("speech_model", ["gpt-4o-mini-tts", "tts-1"])
async def test_a_text_is_spoken_in_every_format(
    emulators: ProviderEmulators, response_format: str, speech_model: str
) -> None:
    """gpt-4o-mini-tts streams events, tts-1 the audio itself; the plugin's default is mp3."""
    tts = voice(emulators, response_format=response_format, model=speech_model)
    frame = await tts.synthesize("Amber castle river spider.").collect()
    await tts.aclose()
    samples = np.frombuffer(frame.data, np.int16)
    if frame.sample_rate != SAMPLE_RATE:
        samples = soxr.resample(samples, frame.sample_rate, SAMPLE_RATE)
    words = decode(samples)
    assert [word.text for word in words] == ["amber", "castle", "river", "spider"]
    if response_format != "flac":  # of which the framework's decoder drops the first 96 ms
        assert words[0].started_seconds == pytest.approx(0.1, abs=0.06)
    bill = emulators.bill.total("tts", "key-a")
    assert (bill.requests, bill.characters) == (1, len("Amber castle river spider."))
    assert bill.audio_seconds == pytest.approx(1.1)


async def test_speech_comes_faster_than_it_is_spoken_and_not_all_at_once() -> None:
    async with ProviderEmulators(delays=Delays(first_audio_seconds=0.05), speech_speed=8) as emulators:
        tts = voice(emulators, response_format="pcm")
        began = time.perf_counter()
        times = []
        async with tts.synthesize("amber castle river spider " * 4) as stream:
            async for _ in stream:
                times.append(time.perf_counter() - began)
        await tts.aclose()
        (request,) = emulators.requests
    assert request.first_byte_at is not None
    assert request.first_byte_at - request.started_at >= 0.05
    assert times[-1] - times[0] > 0.3


async def test_speech_that_is_given_up_is_billed_as_far_as_it_was_sent() -> None:
    async with ProviderEmulators(speech_speed=8) as emulators:
        tts = voice(emulators, response_format="pcm")
        stream = tts.synthesize("amber castle river spider " * 40)
        await asyncio.wait_for(anext(stream), 2)
        await stream.aclose()
        async with asyncio.timeout(2):
            while emulators.requests[0].ended_at is None:
                await asyncio.sleep(0.01)
        await tts.aclose()
        bill = emulators.bill.total("tts")
        assert bill.cancelled_requests == 1
        assert bill.characters == len("amber castle river spider " * 40)
        assert 0 < bill.audio_seconds < 20


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("tts", "status", nth=1, status=503), APIStatusError),
        (Fault("tts", "refuse", nth=1), APIConnectionError),
        (Fault("tts", "reset", nth=1, after_seconds=0.01), APIConnectionError),
    ],
)
async def test_a_fault_of_the_voice_is_the_plugin_s_own_error(fault: Fault, error: type[Exception]) -> None:
    async with ProviderEmulators(faults=[fault]) as emulators:
        tts = voice(emulators)
        stream = tts.synthesize("amber castle river spider " * 4, conn_options=ONCE)
        with pytest.raises(error):
            await stream.collect()
        await stream.aclose()
        await tts.aclose()


async def test_two_sentences_are_heard_in_the_rate_of_the_call() -> None:
    """The frames that the plugin hands on are those of the framework: 24 kHz mono."""
    async with ProviderEmulators(speech_speed=100) as emulators:
        tts = voice(emulators)
        frames = [event.frame async for event in tts.synthesize("Amber. Castle.")]
        await tts.aclose()
    assert {frame.sample_rate for frame in frames} == {SAMPLE_RATE}
    heard = decode(np.frombuffer(rtc.combine_audio_frames(frames).data, np.int16))
    assert [word.text for word in heard] == ["amber", "castle"]
