"""An agent's file is changed, broken and mended while a call is held: each next call has the newest good version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from joining import agent_in, joined, new_session, until
from livekit import rtc
from rich.console import Console
from rig import RunningStack, make_key, private_environment

from voiceworker.config import ROOT, load_settings
from voiceworker.events import AgentTranscript, Envelope
from voiceworker.runtime.tasks import Tasks
from voiceworker.stack.log import ReadableLog
from voiceworker.stack.up import Stack

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

FRONT_DESK = (ROOT / "agents" / "frontdesk.yaml").read_text(encoding="utf-8")
(GREETING,) = [line for line in FRONT_DESK.splitlines() if line.startswith("greeting: ")]


def write(directory: Path, greeting: str, more: str = "") -> Path:
    """As an editor saves: a new file in the place of the old one."""
    path, fresh = directory / "frontdesk.yaml", directory / "frontdesk.yaml.new"
    fresh.write_text(FRONT_DESK.replace(GREETING, f"greeting: {greeting}") + more, encoding="utf-8")
    fresh.replace(path)
    return path


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_stack(agents: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """With a folder of agents that the test may change."""
    write(agents, "Hello, this is the first version.")
    directory = tmp_path_factory.mktemp("reload")
    environment = private_environment(directory) | {"VOICEWORKER_AGENTS_DIRECTORY": str(agents)}
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
async def call(stack: RunningStack) -> AsyncIterator[tuple[rtc.Room, list[str]]]:
    """A silent caller in the room, and what the agent has said to him."""
    session = await new_session(stack.api_url, stack.api_key)
    said: list[str] = []
    tasks = Tasks()

    async def read(reader: rtc.TextStreamReader) -> None:
        event = Envelope.from_json(await reader.read_all()).event
        if isinstance(event, AgentTranscript) and event.final:
            said.append(event.text)

    async with joined(session["server_url"], session["participant_token"]) as room:
        room.register_text_stream_handler("vw.events", lambda reader, _: tasks.spawn(read(reader), "event") and None)
        await until(lambda: agent_in(room))
        yield room, said
        await tasks.aclose()


async def test_a_changed_file_serves_the_next_call_and_a_broken_one_does_not(
    own_stack: RunningStack, agents: Path
) -> None:
    async with call(own_stack) as (first, said_to_the_first):
        await until(lambda: said_to_the_first)
        # or he would be asked whether he is still there
        await first.local_participant.send_text("what is your address", topic="lk.chat")
        await until(lambda: "Willow Lane" in said_to_the_first[-1])
        write(agents, "Hello, this is the second version.")
        assert await greeting(own_stack) == "Hello, this is the second version."
        broken = 'routes:\n  - when: {hours: "18-8"}\n    llm: [script]\n'
        path = write(agents, "Hello, this is the third version.", broken)
        line = path.read_text(encoding="utf-8").splitlines().index('  - when: {hours: "18-8"}') + 1
        assert "third" not in await greeting(own_stack)
        assert f"frontdesk.yaml:{line}: routes.0.when.hours: must be hours" in own_stack.log_file.read_text()
        write(agents, "Hello, this is the fourth version.", broken.replace("18-8", "18:00-08:00"))
        assert await greeting(own_stack) == "Hello, this is the fourth version."
        await first.local_participant.send_text("what are your opening hours", topic="lk.chat")
        await until(lambda: "nine" in said_to_the_first[-1])
        assert said_to_the_first[0] == "Hello, this is the first version."


async def greeting(stack: RunningStack) -> str:
    """What a call that is made at once begins with."""
    async with call(stack) as (_, said):
        await until(lambda: said)
        return said[0]
