"""The agent and the framework's own session, with a language model that answers at once; turns are typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import AgentSession, llm
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions

from voiceworker.config import AgentDefinition
from voiceworker.runtime.history import bounded, in_turns
from voiceworker.runtime.receptionist import Receptionist

LIMIT = 20


class Clerk(llm.LLM[str]):
    """Answers, and before every third answer looks something up twice."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[list[llm.ChatItem]] = []
        self.looked_at: Callable[[], None] = lambda: None

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: Any = NOT_GIVEN,
        tool_choice: Any = NOT_GIVEN,
        extra_kwargs: Any = NOT_GIVEN,
    ) -> llm.LLMStream:
        return ClerkStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ClerkStream(llm.LLMStream):
    async def _run(self) -> None:
        clerk, items = self._llm, list(self._chat_ctx.items)
        assert isinstance(clerk, Clerk)
        clerk.told.append(items)
        clerk.looked_at()
        last = items[-1]
        if isinstance(last, llm.ChatMessage) and (last.text_content or "").endswith("0"):
            calls = [llm.FunctionToolCall(name="look_up", arguments="{}", call_id=f"{last.id}-{part}") for part in "ab"]
            self._event_ch.send_nowait(llm.ChatChunk(id="x", delta=llm.ChoiceDelta(tool_calls=calls)))
        else:
            self._event_ch.send_nowait(llm.ChatChunk(id="x", delta=llm.ChoiceDelta(content="So it is.")))


@llm.function_tool
async def look_up() -> str:
    """Look it up."""
    return "found"


@dataclass
class Held:
    session: AgentSession[None]
    agent: Receptionist
    clerk: Clerk
    most: int = 0
    "items of the longer history, after each turn and whenever the model is asked"

    async def talk(self, turns: int) -> None:
        self.clerk.looked_at = self._look
        for number in range(turns):
            await self.session.generate_reply(user_input=f"question {number}")
            self._look()

    def _look(self) -> None:
        self.most = max(self.most, len(self.agent.chat_ctx.items), len(self.session.history.items))


@asynccontextmanager
async def held(**limits: Any) -> AsyncIterator[Held]:
    definition = AgentDefinition.model_validate(
        {"name": "desk", "instructions": "Be kind.", "greeting": "Hello.", "limits": limits}
    )
    clerk, agent = Clerk(), Receptionist(definition, [look_up], None)
    session: AgentSession[None] = AgentSession(
        llm=clerk, vad=None, turn_handling={"turn_detection": "manual"}, user_away_timeout=None
    )
    await session.start(agent, record=False, session_host=False)
    try:
        async with asyncio.timeout(30):
            yield Held(session, agent, clerk)
    finally:
        await session.aclose()


def texts(items: list[llm.ChatItem]) -> list[str]:
    return [item.text_content or "" for item in items if isinstance(item, llm.ChatMessage)]


async def test_neither_what_is_told_nor_what_is_kept_grows_over_the_limit() -> None:
    async with held(history_items=LIMIT) as call:
        await call.talk(60)
        assert call.most <= LIMIT
        assert max(len(items) for items in call.clerk.told) <= LIMIT
        assert len(call.session._recorded_events) < 120


async def test_the_model_is_told_its_instructions_the_latest_question_and_whole_calls_of_tools() -> None:
    async with held(history_items=LIMIT) as call:
        await call.talk(60)
        for items in call.clerk.told:
            said = texts(items)
            assert said[0] == "Be kind."
            assert said[1].startswith("question")
            calls = [item.call_id for item in items if isinstance(item, llm.FunctionCall)]
            assert calls == [item.call_id for item in items if isinstance(item, llm.FunctionCallOutput)]
        assert [texts(items)[-1] for items in call.clerk.told if texts(items)[-1].startswith("question 59")]


async def test_most_turns_begin_as_the_turn_before_did_so_that_a_prompt_is_found_in_a_cache() -> None:
    async with held(history_items=80) as call:
        await call.talk(150)
        told = [texts(items) for items in call.clerk.told]
        changed = sum(after[: len(before)] != before for before, after in pairwise(told))
        assert 0 < changed <= 150 * 2.5 / 20 + 1


async def test_a_short_call_is_told_as_it_is() -> None:
    async with held() as call:
        await call.talk(12)
        assert texts(call.clerk.told[-1])[-1] == "question 11"
        assert len([text for text in texts(call.clerk.told[-1]) if text.startswith("question")]) == 12


def test_what_is_within_its_limit_is_the_same_object() -> None:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="hello")
    assert bounded(context, LIMIT) is context


ITEMS = st.lists(st.sampled_from(["user", "assistant", "system", "call", "output"]), max_size=20)


@given(ITEMS)
def test_neighbours_of_one_speaker_become_one_message_and_nothing_else_changes(kinds: list[str]) -> None:
    context = llm.ChatContext.empty()
    for place, kind in enumerate(kinds):
        if kind == "call":
            context.insert(llm.FunctionCall(call_id=str(place), name="look_up", arguments="{}"))
        elif kind == "output":
            context.insert(llm.FunctionCallOutput(call_id=str(place), name="look_up", output="", is_error=False))
        else:
            context.add_message(role=cast("llm.ChatRole", kind), content=f"text {place}")
    before = context.to_dict(exclude_timestamp=False)
    found = in_turns(context).items
    roles = [item.role if isinstance(item, llm.ChatMessage) else "tool" for item in found]
    assert all(one != other or one not in ("user", "assistant") for one, other in pairwise(roles))
    assert "\n".join(texts(found)) == "\n".join(texts(context.items))
    tools = [item for item in context.items if not isinstance(item, llm.ChatMessage)]
    assert [item for item in found if not isinstance(item, llm.ChatMessage)] == tools
    assert context.to_dict(exclude_timestamp=False) == before


def test_a_call_of_a_tool_stays_with_the_message_that_made_it() -> None:
    context = llm.ChatContext.empty()
    context.add_message(role="assistant", content="Are you there?")
    context.add_message(role="assistant", content="One moment.", id="item_x")
    context.insert(llm.FunctionCall(id="item_x/fnc_0", call_id="1", name="look_up", arguments="{}"))
    assert in_turns(context).items[0].id == "item_x"
