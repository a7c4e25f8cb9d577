"""The front desk of agents/frontdesk.yaml in text: a real AgentSession, the scripted LLM, a real calendar."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from livekit.agents import Agent, AgentSession, RunResult, function_tool, utils
from livekit.plugins.script import LLM, Script

from tools.calendar import CalendarTools, SqliteCalendar, read_settings
from voiceworker.lab.persona import Persona, Scenario

ROOT = Path(__file__).parent.parent.parent
DEFINITION: dict[str, Any] = yaml.safe_load((ROOT / "agents" / "frontdesk.yaml").read_text(encoding="utf-8"))
COLUMNS = ("name", "service", "starts_at", "status")


def clock() -> datetime:
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Call:
    """One call in text."""

    def __init__(self, session: AgentSession[None]) -> None:
        self._session = session
        self.hung_up = False

    async def say(self, text: str) -> str:
        """The agent's answer, all of it."""
        result: RunResult[None] = await self._session.run(user_input=text)
        messages = [event.item.text_content or "" for event in result.events if event.item.type == "message"]
        return " ".join(messages)

    async def say_all(self, *texts: str) -> list[str]:
        return [await self.say(text) for text in texts]


class FrontDesk:
    """Calls to one desk with one calendar."""

    definition = DEFINITION

    def __init__(self, path: Path, script: Script) -> None:
        self._path = path
        self._script = script
        self._settings = read_settings(DEFINITION["tool_settings"]["calendar"])
        self.calendar = SqliteCalendar(path, self._settings, ZoneInfo(DEFINITION["timezone"]), clock)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Call]:
        tools = CalendarTools(self.calendar, list(self._settings.services)).function_tools()
        async with AgentSession[None](llm=LLM(script=self._script)) as session:
            call = Call(session)

            @function_tool
            async def end_call() -> None:
                """Hang up."""
                call.hung_up = True

            agent = Agent(instructions=DEFINITION["instructions"], tools=[*tools, end_call])
            await session.start(agent)
            yield call

    async def play(self, scenario: Scenario, distort: Callable[[str], str] = str) -> list[str]:
        """A persona's whole call; the lines of both sides. `distort` is what becomes of his words on the way."""
        self.write(scenario.before)
        persona = Persona(scenario)
        transcript = [DEFINITION["greeting"]]
        async with self.call() as call:
            while (line := persona.reply(transcript[-1])) is not None:
                transcript += [line, await call.say(distort(line))]
        return transcript

    def write(self, rows: Sequence[Mapping[str, str]]) -> None:
        with sqlite3.connect(self._path) as connection:
            for row in rows:
                connection.execute(
                    "INSERT INTO appointments (name, service, starts_at, status) VALUES (?, ?, ?, ?)",
                    [row[column] for column in COLUMNS],
                )
        connection.close()

    def rows(self) -> list[dict[str, str]]:
        connection = sqlite3.connect(self._path)
        found = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM appointments ORDER BY id").fetchall()
        connection.close()
        return [dict(zip(COLUMNS, row, strict=True)) for row in found]


@pytest.fixture(scope="session")
def front_desk_script() -> Script:
    tools = [*_tool_names(), "end_call"]
    return Script.from_mapping(DEFINITION["script"], clock=clock, timezone=DEFINITION["timezone"], tools=tools)


def _tool_names() -> list[str]:
    return ["free_times", "book_appointment", "find_appointment", "move_appointment", "cancel_appointment"]


@pytest.fixture
async def front_desk(tmp_path: Path, front_desk_script: Script) -> AsyncIterator[FrontDesk]:
    async with utils.http_context.open():
        yield FrontDesk(tmp_path / "calendar.db", front_desk_script)
