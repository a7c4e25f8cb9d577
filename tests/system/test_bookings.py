"""Twelve callers speak to the front desk through the real SFU; at the end the calendar must hold just what they wanted.

BOOKINGS_ROUND=1 and =2 give each of them another voice, so that three rounds speak every conversation in three voices.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from rig import RunningStack

from voiceworker.config import ROOT
from voiceworker.lab.audio import Samples, read_speech
from voiceworker.lab.caller import Caller
from voiceworker.lab.dialogue import converse
from voiceworker.lab.invitation import by_session_api
from voiceworker.lab.persona import Persona, Scenario, read_scenarios

sys.path.insert(0, str(ROOT / "tests" / "audio" / "scenarios"))
from render import VOICES, file_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SCENARIOS = read_scenarios(ROOT / "tests" / "scenarios" / "bookings.yaml")
ROUND = int(os.environ.get("BOOKINGS_ROUND", "0"))
SPOKEN = [(scenario, VOICES[(number + ROUND) % len(VOICES)]) for number, scenario in enumerate(SCENARIOS)]


def reset_calendar(path: Path, scenario: Scenario) -> None:
    with sqlite3.connect(path) as calendar:
        calendar.execute("DELETE FROM appointments")
        for row in scenario.before:
            columns = ", ".join(row)
            marks = ", ".join("?" for _ in row)
            calendar.execute(f"INSERT INTO appointments ({columns}) VALUES ({marks})", list(row.values()))
    calendar.close()


def rows_of(path: Path) -> list[dict[str, str]]:
    with sqlite3.connect(path) as calendar:
        calendar.row_factory = sqlite3.Row
        query = "SELECT name, service, starts_at, status FROM appointments ORDER BY id"
        rows = [dict(row) for row in calendar.execute(query)]
    calendar.close()
    return rows


@pytest.mark.parametrize(("scenario", "voice"), SPOKEN, ids=[f"{scenario.id}-{voice}" for scenario, voice in SPOKEN])
async def test_a_spoken_conversation_ends_with_the_right_appointments(
    scenario: Scenario, voice: str, stack: RunningStack
) -> None:
    calendar = stack.settings.data_directory / "calendar.db"
    reset_calendar(calendar, scenario)

    async def audio_for(line: str) -> Samples:
        return read_speech(file_of(voice, line))

    async with (
        by_session_api(stack.api_url, stack.api_key, "frontdesk") as invitation,
        Caller(invitation) as caller,
    ):
        turns = await converse(caller, Persona(scenario), audio_for)
        print(f"agent   {caller.conversation.greeting}")
    for turn in turns:
        print(f"caller  {turn.caller}\nagent   {turn.agent}  [{turn.first_audio_ms} ms]")
    assert rows_of(calendar) == [dict(row) for row in scenario.rows]
