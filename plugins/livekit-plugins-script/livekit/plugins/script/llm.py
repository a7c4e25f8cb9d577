"""The script as a LiveKit LLM."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from livekit.agents import llm, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr

from .script import Script
from .state import Plan


class LLM(llm.LLM[str]):
    """Answers by rules instead of a model: deterministic, without key or network.

    Every chat() goes by the chat context alone, so speculative calls are free of side effects and any number of
    calls may share one LLM.
    """

    def __init__(self, *, script: Script) -> None:
        super().__init__()
        self.script = script
        script.warm_up()

    @property
    def model(self) -> str:
        return "script"

    @property
    def provider(self) -> str:
        return "voiceworker"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        may_call = tool_choice != "none"
        return LLMStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options, may_call=may_call)


class LLMStream(llm.LLMStream):
    """One reply, word by word."""

    def __init__(
        self,
        model: LLM,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
        may_call: bool,
    ) -> None:
        self._script = model.script
        self._tool_names = set(tool_names(tools)) if may_call else set()
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        request_id = utils.shortuuid("script_")
        plan = self._script.next_step(self._chat_ctx.items, self._tool_names)
        for piece in re.findall(r"\S+\s*", plan.text):
            self._event_ch.send_nowait(
                llm.ChatChunk(id=request_id, delta=llm.ChoiceDelta(role="assistant", content=piece))
            )
        if plan.call is not None:
            call = llm.FunctionToolCall(
                name=plan.call.tool, arguments=json.dumps(plan.call.arguments), call_id=utils.shortuuid("call_")
            )
            self._event_ch.send_nowait(
                llm.ChatChunk(id=request_id, delta=llm.ChoiceDelta(role="assistant", tool_calls=[call]))
            )
        self._event_ch.send_nowait(llm.ChatChunk(id=request_id, usage=self._usage(plan)))

    def _usage(self, plan: Plan) -> llm.CompletionUsage:
        """Tokens, counted as words."""
        prompt = sum(len((message.text_content or "").split()) for message in self._chat_ctx.messages())
        completion = len(plan.text.split()) + (1 if plan.call else 0)
        return llm.CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def tool_names(tools: Iterable[llm.Tool | llm.Toolset]) -> Iterator[str]:
    """Names of the functions among the tools."""
    for tool in tools:
        if isinstance(tool, llm.FunctionTool | llm.RawFunctionTool):
            yield tool.info.name
        elif isinstance(tool, llm.Toolset):
            yield from tool_names(tool.tools)
