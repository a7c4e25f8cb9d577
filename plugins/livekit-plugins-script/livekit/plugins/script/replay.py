"""From a chat context to the next step, by going through the whole conversation again.

What the context holds is what happened: an agent's sentence that was cut off stands there as far as it was heard,
and a reply that nobody heard does not stand there at all. So nothing needs to be kept between two replies, and a
restarted agent, or one that takes over from another model, knows as much as this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from livekit.agents import llm

from .conversation import Conversation
from .state import Plan
from .words import split

_HEARD_SHARE = 0.7
"""A question counts as heard when this share of its words was."""


@dataclass
class _Turn:
    """What followed one thing that the caller said."""

    said: str
    answered: list[str] = field(default_factory=list)
    calls: list[llm.FunctionCall] = field(default_factory=list)
    outputs: dict[str, llm.FunctionCallOutput] = field(default_factory=dict)


def next_step(conversation: Conversation, items: Sequence[llm.ChatItem]) -> Plan:
    """Feeds the context to a new conversation; the agent's next step."""
    turns = _turns(items)
    opening, plan, answered = turns[0], Plan(), False
    if opening.answered:
        conversation.state.last = opening.answered[-1]
    for turn in turns[1:]:
        plan, answered = _replay(conversation, turn)
    return conversation.prompt() if len(turns) == 1 or answered else plan


def _turns(items: Sequence[llm.ChatItem]) -> list[_Turn]:
    turns = [_Turn("")]
    for item in items:
        if isinstance(item, llm.ChatMessage):
            text = item.text_content or ""
            if item.role == "user":
                turns.append(_Turn(text))
            elif item.role == "assistant" and text:
                turns[-1].answered.append(text)
        elif isinstance(item, llm.FunctionCall):
            turns[-1].calls.append(item)
        elif isinstance(item, llm.FunctionCallOutput):
            turns[-1].outputs[item.call_id] = item
    return turns


def _replay(conversation: Conversation, turn: _Turn) -> tuple[Plan, bool]:
    """One turn again: the step that is still to be taken, and whether its words were said already."""
    plan = conversation.hear(turn.said)
    calls = list(turn.calls)
    while plan.call is not None:
        call = next((call for call in calls if call.name == plan.call.tool and call.call_id in turn.outputs), None)
        if call is None:
            break
        calls.remove(call)
        output = turn.outputs[call.call_id]
        plan = conversation.returned(output.output, is_error=output.is_error)
    for call in calls:
        conversation.foreign(call.name)
    heard = " ".join(turn.answered)
    was_heard = _was_heard(plan.text, heard)
    interposed = bool(turn.answered) and not _was_heard(turn.answered[-1], plan.text)
    if plan.text and (not was_heard or interposed):
        # A yes that comes now may be one to `are you still there?`, said by somebody else after our question.
        conversation.state.heard = False
    if interposed and not was_heard:
        # Another model answered: what can be repeated is what was said.
        conversation.state.last = turn.answered[-1]
    return plan, bool(heard) and plan.call is None and was_heard


def _was_heard(planned: str, heard: str) -> bool:
    words = split(planned).tokens
    known = set(split(heard).tokens)
    return sum(word in known for word in words) >= _HEARD_SHARE * len(words)
