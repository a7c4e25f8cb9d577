"""The front desk in text, through a real AgentSession and a real calendar."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from livekit.agents import Agent, AgentSession, RunResult, function_tool, utils
from livekit.plugins.script import LLM, Script

from tools.calendar import CalendarTools, SqliteCalendar, read_settings

FRONT_DESK: dict[str, Any] = yaml.safe_load(Path("agents/frontdesk.yaml").read_text(encoding="utf-8"))


def clock() -> datetime:
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


async def converse(path: Path, lines: list[str]) -> list[str]:
    """What the agent says to each line; `[hangs up]` for the end of the call."""
    settings = read_settings(FRONT_DESK["tool_settings"]["calendar"])
    calendar = SqliteCalendar(path, settings, ZoneInfo("Europe/London"), clock)
    tools = CalendarTools(calendar, list(settings.services)).function_tools()
    script = Script.from_mapping(FRONT_DESK["script"], clock=clock, timezone=FRONT_DESK["timezone"])
    said: list[str] = []

    @function_tool
    async def end_call() -> None:
        """Hang up."""
        said.append("[hangs up]")

    async with utils.http_context.open(), AgentSession(llm=LLM(script=script)) as session:
        await session.start(Agent(instructions=FRONT_DESK["instructions"], tools=[*tools, end_call]))
        for line in lines:
            result: RunResult[None] = await session.run(user_input=line)
            said += [event.item.text_content or "" for event in result.events if event.item.type == "message"]
    return said


def rows(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name, service, starts_at, status FROM appointments").fetchall()


async def test_a_haircut_is_booked_after_a_yes(tmp_path: Path) -> None:
    path = tmp_path / "calendar.db"
    said = await converse(
        path, ["hi i'd like a haircut next tuesday", "half past two", "anna bell", "yes please", "bye"]
    )
    assert rows(path) == [("Anna Bell", "haircut", "2026-12-01T14:30:00+00:00", "booked")]
    assert said[-2:] == ["[hangs up]", "Thank you for calling Willow Lane. Goodbye!"]
