"""The stock openai plugin on the emulator, over real sockets: an intent exchanges the language model of a session."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from livekit.agents import Agent, AgentSession, TurnHandlingOptions, llm

from voiceworker.config import AgentDefinition, Settings
from voiceworker.lab.emulators import Conversation, Delays, ProviderEmulators, Reply, ToolCall
from voiceworker.runtime.engines import Assembly, EngineBuilder, Links
from voiceworker.runtime.intents import OTHER, IntentRouting
from voiceworker.runtime.routing import CallRouting

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
QUICK = Delays(first_token_seconds=0.001, tokens_per_second=10_000)
COMPLAINT = {"name": "complaint", "when": {"intent": "complaint"}, "llm": ["openai-compatible/strong", "script"]}
SCRIPT = {
    "help": "help",
    "intents": {
        "hours": {"phrases": ["opening hours"], "say": ["From nine."]},
        "complaint": {
            "phrases": ["(terrible|complaint)"],
            "call": {"tool": "note_intent", "arguments": {"intent": "complaint"}},
            "done": ["I am sorry to hear that."],
        },
    },
}
SMALL = ["openai-compatible/small", "script"]


def notice(conversation: Conversation) -> Reply | str:
    """A model that names the intent once it hears of one."""
    last = conversation.user_texts[-1]
    if conversation.is_after_tool or "note_intent" not in conversation.tool_names:
        return f"About your {last}."
    intent = last if last in ("complaint", OTHER) else "appointment"
    return Reply(tool_calls=(ToolCall("note_intent", {"intent": intent}),))


@pytest_asyncio.fixture
async def emulators() -> AsyncIterator[ProviderEmulators]:
    async with ProviderEmulators(delays=QUICK, replies=notice) as emulators:
        yield emulators


class Kept(Assembly):
    """The language models of a call as they are, closed at its end."""

    def __init__(self) -> None:
        self.made: list[llm.LLM[Any]] = []

    def thinking(self, links: Links[llm.LLM[Any]]) -> llm.LLM[Any]:
        self.made.append(super().thinking(links))
        return self.made[-1]

    async def aclose(self) -> None:
        for model in self.made:
            await model.aclose()


class Held:
    """A session in text, as a call holds it."""

    def __init__(self, session: AgentSession[Any], intents: IntentRouting, told: list[str], made: Sized) -> None:
        self._session = session
        self.intents = intents
        self.told = told
        self.made = made
        "the language models"

    async def say(self, text: str) -> str:
        result: Any = await self._session.run(user_input=text)
        (*_, last) = [event.item for event in result.events if event.type == "message"]
        return str(last.text_content)


@asynccontextmanager
async def held(
    emulators: ProviderEmulators, rule: dict[str, Any], *, models: list[str], key: str = "k", **metadata: Any
) -> AsyncIterator[Held]:
    keys = {"SMALL_API_KEY": key and "small", "STRONG_API_KEY": key and "strong"}
    settings = Settings(provider_keys={name: value for name, value in keys.items() if value})
    definition = AgentDefinition.model_validate(
        {
            "name": "desk",
            "instructions": "Be kind.",
            "greeting": "Hello.",
            "models": {"llm": models},
            "routes": [rule],
            "endpoints": {
                name: {"base_url": emulators.openai_url, "api_key_variable": f"{name.upper()}_API_KEY"}
                for name in ("small", "strong")
            },
            "script": SCRIPT,
        }
    )
    told: list[str] = []
    routing = CallRouting(definition, metadata, "ses_1", NOON, 0)

    kept = Kept()

    def build(definition: AgentDefinition) -> EngineBuilder:
        return EngineBuilder(definition, settings, lambda: NOON, kept)

    def changed(engines: EngineBuilder) -> None:
        told.append(f"{routing.decision.rule}: {engines.choices['llm'].chosen}")

    engines = build(routing.definition)
    intents = IntentRouting(routing, engines, build, changed)
    agent = Agent(instructions=definition.instructions, tools=[*intents.tools()])
    intents.attach(agent)
    session = AgentSession[Any](
        llm=engines.thinking(), vad=None, turn_handling=TurnHandlingOptions(turn_detection=None)
    )
    try:
        await session.start(agent, session_host=False, record=False)
        yield Held(session, intents, told, kept.made)
    finally:
        await session.aclose()
        await kept.aclose()


def asked(emulators: ProviderEmulators) -> list[str]:
    """By which key: each endpoint has its own."""
    return [request.api_key for request in emulators.chats()]


async def test_the_model_that_notes_an_intent_hands_the_answer_to_the_one_that_the_rule_names(
    emulators: ProviderEmulators,
) -> None:
    async with held(emulators, COMPLAINT, models=SMALL) as call:
        assert await call.say("appointment") == "About your appointment."
        assert await call.say("complaint") == "About your complaint."
        assert await call.say("weather") == "About your weather."
        assert call.told == ["complaint: openai-compatible/strong", "default: openai-compatible/small"]
    small, strong = "small", "strong"
    assert asked(emulators) == [small, small, small, strong, strong, small]


async def test_a_tool_that_finds_the_intent_by_itself_tells_it(emulators: ProviderEmulators) -> None:
    async with held(emulators, COMPLAINT, models=SMALL) as call:
        await call.intents.learn("complaint")
        await call.intents.learn("complaint")
        assert call.told == ["complaint: openai-compatible/strong"]


async def test_an_intent_that_comes_up_again_gets_the_model_that_it_had(emulators: ProviderEmulators) -> None:
    async with held(emulators, COMPLAINT, models=SMALL) as call:
        for intent in ["complaint", OTHER] * 5:
            await call.intents.learn(intent)
        assert len(call.told) == 10
        assert len(call.made) == 3  # that of the call's beginning, and one for each list


async def test_a_script_that_knows_an_intent_hands_its_answer_to_a_language_model(emulators: ProviderEmulators) -> None:
    async with held(emulators, COMPLAINT, models=["script"]) as call:
        assert await call.say("opening hours") == "From nine."
        assert await call.say("it was terrible") == "About your it was terrible."
        assert call.told == ["complaint: openai-compatible/strong"]
    assert asked(emulators) == ["strong"]


async def test_where_no_language_model_is_usable_the_script_answers_what_it_can(emulators: ProviderEmulators) -> None:
    async with held(emulators, COMPLAINT, models=["script"], key="") as call:
        assert await call.say("it was terrible") == "I am sorry to hear that."
        assert call.told == []


async def test_a_list_of_which_nothing_else_is_usable_changes_nothing(emulators: ProviderEmulators) -> None:
    async with held(emulators, COMPLAINT, models=["script"], key="") as call:
        await call.intents.learn("complaint")
        assert call.told == []


async def test_a_list_of_which_nothing_is_usable_leaves_the_model_as_it_is(
    emulators: ProviderEmulators, caplog: pytest.LogCaptureFixture
) -> None:
    paid = COMPLAINT | {"llm": ["openai-compatible/strong"]}
    with caplog.at_level(logging.ERROR, "voiceworker.intents"):
        async with held(emulators, paid, models=["script"], key="") as call:
            await call.intents.learn("complaint")
            assert call.told == []
    assert "complaint: the language model stays as it is: no usable llm model" in caplog.text


async def test_without_a_rule_that_asks_for_an_intent_there_is_no_such_tool(emulators: ProviderEmulators) -> None:
    async with held(emulators, {"when": {"plan": "free"}, "llm": ["script"]}, models=SMALL) as call:
        assert call.intents.tools() == []
        assert await call.say("complaint") == "About your complaint."
    assert asked(emulators) == ["small"]


async def test_speech_to_speech_is_left_alone(emulators: ProviderEmulators) -> None:
    settings = Settings(openai_base_url=emulators.openai_url, openai_api_key="k")
    keys = {"name": "desk", "instructions": "x", "greeting": "y", "script": SCRIPT, "routes": [COMPLAINT]}
    definition = AgentDefinition.model_validate(keys | {"models": {"realtime": "openai/gpt-realtime"}})
    engines = EngineBuilder(definition, settings, lambda: NOON)
    intents = IntentRouting(
        CallRouting(definition, {}, "ses_1", NOON, 0), engines, lambda _: engines, lambda _: pytest.fail("exchanged")
    )
    intents.attach(Agent(instructions="x"))
    assert intents.tools() == []
    await intents.learn("complaint")
