"""Several language models as one: before its first token a reply may change models freely, after it the next goes on.

What was written is being spoken, so it is not written again: the next model is given it as its own words and asked to
go on from there, and what it repeats all the same is left out (policy/continuation.py). A model that answers by rules
cannot go on; its answer follows as a sentence of its own.

How long nothing may come: a caller hears silence from the end of his turn to the first sound. 3 s are the limit, of
which the voice takes up to half a second. So two models that hang in a row leave room for a third that answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livekit.agents import llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, NotGivenOr

from voiceworker.policy.continuation import ends_a_sentence
from voiceworker.runtime.chains.breakers import Breakers
from voiceworker.runtime.chains.chain import Chain
from voiceworker.runtime.chains.links import Link, OnSwitch
from voiceworker.runtime.chains.reply_stream import ChainedReply, Written


@dataclass(frozen=True, slots=True)
class ReplyPatience:
    first_token_seconds: float = 1.5
    "of the first model that is asked"
    next_token_seconds: float = 0.9
    "of those after it"
    last_token_seconds: float = 6.0
    "of the last of them: there is nobody else to ask"
    first_clause_seconds: float = 1.5
    "from its first token to so much as can be spoken, while there is somebody else to ask"
    stall_seconds: float = 1.2
    "without a token while nothing can be spoken, or once what was written has been spoken, or would have been"
    longest_gap_seconds: float = 2.0
    "without a token, however much there is to be spoken"
    filler_seconds: float = 1.0
    "without a token: the filler, if one is handed in"


class LanguageModelChain(Chain[llm.LLM[Any]], llm.LLM[Any]):
    role = "llm"

    def __init__(
        self,
        links: Sequence[Link[llm.LLM[Any]]],
        breakers: Breakers,
        on_switch: OnSwitch,
        *,
        patience: ReplyPatience | None = None,
        filler: Callable[[], str] | None = None,
    ) -> None:
        """`filler`: asked when no token has come for a while, and again every tenth of a second while it gives nothing;
        what it gives is said at once, as the beginning of the reply. It gives "" while something is being said, or
        while the reply is prepared ahead of the turn. Raises ValueError without links."""
        if not links:
            raise ValueError("a chain has at least one link")
        super().__init__()
        self._join(links, breakers, on_switch)
        self.patience = patience or ReplyPatience()
        self.filler = filler
        self._gives_usage: dict[str, bool] = {}
        "by link, as far as known: a reply that ends without it was cut off"

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
        request = {
            "parallel_tool_calls": parallel_tool_calls,
            "tool_choice": tool_choice,
            "extra_kwargs": extra_kwargs,
        }
        return ChainedReply(self, chat_ctx, tools or [], conn_options, request)

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Of the first only: the others are not expected to be needed."""
        self.links[0].engine.prewarm(loop=loop)

    def was_cut_off(self, link: Link[llm.LLM[Any]], written: Written) -> bool:
        """A reply that ended without an error, and yet in the midst."""
        if written.usage_came or written.has_tool_calls:
            self._gives_usage[link.name] = True
            return False
        if ends_a_sentence(written.text) or not link.continues:
            self._gives_usage.setdefault(link.name, False)
            return False
        return self._gives_usage.get(link.name, True)
