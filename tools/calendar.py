"""Appointments: what an agent may do in a business's calendar.

`Calendar` is the port, `SqliteCalendar` its store, `CalendarTools` the function tools for an LLM.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from livekit.agents import ToolError, function_tool, llm

from tools.calendar_rules import Appointment, CalendarSettings, read_settings
from tools.calendar_sqlite import CalendarError, SqliteCalendar

__all__ = [
    "Appointment",
    "Calendar",
    "CalendarError",
    "CalendarSettings",
    "CalendarTools",
    "SqliteCalendar",
    "read_settings",
]


class Calendar(Protocol):
    """What the tools need. Every method may raise CalendarError."""

    async def free_times(self, day: date, service: str | None = None, moving: int | None = None) -> list[datetime]:
        """Times of a day at which a service can begin; the time of the appointment `moving` counts as free."""

    async def book(self, name: str, service: str, starts_at: datetime, phone: str | None = None) -> Appointment:
        """Books; the same data again gives the same appointment."""

    async def find(self, name: str) -> list[Appointment]:
        """Appointments to come under a name, earliest first."""

    async def move(self, appointment_id: int, starts_at: datetime) -> Appointment:
        """Moves an appointment, which keeps its id."""

    async def cancel(self, appointment_id: int) -> Appointment:
        """Cancels an appointment."""


_WHEN = "Begin as local ISO 8601 date and time, like 2026-12-01T14:30"


class CalendarTools:
    """The calendar's function tools. `services` are the names a caller may choose from."""

    def __init__(self, calendar: Calendar, services: Sequence[str]) -> None:
        self._calendar = calendar
        self._services = tuple(services)

    def function_tools(self) -> list[llm.Tool]:
        """Tools named free_times, book_appointment, find_appointment, move_appointment, cancel_appointment.

        They answer with JSON, and raise ToolError with words for the caller and the nearest free times.
        """
        service = {"type": "string", "enum": list(self._services), "description": "Which service"}
        name = {"type": "string", "description": "First and last name of the person the appointment is for"}
        when = {"type": "string", "description": _WHEN}
        number = {"type": "string", "description": "The id that find_appointment gave"}
        day = {"type": "string", "description": "Day as ISO 8601 date, like 2026-12-01"}
        return [
            self._tool(
                "free_times",
                "The free times of one day, for one service. Use it before you offer a time.",
                {
                    "day": day,
                    "service": service,
                    "moving": {"type": "string", "description": "Id of the appointment that is to be moved, if any"},
                },
                ("day",),
                self._free_times,
            ),
            self._tool(
                "book_appointment",
                "Book an appointment. Only after you read service, day, time and name back and the caller said yes.",
                {
                    "name": name,
                    "service": service,
                    "starts_at": when,
                    "phone": {"type": "string", "description": "Phone number, if the caller gave it"},
                },
                ("name", "service", "starts_at"),
                self._book,
            ),
            self._tool(
                "find_appointment", "The appointments to come under a name.", {"name": name}, ("name",), self._find
            ),
            self._tool(
                "move_appointment",
                "Move an appointment to another time. Only after you read the new time back and the caller said yes.",
                {"appointment_id": number, "starts_at": when},
                ("appointment_id", "starts_at"),
                self._move,
            ),
            self._tool(
                "cancel_appointment",
                "Cancel an appointment. Only after the caller said yes to cancelling this one.",
                {"appointment_id": number},
                ("appointment_id",),
                self._cancel,
            ),
        ]

    def _tool(
        self,
        name: str,
        description: str,
        properties: Mapping[str, Any],
        required: Sequence[str],
        run: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]],
    ) -> llm.Tool:
        async def call(raw_arguments: dict[str, object]) -> str:
            for argument in required:
                if not str(raw_arguments.get(argument) or "").strip():
                    raise ToolError(f"The argument {argument} is missing.")
            try:
                return json.dumps(await run(raw_arguments))
            except CalendarError as error:
                raise ToolError(_told(error)) from error

        schema = {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": dict(properties),
                "required": list(required),
                "additionalProperties": False,
            },
        }
        return function_tool(call, raw_schema=schema)

    async def _free_times(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        day = _day(arguments["day"])
        service = arguments.get("service")
        moving = arguments.get("moving")
        times = await self._calendar.free_times(
            day, str(service) if service else None, _number(moving) if moving else None
        )
        return {"day": day.isoformat(), "free_times": [begin.strftime("%Y-%m-%dT%H:%M") for begin in times]}

    async def _book(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        phone = arguments.get("phone")
        appointment = await self._calendar.book(
            str(arguments["name"]),
            str(arguments["service"]),
            _moment(arguments["starts_at"]),
            str(phone) if phone else None,
        )
        return {"booked": appointment.as_dict()}

    async def _find(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"appointments": [found.as_dict() for found in await self._calendar.find(str(arguments["name"]))]}

    async def _move(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        moved = await self._calendar.move(_number(arguments["appointment_id"]), _moment(arguments["starts_at"]))
        return {"moved": moved.as_dict()}

    async def _cancel(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        cancelled = await self._calendar.cancel(_number(arguments["appointment_id"]))
        return {"cancelled": cancelled.as_dict()}


def _told(error: CalendarError) -> str:
    """The error in words for the caller, with the offers in a notation that a model reads and a script finds."""
    if not error.offers:
        return error.message
    offers = ", ".join(offer.strftime("%Y-%m-%dT%H:%M") for offer in error.offers)
    return f"{error.message} The nearest free times are {offers}."


def _moment(value: object) -> datetime:
    try:
        return datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except ValueError:
        raise ToolError(f"I could not read that time. {_WHEN}.") from None


def _day(value: object) -> date:
    return _moment(value).date()


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ToolError("That is not the id of an appointment. Use find_appointment first.") from None
