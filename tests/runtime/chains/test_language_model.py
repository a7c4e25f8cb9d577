"""The stock plugin on the emulator, over real sockets, with everything that can go wrong at a provider."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from livekit.agents import APIConnectionError, llm
from livekit.plugins import openai

from voiceworker.lab.emulators import Fault, Reply, Sentences, ToolCall
from voiceworker.policy.breaker import State
from voiceworker.runtime.chains import Link
from voiceworker.runtime.chains.language_model import LanguageModelChain, ReplyPatience

pytestmark = pytest.mark.slow

FIRST, SECOND = "key-first", "key-second"
Bench = Any
MakeBench = Callable[..., AbstractAsyncContextManager[Any]]
QUICK = ReplyPatience(
    first_token_seconds=0.25,
    next_token_seconds=0.25,
    last_token_seconds=0.6,
    stall_seconds=0.15,
    longest_gap_seconds=0.2,
    filler_seconds=0.1,
)
TEXT = Sentences(24).text(1)


def model(bench: Bench, key: str) -> openai.LLM:
    return openai.LLM(model="gpt-4.1-mini", api_key=key, base_url=bench.emulators.openai_url)


def chain_of(bench: Bench, *keys: str, **options: Any) -> LanguageModelChain:
    links: list[Link[llm.LLM[Any]]] = [Link(f"openai/{key}", model(bench, key)) for key in keys or (FIRST, SECOND)]
    return LanguageModelChain(links, bench.breakers, bench.switches.append, patience=QUICK, **options)


def asked(text: str = "When are you open?") -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content=text)
    return context


async def reply(chain: LanguageModelChain, **options: Any) -> tuple[str, list[str]]:
    text, calls = "", []
    async with asyncio.timeout(5), chain.chat(chat_ctx=asked(), **options) as stream:
        async for chunk in stream:
            if chunk.delta is not None:
                text += chunk.delta.content or ""
                calls += [call.name for call in chunk.delta.tool_calls]
    return text, calls


BEFORE = [
    (Fault("llm", "refuse", nth=1, api_key=FIRST), "connection lost"),
    (Fault("llm", "status", nth=1, status=503, api_key=FIRST), "failed with 503"),
    (Fault("llm", "status", nth=1, status=401, api_key=FIRST), "refused with 401"),
    (Fault("llm", "status", nth=1, status=429, retry_after_seconds=7, api_key=FIRST), "rate limited"),
    (Fault("llm", "hang", nth=1, api_key=FIRST), "no token came"),
    (Fault("llm", "stall", nth=1, api_key=FIRST), "no token came"),
    (Fault("llm", "reset", nth=1, api_key=FIRST), None),
    (Fault("llm", "early_close", nth=1, api_key=FIRST), "closed early"),
    (Fault("llm", "error_midstream", nth=1, api_key=FIRST), None),
    (Fault("llm", "malformed", nth=1, api_key=FIRST), None),
]
AMIDST = [
    Fault("llm", kind, nth=1, api_key=FIRST, after_seconds=0.02)
    for kind in ("hang", "stall", "reset", "early_close", "error_midstream", "malformed")
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason"), BEFORE, ids=lambda value: getattr(value, "kind", ""))
async def test_a_fault_before_the_first_token_is_not_noticed(
    bench_of: MakeBench, fault: Fault, reason: str | None
) -> None:
    async with bench_of(fault) as bench:
        chain = chain_of(bench)
        assert (await reply(chain))[0] == TEXT
        assert [switch.new for switch in bench.switches] == [f"openai/{SECOND}"]
        assert reason is None or bench.reasons == [reason]
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("fault", AMIDST, ids=lambda fault: fault.kind)
async def test_a_reply_that_breaks_off_is_gone_on_with(bench_of: MakeBench, fault: Fault) -> None:
    async with bench_of(fault) as bench:
        chain = chain_of(bench)
        assert (await reply(chain))[0] == TEXT
        assert len(bench.switches) == 1
        asked_again = bench.emulators.chats(SECOND)[0].messages
        assert asked_again[-2]["role"] == "assistant"
        assert TEXT.startswith(asked_again[-2]["content"])
        await chain.aclose()


@pytest.mark.slow
async def test_tokens_that_come_slower_than_they_are_spoken_are_a_fault(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "drip", nth=1, speed=0.2, api_key=FIRST)) as bench:
        chain = chain_of(bench)
        assert (await reply(chain))[0] == TEXT
        assert bench.reasons == ["tokens stalled"]
        await chain.aclose()


@pytest.mark.slow
@pytest.mark.parametrize(("stall_seconds", "first_clause_seconds"), [(0.2, 60.0), (60.0, 0.2)])
async def test_words_that_make_no_clause_yet_are_silence(
    bench_of: MakeBench, stall_seconds: float, first_clause_seconds: float
) -> None:
    """They are not waited for as if they were being spoken: at two words a second five of them would be."""
    async with bench_of(Fault("llm", "drip", nth=1, speed=0.5, api_key=FIRST)) as bench:
        bench.emulators.replies = Sentences(5)
        chain = chain_of(bench)
        chain.patience = dataclasses.replace(
            QUICK,
            stall_seconds=stall_seconds,
            first_clause_seconds=first_clause_seconds,
            longest_gap_seconds=60.0,
        )
        assert (await reply(chain))[0] == Sentences(5).text(1)
        assert bench.reasons == ["tokens stalled"]
        await chain.aclose()


async def test_the_rate_limit_is_kept_for_as_long_as_the_provider_asks(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "status", nth=1, status=429, retry_after_seconds=7, api_key=FIRST)) as bench:
        chain = chain_of(bench)
        await reply(chain)
        assert bench.breakers.state("llm", f"openai/{FIRST}") is State.OPEN
        assert 6 < bench.breakers.next_deadline("llm", chain.links[:1]) <= 7
        await reply(chain)
        assert len(bench.emulators.chats(FIRST)) == 1
        await chain.aclose()


@pytest.mark.slow
async def test_the_first_serves_again_when_it_works_again(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "status", nth=1, api_key=FIRST)) as bench:
        chain = chain_of(bench)
        await reply(chain)
        await reply(chain)
        assert bench.reasons == ["failed with 503", "recovered"]
        assert chain.serving == f"openai/{FIRST}"
        await chain.aclose()


async def test_a_tool_is_called_once(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "refuse", nth=1, api_key=FIRST)) as bench:
        bench.emulators.replies = lambda conversation: Reply("One second.", (ToolCall("book", {"day": "Monday"}),))
        chain = chain_of(bench)
        assert await reply(chain) == ("One second.", ["book"])
        await chain.aclose()


@pytest.mark.slow
async def test_the_filler_is_said_while_nothing_comes_and_only_when_it_may(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "hang", nth=1, api_key=FIRST)) as bench:
        answers = iter(["", "One moment."])
        chain = chain_of(bench, filler=lambda: next(answers))
        assert (await reply(chain))[0] == f"One moment. {TEXT}"
        assert (await reply(chain))[0] == TEXT  # in time
        await chain.aclose()


class Rules(llm.LLM[Any]):
    """Answers by rules: always the same."""

    def chat(self, *, chat_ctx: llm.ChatContext, tools: Any = None, conn_options: Any = None, **_: Any) -> Any:
        return RulesStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class RulesStream(llm.LLMStream):
    async def _run(self) -> None:
        delta = llm.ChoiceDelta(role="assistant", content="What can I do for you?")
        self._event_ch.send_nowait(llm.ChatChunk(id="rules", delta=delta))


async def test_rules_answer_with_a_sentence_of_their_own(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "reset", probability=1.0, after_seconds=0.01)) as bench:
        links: list[Link[llm.LLM[Any]]] = [
            Link(f"openai/{FIRST}", model(bench, FIRST)),
            Link("script", Rules(), continues=False),
        ]
        chain = LanguageModelChain(links, bench.breakers, bench.switches.append, patience=QUICK)
        text, _ = await reply(chain)
        begun, end = text.split("What can I do for you?")  # a second model that begins anew, and fails, adds nothing
        assert end == ""
        assert TEXT.startswith(begun.removesuffix("… ").rstrip())
        assert chain.serving == "script"
        await chain.aclose()


async def test_when_all_fail_the_error_is_told_once(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "status", probability=1.0)) as bench:
        chain = chain_of(bench)
        errors: list[llm.LLMError] = []
        chain.on("error", errors.append)
        with pytest.raises(APIConnectionError, match="failed with 503"):
            await reply(chain)
        assert [error.recoverable for error in errors] == [False]
        assert len(bench.emulators.requests) == 2
        await chain.aclose()


async def test_one_with_nobody_beside_it_is_asked_once_more_when_it_failed_quickly(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "reset", nth=1)) as bench:
        chain = chain_of(bench, FIRST)
        assert await reply(chain) == (TEXT, [])
        assert bench.switches == []
        await chain.aclose()


@pytest.mark.parametrize("fault", [Fault("llm", "status", nth=1, status=429), Fault("llm", "hang", nth=1)])
async def test_it_is_not_asked_again_where_that_is_in_vain_or_too_late(bench_of: MakeBench, fault: Fault) -> None:
    async with bench_of(fault) as bench:
        chain = chain_of(bench, FIRST)
        with pytest.raises(APIConnectionError, match="no language model answers"):
            await reply(chain)
        assert len(bench.emulators.requests) == 1
        await chain.aclose()


@pytest.mark.slow
async def test_a_caller_who_speaks_on_is_nobody_s_fault(bench_of: MakeBench) -> None:
    async with bench_of(Fault("llm", "hang", probability=1.0)) as bench:
        chain = chain_of(bench)
        for _ in range(3):
            stream = chain.chat(chat_ctx=asked())
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.wait([waiting], timeout=0.02)
            await stream.aclose()
            await asyncio.wait([waiting])
            assert waiting.exception() is not None or waiting.cancelled()
        assert bench.breakers.state("llm", f"openai/{FIRST}") is State.CLOSED
        assert bench.switches == []
        await chain.aclose()
