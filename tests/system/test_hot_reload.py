"""An agent's file decides each call: while it is changed, broken and mended, by metadata, and by what comes up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from joining import agent_in, joined, new_session, until
from livekit import rtc
from rich.console import Console
from rig import RunningStack, make_key, private_environment

from voiceworker.config import ROOT, load_settings
from voiceworker.events import AgentTranscript, Envelope, Event, ModelsRouted
from voiceworker.lab.emulators import Conversation, ProviderEmulators, Reply, ToolCall
from voiceworker.runtime.tasks import Tasks
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

FRONT_DESK = (ROOT / "agents" / "frontdesk.yaml").read_text(encoding="utf-8")
(GREETING,) = [line for line in FRONT_DESK.splitlines() if line.startswith("greeting: ")]

RULES = """
routes:
  - name: british
    when: {country: GB}
    tts: espeak/en-gb
  - name: trial
    when: {plan: pro}
    split: {usual: {}, slow: {eagerness: patient}}
"""

INTENTS = """
endpoints:
  small: {{base_url: "{url}", api_key_variable: SMALL_API_KEY}}
  strong: {{base_url: "{url}", api_key_variable: STRONG_API_KEY}}
routes:
  - name: complaint
    when: {{intent: complaint}}
    llm: [openai-compatible/strong, script]
  - name: usual
    llm: [openai-compatible/small, script]
"""


def write(directory: Path, greeting: str, more: str = "") -> Path:
    """As an editor saves: a new file in the place of the old one."""
    path, fresh = directory / "frontdesk.yaml", directory / "frontdesk.yaml.new"
    fresh.write_text(FRONT_DESK.replace(GREETING, f"greeting: {greeting}") + more, encoding="utf-8")
    fresh.replace(path)
    return path


class Held:
    """A call: what was told to its caller."""

    def __init__(self, room: rtc.Room) -> None:
        self._room = room
        self.events: list[Event] = []

    async def ask(self, text: str) -> None:
        await self._room.local_participant.send_text(text, topic="lk.chat")

    def said(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, AgentTranscript) and event.final]

    def routed(self) -> list[ModelsRouted]:
        return [event for event in self.events if isinstance(event, ModelsRouted)]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_stack(agents: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """With a folder of agents that the test may change."""
    write(agents, "Hello, this is the first version.")
    directory = tmp_path_factory.mktemp("reload")
    # a caller who leaves is waited for, and keeps his place meanwhile
    environment = private_environment(directory) | {
        "VOICEWORKER_AGENTS_DIRECTORY": str(agents),
        "VOICEWORKER_MAX_CALLS": "12",
        "SMALL_API_KEY": "small",
        "STRONG_API_KEY": "strong",
    }
    settings = load_settings(environment)
    with (directory / "stack.log").open("w") as output:
        log = ReadableLog(Console(file=output, width=400), directory / "log")
        running = Stack(settings, log, environment)
        try:
            await running.start()
            key = make_key(settings)
            yield RunningStack(running, running.settings, environment, key, directory / "stack.log")
        finally:
            await running.stop()
            log.close()


@asynccontextmanager
async def call(stack: RunningStack, **metadata: Any) -> AsyncIterator[Held]:
    """A silent caller in the room."""
    session = await new_session(stack.api_url, stack.api_key, metadata=metadata)
    tasks = Tasks()

    async def read(reader: rtc.TextStreamReader) -> None:
        held.events.append(Envelope.from_json(await reader.read_all()).event)

    async with joined(session["server_url"], session["participant_token"]) as room:
        held = Held(room)
        room.register_text_stream_handler("vw.events", lambda reader, _: tasks.spawn(read(reader), "event") and None)
        await until(lambda: agent_in(room))
        yield held
        await tasks.aclose()


async def test_a_changed_file_serves_the_next_call_and_a_broken_one_does_not(
    own_stack: RunningStack, agents: Path
) -> None:
    async with call(own_stack) as first:
        await until(first.said)
        await first.ask("what is your address")  # or he would be asked whether he is still there
        await until(lambda: "Willow Lane" in first.said()[-1])
        write(agents, "Hello, this is the second version.")
        assert await greeting(own_stack) == "Hello, this is the second version."
        broken = 'routes:\n  - when: {hours: "18-8"}\n    llm: [script]\n'
        path = write(agents, "Hello, this is the third version.", broken)
        line = path.read_text(encoding="utf-8").splitlines().index('  - when: {hours: "18-8"}') + 1
        assert await greeting(own_stack) == "Hello, this is the second version."
        assert f"frontdesk.yaml:{line}: routes.0.when.hours: must be hours" in own_stack.log_file.read_text()
        write(agents, "Hello, this is the fourth version.", broken.replace("18-8", "18:00-08:00"))
        assert await greeting(own_stack) == "Hello, this is the fourth version."
        await first.ask("what are your opening hours")
        await until(lambda: "nine" in first.said()[-1])
        assert first.said()[0] == "Hello, this is the first version."


async def greeting(stack: RunningStack) -> str:
    """What a call that is made at once begins with."""
    async with call(stack) as held:
        await until(held.said)
        return held.said()[0]


async def test_rules_choose_the_models_of_a_call_by_its_metadata(own_stack: RunningStack, agents: Path) -> None:
    write(agents, "Hello.", RULES)
    async with call(own_stack, country="gb", plan="pro", user_id=7) as held:
        await until(held.routed)
        (routed,) = held.routed()
        assert (routed.rule, routed.tts, routed.llm) == ("british + trial", "espeak/en-gb", "script")
        assert routed.arm in ("trial:usual", "trial:slow")
    async with call(own_stack, plan="pro", user_id=7) as again:
        await until(again.routed)
        assert (again.routed()[0].rule, again.routed()[0].arm) == ("trial", routed.arm)
    async with call(own_stack) as other:
        await until(other.routed)
        assert (other.routed()[0].rule, other.routed()[0].tts) == ("default", "espeak/en-us")


def notice(conversation: Conversation) -> Reply | str:
    """A language model that names the caller's intent before it answers."""
    if conversation.is_after_tool or "note_intent" not in conversation.tool_names:
        return f"About your {conversation.user_texts[-1]}."
    return Reply(tool_calls=(ToolCall("note_intent", {"intent": "complaint"}),))


async def test_an_intent_exchanges_the_language_model_of_the_call(own_stack: RunningStack, agents: Path) -> None:
    async with ProviderEmulators(replies=notice) as emulators:
        write(agents, "Hello.", INTENTS.format(url=emulators.openai_url))
        async with call(own_stack) as held:
            await until(held.said)
            await held.ask("complaint")
            await until(lambda: len(held.said()) == 2)
            assert held.said() == ["Hello.", "About your complaint."]
            assert [(one.rule, one.llm) for one in held.routed()] == [
                ("usual", "openai-compatible/small"),
                ("complaint", "openai-compatible/strong"),
            ]
        assert [chat.api_key for chat in emulators.chats()] == ["small", "strong"]
