"""A language model that is counted: tokens read and written, also of answers that nobody waited for."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    NotGivenOr,
    llm,
    metrics,
)

from voiceworker.policy.pricing import Usage
from voiceworker.runtime.metering.counted import CountedEngine, CountedStream
from voiceworker.runtime.metering.requests import (
    Counter,
    TokenCounts,
    ToolLengths,
    answer_characters,
    made_for,
    prompt_characters,
    was_charged,
)


class _Asking:
    """One request for a completion."""

    def __init__(self, name: str, counter: Counter, counts: TokenCounts, characters: int) -> None:
        self.turn = counter.turn
        self._name = name
        self._counter = counter
        self._counts = counts
        self._asked = characters
        self._answered = 0
        "characters of the answer, up to now"
        self._is_sent = False
        self._is_begun = False
        self._figures: Usage | None = None
        "the provider's"

    def sent(self) -> None:
        self._is_sent = True
        self._counter.counted()

    def answering(self) -> None:
        self._is_begun = True

    def read(self, chunk: llm.ChatChunk) -> None:
        if chunk.delta is not None:
            self._is_sent = True
            self._answered += answer_characters(chunk)
        if chunk.usage is not None:
            usage = chunk.usage
            self._know(usage.prompt_tokens, usage.prompt_cached_tokens, usage.completion_tokens)

    def told(self, figures: object) -> None:
        """Figures that had come when the stream was closed, though nobody had read them."""
        if isinstance(figures, metrics.LLMMetrics) and figures.prompt_tokens:
            self._know(figures.prompt_tokens, figures.prompt_cached_tokens, figures.completion_tokens)

    def _know(self, prompt: int, cached: int, completion: int) -> None:
        if self._figures is None:
            self._counts.learn_prompt(self._asked, prompt)
            if completion:
                self._counts.learn_answer(self._answered, completion)
        self._figures = Usage(
            "llm", self._name, input_tokens=prompt, cached_input_tokens=cached, output_tokens=completion
        )
        self._counter.counted()

    def usage(self) -> Usage:
        if self._figures is not None:
            return self._figures
        if not self._is_sent:
            return Usage("llm", self._name)
        return Usage(
            "llm",
            self._name,
            input_tokens=self._counts.prompt(self._asked),
            output_tokens=self._counts.answer(self._answered),
            estimated=True,
        )

    def divide(self, turn: int) -> Usage:
        return Usage("llm", self._name)

    def failed(self, error: Exception, *, goes_on: bool) -> None:
        if was_charged(error, begun=self._is_begun, answered=bool(self._answered)):
            self._counter.add(self.usage(), self.turn)
        self._answered, self._figures, self._is_sent, self._is_begun = 0, None, False, False


class MeteredLLM(CountedEngine[llm.LLM[Any]], llm.LLM[Any]):
    """As the engine in it, in everything."""

    def __init__(self, engine: llm.LLM[Any], name: str, counter: Counter, counts: TokenCounts) -> None:
        super().__init__()
        self._stand_for(engine, name, counter)
        self._counts = counts
        self._tools = ToolLengths()

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        characters = prompt_characters(chat_ctx) + self._tools.of(tools or [])
        request = _Asking(self._name, self._counter, self._counts, characters)
        with made_for(request):
            stream = self._engine.chat(
                chat_ctx=chat_ctx,
                tools=tools,
                conn_options=conn_options,
                parallel_tool_calls=parallel_tool_calls,
                tool_choice=tool_choice,
                extra_kwargs=extra_kwargs,
            )
        self._counter.opened(request)
        if not self._tells_when_sent:
            request.sent()
        return MeteredLLMStream(stream, request, self._counter)

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._engine.prewarm(loop=loop)


class MeteredLLMStream(CountedStream[llm.LLMStream, _Asking], llm.LLMStream):
    async def _run(self) -> None:
        await self._stream._run()

    @property
    def chat_ctx(self) -> llm.ChatContext:
        return self._stream.chat_ctx

    @property
    def tools(self) -> list[llm.Tool]:
        return self._stream.tools

    async def __anext__(self) -> llm.ChatChunk:
        try:
            chunk = await self._stream.__anext__()
        except StopAsyncIteration:
            self._counter.settled(self._request)
            raise
        self._request.read(chunk)
        return chunk
