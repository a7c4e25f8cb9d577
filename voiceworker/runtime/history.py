"""Keeps a conversation within a number of items, by policy/history.py: what a model is told, and what a call holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livekit.agents import AgentSession, ConversationItemAddedEvent, FunctionToolsExecutedEvent, llm

from voiceworker.policy.history import Item, Kind, kept

_KEPT_EVENTS = 100
"of the session's list of all that it has ever told, which is for a report that nobody asks for here"
_FEWEST_ITEMS = 2

_KINDS: dict[str, Kind] = {
    "user": "caller",
    "assistant": "agent",
    "system": "instructions",
    "developer": "instructions",
}


def bounded(context: llm.ChatContext, limit: int) -> llm.ChatContext:
    """The same context while it is within the limit, else what is left of it."""
    if len(context.items) <= limit:
        return context
    return llm.ChatContext(_kept(context.items, limit))


def in_turns(context: llm.ChatContext) -> llm.ChatContext:
    """The same with neighbouring messages of one speaker as one: some models insist that caller and agent take turns.

    They do not where a question goes unanswered and is asked again, or a caller is not understood and goes on.
    """
    items: list[llm.ChatItem] = []
    for item in context.items:
        match (items[-1] if items else None), item:
            case llm.ChatMessage() as before, llm.ChatMessage(role="user" | "assistant" as role) if before.role == role:
                items[-1] = item.model_copy(update={"content": [*before.content, *item.content]})
            case _:
                items.append(item)
    return llm.ChatContext(items)


class HistoryBound:
    """Of one agent, while it holds the call: the agent's own history and its session's.

    They are cut when a message or a tool's output is added. No reply is being prepared then: the framework would throw
    it away, since the history is not the one that it was prepared on.
    """

    def __init__(self, session: AgentSession[Any], of_agent: Callable[[], llm.ChatContext], limit: int) -> None:
        """`of_agent()`: what the agent holds, to be changed in place: between a look at it and an exchange of the whole
        the framework may have added to it."""
        self._session = session
        self._of_agent = of_agent
        self._limit = limit
        session.on("conversation_item_added", self._item_added)
        session.on("function_tools_executed", self._tools_executed)

    def close(self) -> None:
        self._session.off("conversation_item_added", self._item_added)
        self._session.off("function_tools_executed", self._tools_executed)

    def _item_added(self, _: ConversationItemAddedEvent) -> None:
        self._cut(self._limit)

    def _tools_executed(self, event: FunctionToolsExecutedEvent) -> None:
        """They are added right after this."""
        coming = len(event.function_calls) + len(event.function_call_outputs)
        self._cut(max(_FEWEST_ITEMS, self._limit - coming))

    def _cut(self, limit: int) -> None:
        for context in (self._of_agent(), self._session.history):
            if len(context.items) > limit:
                context.items[:] = _kept(context.items, limit)
        events = self._session._recorded_events  # no public way leads there: a test holds it to the pinned version
        if len(events) > _KEPT_EVENTS:
            del events[:-_KEPT_EVENTS]


def _kept(items: list[llm.ChatItem], limit: int) -> list[llm.ChatItem]:
    return [items[place] for place in kept([_item(item) for item in items], limit)]


def _item(item: llm.ChatItem) -> Item:
    match item:
        case llm.ChatMessage():
            return Item(_KINDS[item.role])
        case llm.FunctionCall():
            return Item("call", item.call_id)
        case llm.FunctionCallOutput():
            return Item("output", item.call_id)
    return Item("other")
