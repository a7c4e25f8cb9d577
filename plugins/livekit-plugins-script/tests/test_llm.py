"""The LLM as the framework uses it: streams, tool calls, and a state that lies in the chat context alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.agents import function_tool, llm
from livekit.plugins.script import LLM, Script
from livekit.plugins.script.acts import Act, act_phrases
from livekit.plugins.script.words import split


async def _nothing(raw_arguments: dict[str, object]) -> None:
    """Never called: the LLM only names its tools."""


def _tool(name: str) -> llm.Tool:
    schema = {"name": name, "description": name, "parameters": {"type": "object", "properties": {}}}
    return function_tool(_nothing, raw_schema=schema)


TOOLS = [_tool(name) for name in ("reserve", "find", "drop", "end_call")]


@dataclass
class Reply:
    text: str = ""
    pieces: list[str] = field(default_factory=list)
    calls: list[llm.FunctionToolCall] = field(default_factory=list)
    usage: llm.CompletionUsage | None = None


async def reply_of(model: LLM, context: llm.ChatContext, **options: Any) -> Reply:
    reply = Reply()
    async with model.chat(chat_ctx=context, tools=TOOLS, **options) as stream:
        async for chunk in stream:
            reply.usage = chunk.usage or reply.usage
            if chunk.delta is not None:
                reply.calls += chunk.delta.tool_calls
                if chunk.delta.content:
                    reply.pieces.append(chunk.delta.content)
    reply.text = "".join(reply.pieces)
    return reply


class Talk:
    """A chat context that grows as the framework would let it grow."""

    def __init__(self, script: Script) -> None:
        self.model = LLM(script=script)
        self.context = llm.ChatContext.empty()

    async def say(self, text: str, *, heard: int | None = None) -> Reply:
        """The reply to a text; `heard`: so many of its words were heard before the caller cut in."""
        self.context.add_message(role="user", content=text)
        reply = await reply_of(self.model, self.context)
        words = reply.text.split()[:heard]
        if words:
            self.context.add_message(role="assistant", content=" ".join(words), interrupted=heard is not None)
        return reply

    async def answer(self, call: llm.FunctionToolCall, output: Any, *, is_error: bool = False) -> Reply:
        """The reply to what a tool returned."""
        self.context.items.append(llm.FunctionCall(call_id=call.call_id, name=call.name, arguments=call.arguments))
        text = output if isinstance(output, str) else json.dumps(output)
        self.context.items.append(
            llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output=text, is_error=is_error)
        )
        reply = await reply_of(self.model, self.context)
        if reply.text:
            self.context.add_message(role="assistant", content=reply.text)
        return reply


@pytest.fixture
async def talk(script: Script) -> AsyncIterator[Talk]:
    talk = Talk(script)
    yield talk
    await talk.model.aclose()


TABLE = "book a table for four on friday at seven thirty, my name is anna bell"


async def test_a_reply_comes_word_by_word_with_its_usage(talk: Talk) -> None:
    reply = await talk.say("when are you open")
    assert reply.pieces == ["We ", "open ", "at ", "five."]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (4, 4, 8)
    assert (talk.model.model, talk.model.provider) == ("script", "voiceworker")


async def test_a_yes_to_the_read_back_calls_the_tool_and_its_answer_is_put_in_words(talk: Talk) -> None:
    read_back = await talk.say(TABLE)
    assert read_back.text.startswith("Gladly.")
    assert "for four on Friday the twenty seventh of November at half past seven in the evening" in read_back.text
    reply = await talk.say("yes that's right")
    (call,) = reply.calls
    assert call.name == "reserve"
    assert json.loads(call.arguments) == {"guests": "4", "when": "2026-11-27T19:30", "name": "Anna Bell"}
    done = await talk.answer(call, {"ok": True})
    assert done.text == "See you on Friday the twenty seventh of November, Anna Bell. Anything else?"


async def book(talk: Talk) -> Reply:
    """As far as the read-back."""
    return await talk.say(TABLE)


async def test_a_tools_refusal_is_worded_and_its_offers_can_be_taken(talk: Talk) -> None:
    await book(talk)
    (call,) = (await talk.say("yes")).calls
    refusal = "That time is taken. The nearest free times are 2026-11-27T18:30, 2026-11-27T20:00."
    reply = await talk.answer(call, refusal, is_error=True)
    assert reply.text.startswith("I'm sorry, that time is taken. I could offer half past six")
    assert "eight o'clock in the evening" in (await talk.say("eight is fine")).text
    (call,) = (await talk.say("yes please")).calls
    assert json.loads(call.arguments)["when"] == "2026-11-27T20:00"


async def test_an_internal_error_is_admitted_and_nothing_is_claimed(talk: Talk) -> None:
    await book(talk)
    (call,) = (await talk.say("yes")).calls
    reply = await talk.answer(call, "An internal error occurred", is_error=True)
    assert "went wrong" in reply.text
    assert (await talk.say("yes")).calls == []


async def test_a_yes_to_a_read_back_that_was_cut_off_books_nothing_but_reads_it_back_again(talk: Talk) -> None:
    await talk.say(TABLE, heard=4)
    reply = await talk.say("yes")
    assert reply.calls == []
    assert "Anna Bell" in reply.text
    assert (await talk.say("yes")).calls


async def test_a_yes_to_a_read_back_that_was_never_heard_books_nothing(talk: Talk) -> None:
    await talk.say(TABLE, heard=0)
    assert (await talk.say("yes")).calls == []


async def test_a_yes_to_another_models_words_books_nothing(talk: Talk) -> None:
    """A fallback takes over in the middle of a call: it did not read anything back itself."""
    talk.context.add_message(role="user", content=TABLE)
    talk.context.add_message(role="assistant", content="Lovely. Do you have any allergies?")
    reply = await talk.say("yes")
    assert reply.calls == []


async def test_a_yes_to_are_you_still_there_books_nothing(talk: Talk) -> None:
    await book(talk)
    talk.context.add_message(role="assistant", content="Are you still there?")
    reply = await talk.say("yes")
    assert reply.calls == []
    assert "Anna Bell" in reply.text
    assert (await talk.say("yes")).calls


async def test_what_another_model_booked_is_not_booked_again(talk: Talk) -> None:
    await book(talk)
    talk.context.add_message(role="user", content="yes and please note that we come by bike")
    talk.context.items += [
        llm.FunctionCall(call_id="x", name="reserve", arguments="{}"),
        llm.FunctionCallOutput(call_id="x", name="reserve", output="{}", is_error=False),
    ]
    talk.context.add_message(role="assistant", content="Your table is booked, and the bike noted.")
    assert (await talk.say("yes")).calls == []


async def test_a_call_that_was_cut_off_before_it_ran_takes_a_new_yes(talk: Talk) -> None:
    await book(talk)
    assert (await talk.say("yes")).calls
    reply = await talk.say("hold on a moment")
    assert reply.calls == []
    assert (await talk.say("yes")).calls


async def test_chat_has_no_side_effect_and_two_calls_share_one_llm(script: Script) -> None:
    one, other = Talk(script), Talk(script)
    other.model = one.model
    await asyncio.gather(one.say(TABLE), other.say("drop my booking"))
    for _ in range(3):
        await reply_of(one.model, one.context)
    assert (await one.say("yes")).calls
    assert "Which name?" in (await other.say("what")).text


async def test_a_restarted_agent_knows_as_much(talk: Talk, script: Script) -> None:
    read_back = await book(talk)
    restarted = Talk(script)
    restarted.context = llm.ChatContext.from_dict(talk.context.to_dict())
    assert read_back.text
    assert (await restarted.say("yes")).calls[0].name == "reserve"


async def test_without_leave_to_call_tools_it_says_that_it_cannot(talk: Talk) -> None:
    await book(talk)
    talk.context.add_message(role="user", content="yes")
    reply = await reply_of(talk.model, talk.context, tool_choice="none")
    assert reply.calls == []
    assert "can't do that" in reply.text


async def test_goodbye_is_said_and_ends_the_call(talk: Talk) -> None:
    reply = await talk.say("thank you goodbye")
    assert [call.name for call in reply.calls] == ["end_call"]
    assert "Goodbye" in reply.text


async def test_with_nothing_said_it_greets_and_then_asks_its_question_again(talk: Talk) -> None:
    assert (await reply_of(talk.model, llm.ChatContext.empty())).text == "Hello, how can I help you?"
    await talk.say("i want to book a table")
    again = await reply_of(talk.model, talk.context)
    assert again.text == "How many of you?"


async def test_a_repetition_is_the_whole_sentence_however_often_it_is_asked_for(talk: Talk) -> None:
    await talk.say("when are you open")
    said = [(await talk.say(text)).text for text in ("pardon", "what did you say", "sorry what")]
    assert all(text.endswith("We open at five.") for text in said)
    assert max(len(text) for text in said) < 40


WORDS = (
    "yes",
    "no",
    "book",
    "table",
    "friday",
    "anna",
    "bell",
    "at",
    "seven",
    "four",
    "right",
    "okay",
    "cancel",
    "not",
)
ODD = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS)).map(" ".join),
)


def _agrees(line: str) -> bool:
    said = f" {' '.join(split(line).tokens)} "
    wordings = (words for phrase in act_phrases()[Act.YES] for words in phrase.expansions())
    return any(f" {' '.join(words)} " in said for words in wordings)


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(ODD, max_size=6))
def test_whatever_is_said_nothing_fails_and_nothing_is_called_but_after_a_yes_to_a_read_back(
    script: Script, lines: list[str]
) -> None:
    context = llm.ChatContext.empty()
    last = ""
    for line in ["book a table for friday at seven", *lines]:
        context.add_message(role="user", content=line)
        plan = script.next_step(context.items, ("reserve", "find", "drop", "end_call"))
        assert plan.text or plan.call
        if plan.call is not None and plan.call.tool == "reserve":
            assert all(plan.call.arguments[name] for name in ("guests", "when", "name"))
            assert "Right?" in last or "people" in last
            assert _agrees(line)
        assert plan.text != last
        if plan.text:
            context.add_message(role="assistant", content=plan.text)
            last = plan.text
