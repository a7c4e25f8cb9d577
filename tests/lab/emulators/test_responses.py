"""The stock plugin's Responses on the emulator, by WebSocket and by server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from livekit.agents import (
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    ChatContext,
    function_tool,
    llm,
    utils,
)
from livekit.plugins.openai import responses
from openai import AsyncOpenAI, BadRequestError

from voiceworker.lab.emulators import Delays, Fault, ProviderEmulators, Reply, Sentences, ToolCall, scripted
from voiceworker.lab.emulators.faults import FaultKind
from voiceworker.lab.emulators.tones import words_of

pytestmark = pytest.mark.slow

ONCE = APIConnectOptions(max_retry=0, timeout=5)
QUICK = Delays(first_token_seconds=0.01, tokens_per_second=300)
BY = pytest.mark.parametrize("by_websocket", [True, False], ids=["websocket", "events"])


@asynccontextmanager
async def model(emulators: ProviderEmulators, *, by_websocket: bool) -> AsyncIterator[responses.LLM]:
    url = f"{emulators.openai_url}/responses" if by_websocket else emulators.openai_url
    async with utils.http_context.open():
        gpt = responses.LLM(model="gpt-4.1-mini", base_url=url, api_key="key-a", use_websocket=by_websocket)
        try:
            yield gpt
        finally:
            await gpt.aclose()


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


async def ask(
    gpt: responses.LLM, chat: ChatContext, tools: Sequence[llm.Tool] = ()
) -> tuple[str, list[llm.FunctionToolCall], llm.CompletionUsage | None]:
    text, calls, usage = "", [], None
    async with asyncio.timeout(5), gpt.chat(chat_ctx=chat, tools=list(tools), conn_options=ONCE) as stream:
        async for chunk in stream:
            if chunk.delta is not None:
                text += chunk.delta.content or ""
                calls += chunk.delta.tool_calls
            usage = chunk.usage or usage
    return text, calls, usage


@BY
async def test_a_reply_is_streamed_with_its_usage(by_websocket: bool, emulators: ProviderEmulators) -> None:
    async with model(emulators, by_websocket=by_websocket) as gpt:
        text, calls, usage = await ask(gpt, context("hello"))
    assert (text, calls) == (Sentences().text(1), [])
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (3 + 1 + 2 * 4, 24)
    bill = emulators.bill.total("llm", "key-a")
    assert (bill.requests, bill.prompt_tokens, bill.completion_tokens) == (1, 12, 24)
    (request,) = emulators.chats()
    assert (request.last_user_text, request.text, request.path) == ("hello", text, "/v1/responses")
    assert [message["role"] for message in request.messages] == ["system", "user"]


@BY
async def test_tools_are_called_and_their_results_answered(by_websocket: bool, emulators: ProviderEmulators) -> None:
    call = ToolCall("price_of", {"service": "a haircut"})
    emulators.replies = scripted([Reply("castle", tool_calls=(call,))])
    async with model(emulators, by_websocket=by_websocket) as gpt:
        chat = context("what does it cost")
        text, calls, _ = await ask(gpt, chat, [price_of])
        (made,) = calls
        assert (text, made.name, json.loads(made.arguments)) == ("castle", "price_of", {"service": "a haircut"})
        chat.items.append(llm.FunctionCall(call_id=made.call_id, name=made.name, arguments=made.arguments))
        output = llm.FunctionCallOutput(call_id=made.call_id, name=made.name, output="ten pounds", is_error=False)
        chat.items.append(output)
        text, calls, _ = await ask(gpt, chat, [price_of])
    assert (text, calls) == ("castle", [])
    first, second = emulators.chats()
    assert [tool["function"]["name"] for tool in first.tools] == ["price_of"]
    assert first.tool_calls == ["price_of"]
    assert [message["role"] for message in second.messages][-1] == "tool"
    assert second.last_user_text == "what does it cost"


async def test_what_went_before_is_known_by_its_id() -> None:
    """The plugin sends only what is new when the conversation goes on; the provider remembers the rest."""
    async with ProviderEmulators(delays=QUICK, wire_log=True) as emulators:
        async with model(emulators, by_websocket=True) as gpt:
            chat = context("hello")
            text, _, _ = await ask(gpt, chat)
            chat.add_message(role="assistant", content=text)
            chat.add_message(role="user", content="and then")
            await ask(gpt, chat)
        (exchange,) = emulators.wire.exchanges
        orders = exchange.messages("received")
        assert "previous_response_id" not in orders[0]
        assert [item.get("content") for item in orders[1]["input"]][-1] == "and then"
        assert orders[1]["previous_response_id"].startswith("resp_")
        second = emulators.chats()[1]
        assert [message["role"] for message in second.messages][:3] == ["system", "user", "assistant"]
        assert second.last_user_text == "and then"
        assert second.text == Sentences().text(2)
        assert emulators.bill.total("llm").prompt_tokens > 2 * 12


async def leave_after_the_first_token(emulators: ProviderEmulators, *, by_websocket: bool) -> None:
    async with model(emulators, by_websocket=by_websocket) as gpt, gpt.chat(chat_ctx=context("hello")) as stream:
        await asyncio.wait_for(anext(stream), 2)
        await stream.aclose()
        async with asyncio.timeout(2):
            while emulators.requests[0].ended_at is None:
                await asyncio.sleep(0.01)


async def test_a_reply_that_nobody_waits_for_is_billed_as_far_as_it_was_made() -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.02, tokens_per_second=50)) as emulators:
        await leave_after_the_first_token(emulators, by_websocket=False)
        bill = emulators.bill.total("llm")
        assert bill.cancelled_requests == 1
        assert 0 < bill.completion_tokens < 12
        assert bill.prompt_tokens == 12


async def test_a_reply_on_a_websocket_is_billed_whole_for_the_plugin_leaves_it_open() -> None:
    """It closes the connection of a request that was given up no sooner than it needs the next."""
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.02, tokens_per_second=100)) as emulators:
        await leave_after_the_first_token(emulators, by_websocket=True)
        bill = emulators.bill.total("llm")
        assert (bill.cancelled_requests, bill.completion_tokens) == (0, 24)


async def test_a_client_that_closes_its_websocket_pays_for_what_was_made(http: aiohttp.ClientSession) -> None:
    async with ProviderEmulators(delays=Delays(first_token_seconds=0.02, tokens_per_second=50)) as emulators:
        headers = {"Authorization": "Bearer key-a"}
        async with http.ws_connect(f"{emulators.openai_url}/responses", headers=headers) as socket:
            await socket.send_json({"type": "response.create", "model": "gpt-4.1", "input": "hello"})
            while (await socket.receive_json())["type"] != "response.output_text.delta":
                pass
        async with asyncio.timeout(2):
            while emulators.requests[0].ended_at is None:
                await asyncio.sleep(0.01)
        bill = emulators.bill.total("llm")
        assert bill.cancelled_requests == 1
        assert 0 < bill.completion_tokens < 12


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("refuse", APIConnectionError),
        ("status", APIError),
        ("reset", APIError),
        ("malformed", APIConnectionError),
        ("error_midstream", APIStatusError),
        ("hang", (APIError, TimeoutError)),
    ],
)
@BY
async def test_a_fault_is_the_plugin_s_own_error(
    by_websocket: bool, kind: FaultKind, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    fault = Fault("llm", kind, nth=1, status=429, retry_after_seconds=1)
    async with ProviderEmulators(delays=QUICK, faults=[fault]) as emulators:
        async with model(emulators, by_websocket=by_websocket) as gpt:
            with pytest.raises(error):
                async with asyncio.timeout(0.5 if kind == "hang" else 5):
                    await ask(gpt, context("hello"))
        assert emulators.requests[0].failed
        assert emulators.bill.total("llm").failed_requests == (0 if kind == "malformed" else 1)


async def test_an_early_end_is_seen_on_a_websocket_and_not_among_events() -> None:
    fault = Fault("llm", "early_close", nth=1, after_seconds=0.02)
    async with ProviderEmulators(delays=QUICK, faults=[fault]) as emulators:
        async with model(emulators, by_websocket=False) as gpt:
            text, _, usage = await ask(gpt, context("hello"))
        assert 0 < len(words_of(text)) < 24
        assert usage is None
    async with (
        ProviderEmulators(delays=QUICK, faults=[fault]) as emulators,
        model(emulators, by_websocket=True) as gpt,
    ):
        with pytest.raises(APIStatusError):
            await ask(gpt, context("hello"))


async def test_a_later_request_on_the_same_websocket_is_refused_by_a_message() -> None:
    fault = Fault("llm", "status", nth=2, status=429)
    async with ProviderEmulators(delays=QUICK, faults=[fault], wire_log=True) as emulators:
        async with model(emulators, by_websocket=True) as gpt:
            await ask(gpt, context("hello"))
            with pytest.raises(APIStatusError, match="Rate limit"):
                await ask(gpt, context("and then"))
            await ask(gpt, context("once more"))
        first, _ = emulators.wire.exchanges  # the plugin leaves a connection on which an error came
        assert first.messages("sent")[-1]["type"] == "error"
        assert [request.failed for request in emulators.chats()] == ["", "status 429", ""]


# --- OpenAI's own client ---


async def test_a_whole_response_and_one_that_is_cut(emulators: ProviderEmulators) -> None:
    async with AsyncOpenAI(base_url=emulators.openai_url, api_key="key-a", max_retries=0) as client:
        whole = await client.responses.create(model="gpt-4.1", input="hello", instructions="Be terse.")
        assert whole.output_text == Sentences().text(1)
        assert whole.usage is not None
        assert whole.usage.input_tokens == 2 + 1 + 2 * 4
        cut = await client.responses.create(model="gpt-4.1", input="hello", max_output_tokens=5)
        assert cut.status == "incomplete"
        assert cut.incomplete_details is not None
        assert len(words_of(cut.output_text)) == 5
        follow = await client.responses.create(model="gpt-4.1", input="and then", previous_response_id=whole.id)
        assert follow.output_text == Sentences().text(2)
        with pytest.raises(BadRequestError, match="not found"):
            await client.responses.create(model="gpt-4.1", input="x", previous_response_id="resp_none")


async def test_what_is_no_request_is_told_on_the_websocket(
    emulators: ProviderEmulators, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": "Bearer key-a"}
    async with http.ws_connect(f"{emulators.openai_url}/responses", headers=headers) as socket:
        for order in ("nonsense", '{"type": "response.create"}'):
            await socket.send_str(order)
            answer = await socket.receive_json()
            assert (answer["type"], answer["status"]) == ("error", 400)
        await socket.send_json({"type": "response.create", "input": "x", "previous_response_id": "resp_none"})
        assert (await socket.receive_json())["error"]["code"] == "previous_response_not_found"
