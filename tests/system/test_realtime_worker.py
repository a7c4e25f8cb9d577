"""An agent with a realtime model, in the real worker: answered by it, and by the pipeline when it is down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from joining import agent_in, joined, new_session, until
from livekit import rtc
from rich.console import Console
from rig import RunningStack, make_key, private_environment

from voiceworker.config import ROOT, load_settings
from voiceworker.events import AgentTranscript, Envelope, Event, ModelsRouted, ModelsSwitched
from voiceworker.lab.emulators import Conversation, ProviderEmulators
from voiceworker.runtime.tasks import Tasks
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="function")]

FRONT_DESK = (ROOT / "agents" / "frontdesk.yaml").read_text(encoding="utf-8")
GREETING = "Amber anchor apple."


def obedient(conversation: Conversation) -> str:
    told = str(conversation.messages[0]["content"])
    return told.rsplit(': "', 1)[1].rstrip('"') if "Say exactly this" in told else "basket beacon berry"


@asynccontextmanager
async def stack(directory: Path, openai_url: str) -> AsyncIterator[RunningStack]:
    agents = directory / "agents"
    agents.mkdir()
    lines = FRONT_DESK.replace("models:\n", "models:\n  realtime: [openai/gpt-realtime]\n").splitlines()
    text = "\n".join(f"greeting: {GREETING}" if line.startswith("greeting: ") else line for line in lines)
    (agents / "frontdesk.yaml").write_text(text, encoding="utf-8")
    environment = private_environment(directory) | {
        "VOICEWORKER_AGENTS_DIRECTORY": str(agents),
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_url,
    }
    settings = load_settings(environment)
    with (directory / "stack.log").open("w") as output:
        log = ReadableLog(Console(file=output, width=400), directory / "log")
        running = Stack(settings, log, environment)
        try:
            await running.start()
            yield RunningStack(running, running.settings, environment, make_key(settings), directory / "stack.log")
        finally:
            await running.stop()
            log.close()


async def test_an_agent_with_a_realtime_model_speaks_by_it_and_goes_on_without_it(tmp_path: Path) -> None:
    events: list[Event] = []
    tasks = Tasks()

    async def read(reader: rtc.TextStreamReader) -> None:
        events.append(Envelope.from_json(await reader.read_all()).event)

    def opened(reader: rtc.TextStreamReader, identity: str) -> None:
        tasks.spawn(read(reader), "event")

    def said() -> list[str]:
        return [event.text for event in events if isinstance(event, AgentTranscript) and event.final]

    async with (
        ProviderEmulators(speech_speed=8, replies=obedient) as emulators,
        stack(tmp_path, emulators.openai_url) as running,
    ):
        session = await new_session(running.api_url, running.api_key)
        async with joined(session["server_url"], session["participant_token"]) as room:
            room.register_text_stream_handler("vw.events", opened)
            await until(lambda: agent_in(room))
            await until(said)
            assert said() == [GREETING]
            assert [event.realtime for event in events if isinstance(event, ModelsRouted)] == ["openai/gpt-realtime"]
            await room.local_participant.send_text("what are your opening hours", topic="lk.chat")
            await until(lambda: len(said()) == 2)
            assert emulators.chats() == []
            emulators.realtime.is_down = True
            emulators.realtime.break_all()
            await until(lambda: any(isinstance(event, ModelsSwitched) for event in events))
            await room.local_participant.send_text("and where are you", topic="lk.chat")
            await until(lambda: len(said()) == 3)
            known = [one["content"] for one in emulators.chats()[-1].messages if one["role"] in ("user", "assistant")]
            assert known[0] == GREETING
            assert known[-3:] == ["what are your opening hours", "basket beacon berry", "and where are you"]
        await tasks.aclose()
