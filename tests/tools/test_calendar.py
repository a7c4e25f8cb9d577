"""The calendar: opening hours, no double booking, errors that a caller can be told."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydantic
import pytest
from livekit.agents import ToolError, llm

from tools.calendar import CalendarError, CalendarTools, SqliteCalendar, read_settings

LONDON = ZoneInfo("Europe/London")
SETTINGS: dict[str, Any] = {
    "hours": {"tuesday": ["09:00", "12:00"], "wednesday": [540, 1080], "thursday": ["09:00", "18:00"]},
    "services": {"haircut": 45, "colour": 90, "beard trim": 30},
}
TUESDAY = date(2026, 12, 1)


def clock() -> datetime:
    return datetime(2026, 11, 24, 9, 20, tzinfo=UTC)


@pytest.fixture
def calendar(tmp_path: Path) -> SqliteCalendar:
    return SqliteCalendar(tmp_path / "var" / "calendar.db", read_settings(SETTINGS), LONDON, clock)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(moments: list[datetime]) -> list[str]:
    return [moment.strftime("%H:%M") for moment in moments]


async def test_a_day_is_free_from_opening_as_long_as_the_service_ends_before_closing(calendar: SqliteCalendar) -> None:
    free = times(await calendar.free_times(TUESDAY, "colour"))
    assert free == ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15", "10:30"]


async def test_a_booking_takes_its_time_and_the_times_that_would_run_into_it(calendar: SqliteCalendar) -> None:
    booked = await calendar.book("Anna Bell", "haircut", at("2026-12-01T10:00"), "07700900123")
    assert booked.starts_at.isoformat() == "2026-12-01T10:00:00+00:00"
    assert times(await calendar.free_times(TUESDAY, "haircut")) == ["09:00", "09:15", "10:45", "11:00", "11:15"]
    assert "10:00" in times(await calendar.free_times(TUESDAY, "haircut", moving=booked.id))


async def test_today_only_what_lies_ahead_is_free(calendar: SqliteCalendar) -> None:
    assert times(await calendar.free_times(date(2026, 11, 24), "haircut"))[0] == "09:30"


async def test_the_same_booking_twice_is_one(calendar: SqliteCalendar) -> None:
    first = await calendar.book("Anna Bell", "haircut", at("2026-12-01T10:00"))
    again = await calendar.book("anna bell", "haircut", at("2026-12-01T10:00+00:00"))
    assert first == again


async def test_summer_time_is_the_businesss_own(calendar: SqliteCalendar) -> None:
    booked = await calendar.book("Anna Bell", "haircut", at("2027-04-06T10:00"))
    assert booked.starts_at.isoformat() == "2027-04-06T10:00:00+01:00"


@pytest.mark.parametrize(
    ("service", "begin", "message", "offers"),
    [
        ("haircut", "2026-12-01T10:30", "taken", ["10:45", "11:00", "11:15"]),
        ("haircut", "2026-12-01T11:30", "open from 09:00 to 12:00", ["10:45", "11:00", "11:15"]),
        ("haircut", "2026-12-01T09:05", "every 15 minutes", ["09:00", "09:15", "10:45"]),
        ("haircut", "2026-12-06T10:00", "closed on Sundays", ["17:15", "09:00"]),
        ("haircut", "2026-11-20T10:00", "already past", []),
        ("haircut", "2026-11-24T09:00", "already past", ["09:30", "09:45", "10:00"]),
        ("haircut", "2028-11-21T10:00", "next 180 days", []),
        ("massage", "2026-12-01T10:00", "haircut, colour, beard trim", []),
    ],
)
async def test_what_cannot_be_had_is_refused_with_the_reason_and_what_can(
    calendar: SqliteCalendar, service: str, begin: str, message: str, offers: list[str]
) -> None:
    await calendar.book("Tom Hall", "haircut", at("2026-12-01T10:00"))
    with pytest.raises(CalendarError) as caught:
        await calendar.book("Anna Bell", service, at(begin))
    assert message in caught.value.message
    assert times(caught.value.offers) == offers


async def test_of_twenty_who_want_the_same_time_at_once_one_gets_it(tmp_path: Path) -> None:
    calendars = [SqliteCalendar(tmp_path / "c.db", read_settings(SETTINGS), LONDON, clock) for _ in range(4)]
    results = await asyncio.gather(
        *(calendars[number % 4].book(f"Caller {number}", "haircut", at("2026-12-01T10:00")) for number in range(20)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, CalendarError) for result in results if isinstance(result, BaseException))


def test_the_database_itself_refuses_an_overlap_whoever_writes(calendar: SqliteCalendar, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "var" / "calendar.db")
    insert = "INSERT INTO appointments (name, service, starts_at) VALUES ('x', ?, ?)"
    connection.execute(insert, ("haircut", "2026-12-01T10:00:00+00:00"))
    for begin in ("2026-12-01T10:30:00+00:00", "2026-12-01T11:15:00+01:00"):
        with pytest.raises(sqlite3.IntegrityError, match="overlap"):
            connection.execute(insert, ("beard trim", begin))
    connection.execute(insert, ("colour", "2026-12-01T10:45:00+00:00"))
    with pytest.raises(sqlite3.IntegrityError, match="overlap"):
        connection.execute("UPDATE appointments SET starts_at = '2026-12-01T10:30:00+00:00' WHERE service = 'colour'")
    connection.close()


async def test_a_moved_appointment_keeps_its_id_and_may_move_into_its_own_time(calendar: SqliteCalendar) -> None:
    booked = await calendar.book("Anna Bell", "haircut", at("2026-12-01T10:00"))
    moved = await calendar.move(booked.id, at("2026-12-01T10:30"))
    assert (moved.id, moved.status, times([moved.starts_at])) == (booked.id, "booked", ["10:30"])
    await calendar.book("Tom Hall", "haircut", at("2026-12-02T10:00"))
    with pytest.raises(CalendarError, match="taken"):
        await calendar.move(booked.id, at("2026-12-02T10:00"))


async def test_a_cancelled_time_is_free_again_and_cancelling_twice_does_no_harm(calendar: SqliteCalendar) -> None:
    booked = await calendar.book("Anna Bell", "haircut", at("2026-12-01T10:00"))
    assert (await calendar.cancel(booked.id)).status == "cancelled"
    assert (await calendar.cancel(booked.id)).status == "cancelled"
    assert "10:00" in times(await calendar.free_times(TUESDAY, "haircut"))
    with pytest.raises(CalendarError, match="cancelled"):
        await calendar.move(booked.id, at("2026-12-01T11:00"))
    assert await calendar.find("Anna Bell") == []


async def test_appointments_are_found_by_the_whole_name_else_by_a_part_of_it(calendar: SqliteCalendar) -> None:
    await calendar.book("Anna Bell", "haircut", at("2026-12-02T10:00"))
    await calendar.book("Anna", "haircut", at("2026-12-02T11:00"))
    assert [found.name for found in await calendar.find("anna bell")] == ["Anna Bell"]
    assert [found.name for found in await calendar.find("Anna")] == ["Anna"]
    assert [found.name for found in await calendar.find("bell")] == ["Anna Bell"]
    assert await calendar.find("  ") == []
    with pytest.raises(CalendarError, match="no such"):
        await calendar.cancel(99)


async def call(calendar: SqliteCalendar, tool: str, arguments: Mapping[str, object]) -> Any:
    tools = CalendarTools(calendar, ["haircut"]).function_tools()
    found = next(entry for entry in tools if isinstance(entry, llm.RawFunctionTool) and entry.info.name == tool)
    return json.loads(await found(raw_arguments=dict(arguments)))


async def test_the_tools_speak_json_and_tell_refusals_with_moments_that_can_be_read(calendar: SqliteCalendar) -> None:
    booking = {"name": "Anna Bell", "service": "haircut", "starts_at": "2026-12-01T10:00"}
    booked = (await call(calendar, "book_appointment", booking))["booked"]
    assert booked == {"id": 1, "name": "Anna Bell", "service": "haircut", "starts_at": "2026-12-01T10:00:00+00:00"}
    assert (await call(calendar, "find_appointment", {"name": "bell"}))["appointments"] == [booked]
    free = await call(calendar, "free_times", {"day": "2026-12-01", "service": "haircut", "moving": ""})
    assert free["free_times"][0] == "2026-12-01T09:00"
    moved = await call(calendar, "move_appointment", {"appointment_id": 1, "starts_at": "2026-12-02T10:00Z"})
    assert moved["moved"]["starts_at"].startswith("2026-12-02T10:00")
    await call(calendar, "book_appointment", booking)
    with pytest.raises(ToolError) as caught:
        await call(calendar, "book_appointment", booking | {"name": "Tom Hall"})
    assert caught.value.message == (
        "That time is already taken. The nearest free times are 2026-12-01T09:00, 2026-12-01T09:15, 2026-12-01T10:45."
    )
    assert (await call(calendar, "cancel_appointment", {"appointment_id": "1"}))["cancelled"]["id"] == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("book_appointment", {"name": " ", "service": "haircut", "starts_at": "2026-12-01T10:00"}, "name is missing"),
        ("book_appointment", {"name": "A", "service": "haircut", "starts_at": "tuesday"}, "ISO 8601"),
        ("free_times", {}, "day is missing"),
        ("free_times", {"day": "soon"}, "ISO 8601"),
        ("cancel_appointment", {"appointment_id": "the first"}, "find_appointment first"),
        ("free_times", {"day": "2026-12-06"}, "closed on Sundays"),
    ],
)
async def test_arguments_that_make_no_sense_are_told_to_the_model(
    calendar: SqliteCalendar, tool: str, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ToolError) as caught:
        await call(calendar, tool, arguments)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"hours": {"funday": ["09:00", "17:00"]}}, ("hours", "funday", "[key]")),
        ({"hours": {"monday": ["17:00", "09:00"]}}, ()),
        ({"hours": {"monday": ["9 am", "17:00"]}}, ("hours", "monday", 0)),
        ({"services": {}}, ("services",)),
        ({"services": {"haircut": "long"}}, ("services", "haircut")),
        ({"colour": 1}, ("colour",)),
        ({"step_minutes": 0}, ("step_minutes",)),
    ],
)
def test_wrong_settings_are_named_by_their_place(change: dict[str, Any], place: tuple[str | int, ...]) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        read_settings(SETTINGS | change)
    assert caught.value.errors()[0]["loc"] == place
